--- The kinds that run natively, under PyTorch's names and with PyTorch's numbers, but for its bugs:
---   cosine                 holds its end, where CosineAnnealingLR goes up again
---   cosine_restarts        finds the cycle exactly; a logarithm rounds, and misses some restarts
---   one_cycle              holds its end, too; a way up of one step divides by nothing
---   cyclic and the like    leave the momentum alone
--- How long: epochs, steps or examples among the options, or period, any duration.
local core = require "swale.core"
local duration = require "swale.duration"
local errors = require "swale.errors"
local object = require "swale.schedule.object"
local options = require "swale.options"

---@class swale.Kinds
local M = {}

--- The default of a field, from the row of the kind.
local function default_of(kind, name)
  for _, field in ipairs(core.schedule_fields(kind)) do
    if field.name == name then return field.default end
  end
  error(("schedule: %s takes no %s"):format(kind, name))
end

local UNITS = { "epochs", "steps", "examples" }

--- Options of which one says how long: o.period.
local function timed(where, o, spec, default)
  spec.period = "period?"
  for _, unit in ipairs(UNITS) do spec[unit] = "positive?" end
  o = options.check(where, o, spec)
  local given = o.period and 1 or 0
  for _, unit in ipairs(UNITS) do
    if o[unit] then
      given, o.period, o[unit] = given + 1, duration.of { [unit] = o[unit] }, nil
    end
  end
  if given > 1 then errors.misuse("%s: one of period, epochs, steps, examples", where) end
  o.period = o.period or default and duration.of(default)
  if not o.period then
    errors.misuse("%s: needs period, or how long: epochs, steps or examples", where)
  end
  return o
end

local function check_units(where, a, b)
  if (a.unit == "steps") ~= (b.unit == "steps") then
    errors.misuse("%s: durations of one unit, not %s and %s", where, a, b)
  end
end

--- Durations one after another, where the unit allows; nil otherwise.
local function sum(list)
  local total = 0
  for _, d in ipairs(list) do
    if d.unit ~= list[1].unit then return nil end
    total = total + d.amount
  end
  return duration.of { [list[1].unit] = total }
end

---The same value always.
---@param value number
---@return swale.Schedule
function M.constant(value)
  value = options.value("schedule.constant", "value", value, "number")
  return object.native("constant", { value = value })
end

---@class swale.LinearScheduleOptions
---@field from number
---@field to number
---@field epochs? number            or steps, examples, period

---from + (to - from) min(t / period, 1): LinearLR.
---@param o swale.LinearScheduleOptions
---@return swale.Schedule
function M.linear(o)
  o = timed("schedule.linear", o, { from = "number", to = "number" })
  return object.native("linear", o, o.period)
end

---@class swale.StepOptions
---@field value number              at the start
---@field gamma? number             0.1
---@field period swale.DurationLike

---value gamma^floor(t / period): StepLR.
---@param o swale.StepOptions
---@return swale.Schedule
function M.step(o)
  return object.native("step",
    timed("schedule.step", o, { value = "number", gamma = { "number", 0.1 } }))
end

--- A list of durations, ascending, of one unit.
local function marks_of(where, list)
  local marks = {}
  for i, value in ipairs(options.value(where, "at", list, "list")) do
    marks[i] = duration.of(value, where .. ": at")
    if i > 1 then
      check_units(where, marks[i - 1], marks[i])
      if marks[i].unit == marks[i - 1].unit and marks[i].amount < marks[i - 1].amount then
        errors.misuse("%s: at is ascending, but %s comes after %s", where, marks[i], marks[i - 1])
      end
    end
  end
  if #marks == 0 then errors.misuse("%s: at has no marks", where) end
  return marks
end

---@class swale.MultiStepOptions
---@field value number              at the start
---@field at swale.DurationLike[]   marks, ascending; one that comes twice counts twice
---@field gamma? number             0.1; above 1 it grows

---value gamma^(number of marks <= t): MultiStepLR.
---@param o swale.MultiStepOptions
---@return swale.Schedule
function M.multi_step(o)
  local where = "schedule.multi_step"
  o = options.check(where, o, { value = "number", gamma = { "number", 0.1 }, at = "table" })
  o.marks, o.at = marks_of(where, o.at), nil
  return object.native("multi_step", o)
