--- Schedules of learning rate, batch size, momentum and weight decay alike: pure functions of
--- progress, which is counted in examples first, so that they stay right when the batch grows.
---
--- The kinds named here run natively. A Lua function f(s) is a schedule too; if it reads more of
--- the live state than how far things are, it is a rule, and can be neither tabulated nor plotted.
local core = require "swale.core"
local duration = require "swale.duration"
local errors = require "swale.errors"
local options = require "swale.options"

local M = {}

---@class swale.Progress
---@field step? integer             updates made
---@field examples? integer         examples seen by them
---@field epochs? number            instead of examples
---@field batch_size? integer       of the coming update; 1
---@field epoch_examples? integer   size of the training set; 50000

---@class swale.Schedule
---@field kind string
---@field native? swale.NativeSchedule
---@field f? fun(s: swale.State): number
local Schedule = { __name = "swale.Schedule" }
Schedule.__index = Schedule

---@alias swale.Hyperparameter number|swale.Schedule|swale.Rule|fun(s: swale.State): number

function Schedule:__tostring() return "schedule." .. self.kind end

local PROGRESS = { step = "integer?", examples = "nonnegative?", epochs = "nonnegative?",
  batch_size = { "count", 1 }, epoch_examples = { "count", 50000 } }

--- What a function sees when there is no training: how far things are, and nothing else.
local preview = {}

function preview.__index(_, key)
  errors.misuse("this schedule reads s.%s, the live state: it can be neither plotted nor tabulated"
    .. " beforehand", tostring(key))
end

local function at_function(f, p)
  local state = { step = p.step, examples = p.examples, epoch = p.examples / p.epoch_examples }
  return f(setmetatable(state, preview))
end

---Its value for the update that follows: `schedule:at { epochs = 1.5, epoch_examples = 55000 }`.
---@param progress swale.Progress|number   a number: epochs
---@return number
function Schedule:at(progress)
  if type(progress) == "number" then progress = { epochs = progress } end
  local p = options.check("schedule:at", progress, PROGRESS)
  if p.epochs and p.examples then errors.misuse("schedule:at: examples or epochs, not both") end
  p.examples = math.floor(p.examples or (p.epochs or 0) * p.epoch_examples + 0.5)
  p.step = p.step or p.examples // p.batch_size
  if self.f then return at_function(self.f, p) end
  return self.native:at(p.step, p.examples, p.examples + p.batch_size, p.epoch_examples)
end

local function native(kind, o)
  local raw = { kind = kind }
  for key, value in pairs(o) do
    raw[key] = duration.is_duration(value) and { amount = value.amount, unit = value.unit } or value
  end
  o.kind, o.native = kind, core.schedule(raw)
  return setmetatable(o, Schedule)
end

---The same value always.
---@param value number
---@return swale.Schedule
function M.constant(value)
  value = options.value("schedule.constant", "value", value, "number")
  return native("constant", { value = value })
end

---@class swale.StepOptions
---@field value number                 at the start
---@field gamma? number                0.1
---@field period swale.DurationLike

---value * gamma^floor(t / period): PyTorch's StepLR.
---@param o swale.StepOptions
---@return swale.Schedule
function M.step(o)
  return native("step", options.check("schedule.step", o,
    { value = "number", gamma = { "number", 0.1 }, period = "period" }))
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
  return native("cyclic", options.check("schedule.cyclic", o,
    { max = "number", min = "number", period = "period" }))
end

---@class swale.TriangularOptions
---@field max number
---@field min number                   where it starts and ends
---@field period swale.DurationLike    the way up
---@field down? swale.DurationLike     the way down; as long

