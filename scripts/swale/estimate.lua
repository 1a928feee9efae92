--- A measured number with a confidence interval. It is never nil: before there are enough
--- measurements its status is "pending", and above and below give false.
local class = require "swale.class"
local core = require "swale.core"
local errors = require "swale.errors"

local M = {}

---@class swale.Estimate        may have further fields: residual, spread, cost; first and last, the
---steps of the window that it is about; …
---@field status "pending"|"unresolved"|"resolved"   unresolved: an end of the interval is infinite
---@field value number   nan while pending
---@field low number     lower end of the interval; while pending 0, of a signed quantity -inf
---@field high number    its upper end; infinite while pending
---@field target string|nil   what the interval is about, a noun: "mean over the window"
---@field reason string|nil   why it is pending or unresolved
---@field signed boolean      it can be negative
---@field interval string     its kind: "95 %" (or another level) over samples, draws or seeds;
---"bound": it holds surely; "exact": value, low and high are the same
local Estimate = class.new("estimate", { fields = { "status", "value", "low", "high", "target",
  "reason", "signed", "interval" } })

local function check(method, x)
  if type(x) ~= "number" then
    errors.misuse("estimate:%s: x must be a number, not %s", method, errors.shown(x))
  end
end

---Returns whether the whole interval is above x: low > x.
---@param x number
---@return boolean
function Estimate:above(x)
  check("above", x)
  return self.low > x
end

---Returns whether the whole interval is below x: high < x.
---@param x number
---@return boolean
function Estimate:below(x)
  check("below", x)
  return self.high < x
end

---Sets new values, in place.
---@param status "pending"|"unresolved"|"resolved"
---@param value number
---@param low number
---@param high number
---@param reason? string    in words, where it is not resolved
---@return swale.Estimate self
function Estimate:update(status, value, low, high, reason)
  self.status, self.value, self.low, self.high, self.reason = status, value, low, high, reason
  return self
end

---@param reason string|nil
---@return swale.Estimate self
function Estimate:because(reason)
  self.reason = reason
  return self
end

--- An interval is above a number, below it, or neither, which `<` cannot express.
local function refuse()
  errors.misuse("an estimate has an interval: compare it by its methods above(x) and below(x); its"
    .. " field value is the number alone")
end

Estimate.__lt, Estimate.__le = refuse, refuse

local function refuse_arithmetic()
  errors.misuse("an estimate is no number: calculate with its field value, or with low or high, an"
    .. " end of its interval")
end

for _, name in ipairs { "add", "sub", "mul", "div", "idiv", "mod", "pow", "unm" } do
  Estimate["__" .. name] = refuse_arithmetic
end

local SHORT <const> = 1e-3 -- of the value: ends that would look the same

---Whether the ends of the interval would look the same as the value.
---@param e swale.Estimate
---@return boolean
function M.is_narrow(e) return e.high - e.low < SHORT * math.abs(e.value) end

local function interval_text(self)
  local low, high = self.low, self.high
  if self.interval == "exact" or low == high then
    return ("%.4g (%s)"):format(self.value, self.interval)
  end
  if M.is_narrow(self) then
    return ("%.4g (%s: within %.1g)"):format(self.value, self.interval, (high - low) / 2)
  elseif high < math.huge and low > -math.huge then
    return ("%.4g (%s: %.4g to %.4g)"):format(self.value, self.interval, low, high)
  elseif low > -math.huge then
    return ("unresolved, above %.4g"):format(low)
  elseif high < math.huge then
    return ("unresolved, below %.4g"):format(high)
  end
  return "unresolved"
end

function Estimate:__tostring()
  local text = self.status == "pending" and "pending" or interval_text(self)
  if self.status == "resolved" and self.target then text = text .. ", " .. self.target end
  local first, last = rawget(self, "first"), rawget(self, "last")
  if self.status ~= "pending" and first and last then
    text = ("%s, steps %d to %d"):format(text, first, last)
  end
  return self.reason and ("%s: %s"):format(text, self.reason) or text
end

local NUMBERS = { "value", "low", "high" }
local STATUS = { pending = true, unresolved = true, resolved = true }

--- The status that follows from the numbers.
local function status_of(e)
  if e.value ~= e.value and (e.low == -math.huge or e.low == 0) and e.high == math.huge then
    return "pending"
  end
  return e.low > -math.huge and e.high < math.huge and e.value == e.value and "resolved"
    or "unresolved"
end

local function check_fields(e)
  for _, name in ipairs(NUMBERS) do
    if type(e[name]) ~= "number" then
      errors.misuse("estimate: %s must be a number, not %s", name, errors.shown(e[name]))
    end
  end
  if e.low ~= e.low or e.high ~= e.high or e.low > e.high then
    errors.misuse("estimate: low must be at most high, not %s and %s", errors.shown(e.low),
      errors.shown(e.high))
  elseif e.status ~= nil and not STATUS[e.status] then
    errors.misuse('estimate: status must be "pending", "unresolved" or "resolved", not %s',
      errors.shown(e.status))
  end
end

local function checked_table(fields)
  if fields == nil then return {} end
  if type(fields) ~= "table" or getmetatable(fields) then
    errors.misuse("estimate: takes a table, { value =, low =, high = }, not %s",
      errors.shown(fields))
  end
  for name in pairs(fields) do
    if type(name) ~= "string" or rawget(Estimate, name) then
      errors.misuse("estimate: %s cannot be the name of a field", errors.shown(name))
    end
  end
  return fields
end

---Makes an estimate of its fields; without any, one that is pending:
---    sw.estimate { value = 2.1, low = 1.8, high = 2.5, target = "the training set" }
---The status follows from the numbers unless it is given; low is by default 0, or -inf if the
---quantity is signed. Other fields are kept: `effort = 12` is read as e.effort.
---@param fields? table
---@return swale.Estimate
function M.new(fields)
  local e = {}
  for name, value in pairs(checked_table(fields)) do e[name] = value end
  e.signed = e.signed or false
  if e.value == nil then e.value = core.NAN end
  if e.low == nil then e.low = e.signed and -math.huge or 0 end
  if e.high == nil then e.high = math.huge end
  check_fields(e)
  e.status, e.interval = e.status or status_of(e), e.interval or "95 %"
  return setmetatable(e, Estimate)
end

---The class of estimates.
M.CLASS = Estimate

---@param value any
---@return boolean
function M.is_estimate(value) return getmetatable(value) == Estimate end

---Returns a copy, which does not change with the original.
---@param e swale.Estimate
---@return swale.Estimate
function M.copy(e)
  local copy = {}
  for name, value in next, e do copy[name] = value end
  return setmetatable(copy, Estimate)
end

---Returns a copy whose text leaves out what it is about.
---@param e swale.Estimate
---@return swale.Estimate
function M.without_target(e)
  local copy = M.copy(e)
  copy.target = nil
  return copy
end

---Raises, because a rule reads a measurement that the trainer does not make.
---@param name string   "noise_scale"
function M.unasked(name)
  errors.misuse("s.%s is not measured; ask for it: Trainer { measure = { %s = sw.every {"
    .. ' steps = 5 } } }, or trainer:measure("%s", sw.every { steps = 5 })', name, name, name)
end

return M
