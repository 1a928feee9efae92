--- A measured number with a confidence interval. It is never nil: before there are enough
--- measurements its status is "pending", and above and below give false.
local class = require "swale.class"
local core = require "swale.core"
local errors = require "swale.errors"

local M = {}

---@class swale.Estimate
---@field status "pending"|"unresolved"|"resolved"   unresolved: high is infinite
---@field value number   nan while pending
---@field low number     lower end of the 95 % interval, never negative; 0 while pending
---@field high number    its upper end; infinite while pending or unresolved
---@field reason string|nil   why it is pending or unresolved
local Estimate = class.new("estimate", { fields = { "status", "value", "low", "high",
  "reason" } })

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

function Estimate:__tostring()
  local reason = self.reason and (": %s"):format(self.reason) or ""
  if self.status == "pending" then return "pending" .. reason end
  if self.status == "unresolved" then
    return ("unresolved, above %.4g"):format(self.low) .. reason
  end
  return ("%.4g (95 %%: %.4g to %.4g)"):format(self.value, self.low, self.high)
end

---Returns a pending estimate, or one with the given values.
---@param status? "pending"|"unresolved"|"resolved"
---@param value? number
---@param low? number
---@param high? number
---@return swale.Estimate
function M.new(status, value, low, high)
  return setmetatable({}, Estimate):update(status or "pending", value or core.NAN, low or 0,
    high or math.huge)
end

---@param value any
---@return boolean
function M.is_estimate(value) return getmetatable(value) == Estimate end

---Returns a copy, which does not change with the original.
---@param e swale.Estimate
---@return swale.Estimate
function M.copy(e) return M.new(e.status, e.value, e.low, e.high):because(e.reason) end

---Raises, because a rule reads a measurement that the trainer does not make.
---@param name string   "noise_scale"
function M.unasked(name)
  errors.misuse("s.%s is not measured; ask for it: Trainer { measure = { %s = sw.every {"
    .. ' steps = 5 } } }, or trainer:measure("%s", sw.every { steps = 5 })', name, name, name)
end

return M
