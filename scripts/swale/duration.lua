--- Positions and durations: { steps = 100 }, { examples = 1e6 } or { epochs = 2 }; a bare number
--- means epochs. Steps and epochs differ once the batch grows, so a duration keeps its unit.
local class = require "swale.class"
local errors = require "swale.errors"

local M = {}

local UNITS = { "steps", "examples", "epochs" }

---@class swale.Duration
---@field amount number
---@field unit "steps"|"examples"|"epochs"
---@field factor number|nil    of an interval: each mark is so many times the one before
local Duration = class.new("duration")

---@alias swale.Units { steps?: number, examples?: number, epochs?: number }  one of them
---@alias swale.DurationLike number|swale.Duration|swale.Units

function Duration:__tostring()
  local unit = self.amount == 1 and not self.factor and self.unit:sub(1, -2) or self.unit
  if not self.factor then return ("%g %s"):format(self.amount, unit) end
  return ("%g, %g, … %s"):format(self.amount, self.amount * self.factor, unit)
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

--- Marks at growing distances are for measurements.
local function check_even(d, where)
  if d.factor then
    errors.misuse("%s: a factor is for measurements; this one is at even distances: { %s = %g }",
      where, d.unit, d.amount)
  end
  return d
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
  if M.is_duration(value) then return check_even(value, where) end
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

--- A table of one unit and a factor, apart.
local function without_factor(value)
  local rest = {}
  for key, x in pairs(value) do if key ~= "factor" then rest[key] = x end end
  return rest, value.factor
end

---Returns an interval that may have a factor.
---@param value swale.DurationLike
---@param where string   what it is for, in messages
---@return swale.Duration
function M.marks(value, where)
  if M.is_duration(value) and value.factor then return value end
  local factor
  if type(value) == "table" and not M.is_duration(value) then
    value, factor = without_factor(value)
  end
  local d = M.interval(value, where)
  if factor == nil then return d end
  if type(factor) ~= "number" or not (factor > 1 and factor < math.huge) then
    errors.misuse("%s: factor must be a number above 1, not %s", where, errors.shown(factor))
  end
  d = new(d.amount, d.unit)
  d.factor = factor
  return d
end

---Returns an interval: marks at even distances, `sw.every { steps = 5 }`, or each so many times the
---one before: `sw.every { steps = 10, factor = 2 }` is 10, 20, 40, … At least one step or example.
---@param value swale.DurationLike|{ factor: number }
---@return swale.Duration
function M.every(value) return M.marks(value, "every") end

return M