---Up and down again (Smith 2017; PyTorch's CyclicLR):  min + (max - min) s,  s going 0 -> 1 -> 0.
---@param o swale.TriangularOptions
---@return swale.Schedule
function M.triangular(o)
  o = options.check("schedule.triangular", o,
    { max = "number", min = "number", period = "period", down = "period?" })
  o.down = o.down or o.period
  if o.down.unit ~= o.period.unit then
    errors.misuse("schedule.triangular: period and down must have one unit, not %s and %s",
      o.period, o.down)
  end
  return native("triangular", o)
end

---A schedule from a function of s.step, s.examples and s.epoch, called before each update.
---@param f fun(s: swale.State): number
---@return swale.Schedule
function M.of(f)
  options.value("schedule.of", "f", f, "function")
  return setmetatable({ kind = "of", f = f }, Schedule)
end

local function as_schedule(where, x)
  if type(x) == "function" then return M.of(x) end
  if type(x) == "number" then return M.constant(x) end
  if getmetatable(x) == Schedule then return x end
  if M.is_rule(x) then
    errors.misuse("%s: a rule with a memory reads the live state: it can be neither plotted nor"
      .. " tabulated beforehand", where)
  end
  errors.misuse("%s: wants a schedule, a function or a number, not %s", where, errors.shown(x))
end

---@class swale.ValuesOptions
---@field epochs? number               how far; or steps, or examples
---@field steps? integer
---@field examples? integer
---@field points? integer              101, the ends included
---@field batch_size? integer          128
---@field epoch_examples? integer      50000

local VALUES = { epochs = "positive?", steps = "count?", examples = "positive?",
  points = { "count", 101 }, batch_size = { "count", 128 }, epoch_examples = { "count", 50000 } }

local function total_examples(where, o)
  local given = (o.epochs and 1 or 0) + (o.steps and 1 or 0) + (o.examples and 1 or 0)
  if given ~= 1 then errors.misuse("%s: how far? one of epochs, steps, examples", where) end
  return o.examples or o.steps and o.steps * o.batch_size or o.epochs * o.epoch_examples
end

---Values at equally spaced points, without training:
---`for lr, epoch in sch.values(s, { epochs = 10, points = 11 }) do`
---@param x swale.Hyperparameter
---@param o swale.ValuesOptions
---@return fun(): number?, number?     value and epoch of the next point
function M.values(x, o)
  local schedule = as_schedule("schedule.values", x)
  o = options.check("schedule.values", o, VALUES)
  local total, i = total_examples("schedule.values", o), -1
  return function()
    i = i + 1
    if i >= o.points then return nil end
    local examples = math.floor(total * i / math.max(1, o.points - 1) + 0.5)
    local value = schedule:at { examples = examples, batch_size = o.batch_size,
      epoch_examples = o.epoch_examples }
    return value, examples / o.epoch_examples
  end
end

---Several schedules side by side: rows { epoch =, name = value, … }.
---@param schedules table<string, swale.Hyperparameter>
---@param o swale.ValuesOptions
---@return table[]
function M.tabulate(schedules, o)
  local rows = {}
  for name, x in pairs(options.value("schedule.tabulate", "schedules", schedules, "table")) do
    local i = 0
    for value, epoch in M.values(x, o) do
      i = i + 1
      rows[i] = rows[i] or { epoch = epoch }
      rows[i][name] = value
    end
  end
  return rows
end

---@class swale.Rule
---@field initial number
---@field f fun(s: swale.State, mem: table): number
local Rule = { __name = "swale.Rule" }
Rule.__index = Rule

function Rule:__tostring() return ("rule from %g"):format(self.initial) end

---@param x any
---@return boolean
function M.is_rule(x) return getmetatable(x) == Rule end

---A rule that listens: the first update takes initial, and before each later one f(s, mem) says
---what comes, s being the live state after the last update and mem the rule's memory, plain data:
---a table that each trainer makes for itself.
---@param initial number
---@param f fun(s: swale.State, mem: table): number
---@return swale.Rule
function M.rule(initial, f)
  options.value("rule", "initial", initial, "number")
  options.value("rule", "f", f, "function")
  return setmetatable({ initial = initial, f = f }, Rule)
end

return M
