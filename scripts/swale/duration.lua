--- Positions and durations: { steps = 100 }, { examples = 1e6 } or { epochs = 2 }; a bare number
--- means epochs. Steps and epochs differ once the batch grows, so a duration keeps its unit.
local class = require "swale.class"
local errors = require "swale.errors"

local M = {}

local UNITS = { "steps", "examples", "epochs" }

---@class swale.Duration
---@field amount number
---@field unit "steps"|"examples"|"epochs"
local Duration = class.new("duration")

---@alias swale.Units { steps?: number, examples?: number, epochs?: number }  one of them
---@alias swale.DurationLike number|swale.Duration|swale.Units

function Duration:__tostring()
  local unit = self.amount == 1 and self.unit:sub(1, -2) or self.unit
  return ("%g %s"):format(self.amount, unit)
end

--- Rounds to a whole number that is within rounding errors: 0.1 * 3 epochs of 10 examples are 3.
local function rounded(x)
  local whole = math.floor(x + 0.5)
  return math.abs(x - whole) <= math.max(1e-6, 1e-15 * x) and whole or x
end

---Returns its length in examples.
---@param epoch_examples integer   size of the training set
---@return number                  nil for steps: that depends on the batch size
function Duration:examples(epoch_examples)
  if type(epoch_examples) ~= "number" then
    errors.misuse("duration:examples: epoch_examples must be a number, got %s",
      errors.shown(epoch_examples))
  end
  if self.unit == "steps" then return nil end
  return rounded(self.unit == "epochs" and self.amount * epoch_examples or self.amount)
end

local function new(amount, unit)
  return setmetatable({ amount = amount, unit = unit }, Duration)
end

local function check_amount(amount, unit, where)
  if type(amount) ~= "number" or not (amount >= 0 and amount < math.huge) then
    errors.misuse("%s: %s must be a number that is not negative, not %s", where, unit,
      errors.shown(amount))
  end
  if unit ~= "epochs" and amount > 0 and amount < 1 then
    errors.misuse("%s: %g %s is less than one %s", where, amount, unit, unit:sub(1, -2))
  end
  return amount
end

---Raises for a duration of less than one example.
---@param d swale.Duration
---@param epoch_examples integer
---@param where string
---@return swale.Duration d
function M.check(d, epoch_examples, where)
  local examples = d:examples(epoch_examples)
  if d.amount > 0 and examples and examples < 1 then
    errors.misuse("%s: %s of %d examples is less than one example", where, tostring(d),
      epoch_examples)
  end
  return d
end

local function from_table(value, where)
  local found
  for key in pairs(value) do
    if key ~= "steps" and key ~= "examples" and key ~= "epochs" then
      errors.misuse("%s: a duration has no unit %s%s It takes: steps, examples or epochs", where,
        errors.shown(key), errors.suggestion(key, UNITS))
    elseif found then
      errors.misuse("%s: a duration has one unit, not both %s and %s", where, found, key)
    end
    found = key
  end
  if not found then
    errors.misuse("%s: an empty duration; write { steps = }, { examples = } or { epochs = }", where)
  end
  return new(check_amount(value[found], found, where), found)
end

---@param value any
---@return boolean
function M.is_duration(value) return getmetatable(value) == Duration end

---@param value swale.DurationLike
---@param where? string   what it is for, in messages
---@return swale.Duration
function M.of(value, where)
  where = where or "duration"
  if M.is_duration(value) then return value end
  if type(value) == "number" then return new(check_amount(value, "epochs", where), "epochs") end
  if type(value) == "table" then return from_table(value, where) end
  errors.misuse("%s: a duration is { steps = }, { examples = } or { epochs = }, or a number of"
    .. " epochs, not %s", where, errors.shown(value))
end

---Returns an interval, as every does.
---@param value swale.DurationLike
---@param where string   what it is for, in messages
---@return swale.Duration
function M.interval(value, where)
  local d = M.of(value, where)
  if d.amount <= 0 or d.unit ~= "epochs" and d.amount < 1 then
    errors.misuse("%s: %s is too short; at least one step or example", where, tostring(d))
  end
  return d
end

---Returns an interval: `sw.every { steps = 5 }`. At least one step or example.
---@param value swale.DurationLike
---@return swale.Duration
function M.every(value) return M.interval(value, "every") end

return M