end

---@class swale.PiecewiseOptions
---@field values number[]           one more than marks
---@field at swale.DurationLike[]   marks, ascending

---values[1 + number of marks <= t].
---@param o swale.PiecewiseOptions
---@return swale.Schedule
function M.piecewise(o)
  local where = "schedule.piecewise"
  o = options.check(where, o, { values = "list", at = "list" })
  o.marks, o.at = marks_of(where, o.at), nil
  if #o.values ~= #o.marks + 1 then
    errors.misuse("%s: %d mark%s need%s %d values, not %d", where, #o.marks,
      #o.marks == 1 and "" or "s", #o.marks == 1 and "s" or "", #o.marks + 1, #o.values)
  end
  for i, value in ipairs(o.values) do
    options.value(where, ("values[%d]"):format(i), value, "number")
  end
  return object.native("piecewise", o)
end

---@class swale.ExponentialOptions
---@field value number              at the start
---@field gamma number              factor a period
---@field period? swale.DurationLike  1 epoch

---value gamma^(t / period), without stairs: ExponentialLR at whole epochs.
---@param o swale.ExponentialOptions
---@return swale.Schedule
function M.exponential(o)
  return object.native("exponential",
    timed("schedule.exponential", o, { value = "number", gamma = "positive" }, { epochs = 1 }))
end

---@class swale.PolynomialOptions
---@field from number
---@field to? number                0
---@field power? number             1
---@field epochs? number            or steps, examples, period

---(from - to) (1 - t / period)^power + to, then it holds: PolynomialLR.
---@param o swale.PolynomialOptions
---@return swale.Schedule
function M.polynomial(o)
  o = timed("schedule.polynomial", o,
    { from = "number", to = { "number", 0 }, power = { "positive", 1 } })
  return object.native("polynomial", o, o.period)
end

---@class swale.CosineOptions
---@field from number
---@field to? number                0
---@field epochs? number            or steps, examples, period

---to + (from - to) (1 + cos(pi t / period)) / 2, then it holds (CosineAnnealingLR goes up again).
---@param o swale.CosineOptions
---@return swale.Schedule
function M.cosine(o)
  o = timed("schedule.cosine", o, { from = "number", to = { "number", 0 } })
  return object.native("cosine", o, o.period)
end

---@class swale.CosineRestartsOptions
---@field from number
---@field to? number                0
---@field period swale.DurationLike   of the first wave
---@field multiplier? integer       of each later one; 1

---Half waves one after another: CosineAnnealingWarmRestarts.
---@param o swale.CosineRestartsOptions
---@return swale.Schedule
function M.cosine_restarts(o)
  return object.native("cosine_restarts", timed("schedule.cosine_restarts", o,
    { from = "number", to = { "number", 0 },
      multiplier = { "count", default_of("cosine_restarts", "multiplier") } }))
end

local function check_order(where, o)
  if o.max < o.min then errors.misuse("%s: max %g is below min %g", where, o.max, o.min) end
end

---@class swale.CyclicOptions
---@field max number                   start of a cycle
---@field min number                   its end, where SWA captures
---@field period swale.DurationLike    length of a cycle

---The cyclic schedule of Izmailov et al. 2018, section 3.1: linear from max to min, then it jumps.
---    (1 - x) max + x min,   x = (mod(i - 1, c) + 1) / c   for update i of cycles of c updates
---In general x counts the coming update in; the update that crosses the end of a cycle has x = 1.
---@param o swale.CyclicOptions
---@return swale.Schedule
function M.cyclic(o)
  o = timed("schedule.cyclic", o, { max = "number", min = "number" })
  check_order("schedule.cyclic", o)
  return object.native("cyclic", o)
end

local function triangle(kind, o, more)
  local where = "schedule." .. kind
  local spec = { max = "number", min = "number", down = "period?" }
  for name, entry in pairs(more or {}) do spec[name] = entry end
  o = timed(where, o, spec)
  check_order(where, o)
  o.down = o.down or o.period
  check_units(where, o.period, o.down)
  return object.native(kind, o)
end

---@class swale.TriangularOptions
---@field max number
---@field min number                   where it starts and ends
---@field period swale.DurationLike    the way up
---@field down? swale.DurationLike     the way down; as long

---Up and down again (Smith 2017; CyclicLR):  min + (max - min) s,  s going 0 -> 1 -> 0.
---@param o swale.TriangularOptions
---@return swale.Schedule
function M.triangular(o) return triangle("triangular", o) end

---triangular with half the height at each next cycle.
---@param o swale.TriangularOptions
---@return swale.Schedule
function M.triangular2(o) return triangle("triangular2", o) end

---@class swale.ExpRangeOptions: swale.TriangularOptions
---@field gamma number                 factor of the height, a unit of period

---triangular with its height times gamma^t, t from the very start, in the unit of period.
---@param o swale.ExpRangeOptions
---@return swale.Schedule
function M.exp_range(o) return triangle("exp_range", o, { gamma = "positive" }) end

---@class swale.OneCycleOptions
---@field max number
---@field from? number               max / 25
---@field to? number                 from / 10000
---@field epochs? number             all of it; or steps, examples, period
---@field fraction? number           of it where the top is; 0.3 (pct_start)
---@field shape? "cosine"|"linear"   cosine
---@field three_phase? boolean       down to from in as long as up, then to `to`; false

---Up to max and down to next to nothing: OneCycleLR, whose momentum is a schedule of its own here.
---Counted in steps, the last of them has the value `to`, as PyTorch's.
---@param o swale.OneCycleOptions
---@return swale.Schedule
function M.one_cycle(o)
  o = timed("schedule.one_cycle", o, { max = "number", from = "number?", to = "number?",
    fraction = { "positive", default_of("one_cycle", "fraction") },
    three_phase = { "boolean", default_of("one_cycle", "three_phase") },
    shape = { choice = { "cosine", "linear" }, default_of("one_cycle", "shape") } })
  if o.fraction >= 1 then errors.misuse("schedule.one_cycle: fraction is below 1") end
  o.from = o.from or o.max / 25
  o.to = o.to or o.from / 1e4
  return object.native("one_cycle", o, o.period)
end

---@class swale.WarmupStableDecayOptions
---@field max number                 where it stays
---@field from? number               0
---@field to? number                 0
---@field warmup? swale.DurationLike   0
---@field stable? swale.DurationLike   0
---@field decay swale.DurationLike
---@field shape? "1-sqrt"|"linear"|"cosine"   of the decay; 1-sqrt

---Linear from `from` to max, then max, then down to `to`, which it holds.
---    1-sqrt:  to + (max - to) (1 - sqrt(t / decay))
---@param o swale.WarmupStableDecayOptions
---@return swale.Schedule
function M.warmup_stable_decay(o)
  local where = "schedule.warmup_stable_decay"
  o = options.check(where, o, { max = "number", from = { "number", 0 }, to = { "number", 0 },
    warmup = "duration?", stable = "duration?", decay = "period",
    shape = { choice = { "1-sqrt", "linear", "cosine" },
      default_of("warmup_stable_decay", "shape") } })
  local none = duration.of { [o.decay.unit] = 0 }
  o.warmup, o.stable = o.warmup or none, o.stable or none
  for _, name in ipairs { "warmup", "stable" } do
    if o[name].amount == 0 then o[name] = none end
    check_units(where, o[name], o.decay)
  end
  return object.native("warmup_stable_decay", o, sum { o.warmup, o.stable, o.decay })
end

---@class swale.InverseSqrtOptions
---@field value number                at the end of the warm-up
---@field from? number                0
---@field warmup swale.DurationLike

---Linear from `from` to value, then value sqrt(warmup / t).
---@param o swale.InverseSqrtOptions
---@return swale.Schedule
function M.inverse_sqrt(o)
  o = options.check("schedule.inverse_sqrt", o,
    { value = "number", from = { "number", 0 }, warmup = "period" })
  o.period, o.warmup = o.warmup, nil
  return object.native("inverse_sqrt", o)
end

return M
