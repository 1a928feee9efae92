--- Executes an experiment without training: trainers have a runner that plans, evaluations return
--- nan, and the run keeps nothing.
local class = require "swale.class"
local count = require("swale.schedule.count").count
local create = require "swale.create"
local errors = require "swale.errors"
local evaluators = require "swale.trainer.evaluator"
local folders = require "swale.folders"
local footprint = require "swale.trainer.footprint"
local globals = require "swale.experiment.globals"
local marks = require "swale.trainer.marks"
local plans = require "swale.trainer.plan"
local Run = require("swale.run").Run
local runners = require "swale.trainer.runner"

local M = {}

local NAN = require("swale.core").NAN
local MOST_CAPTURES = 8 -- made in place of those of a training, at most

---@class swale.DryFit
---@field engine swale.Engine
---@field begun swale.PlanPosition
---@field length swale.Duration
---@field plan swale.Plan
---@field ends_early boolean   an until_ may end it before
local function captures(average, engine)
  local n, s = plans.position(engine).epoch_examples, engine.state
  local start, every = average.start, average.every
  if not start or not every then return 1 end
  if start.unit == "steps" or every.unit == "steps" then return 1 end
  return math.floor((s.examples - start:examples(n)) / every:examples(n) + 1e-9)
end

--- Sets what a script may read after a fit: the position, averages and the best, with the first
--- weights.
local function pretend(engine, plan)
  local s = engine.state
  engine:ready():skip(plan.updates or plan.at_initial or 1,
    plan.examples or plan.examples_wanted or 1)
  engine.loop:state(s)
  for _, average in ipairs(footprint.averages(engine)) do
    for _ = 1, math.min(captures(average, engine), MOST_CAPTURES) do
      average:update(engine.weights)
    end
  end
  if engine.data.valid then
    engine.evaluator.best = { weights = engine.weights, buffers = engine.buffers, epoch = s.epoch,
      metrics = { loss = NAN, accuracy = NAN } }
  end
end

local function begin_state(engine)
  local s = engine.state
  s.step, s.examples, s.epoch, s.loss, s.grad_norm = 0, 0, 0, NAN, NAN
  local p = plans.position(engine)
  for name, x in pairs(engine.settings) do s[name] = count.value(x, p) or NAN end
end

--- A loop that makes no steps: it has a position, which skip and restore change. What else the
--- state has is set by begin_state.
local DryLoop = {}
DryLoop.__index = DryLoop

local function dry_loop(engine)
  local p = plans.position(engine)
  return setmetatable({ step = p.step, examples = p.examples, epoch_examples = p.epoch_examples },
    DryLoop)
end

function DryLoop.set() end
function DryLoop.measure() end
function DryLoop.measure_next() end
function DryLoop.cost() return 0, 0, 0 end

---Returns what the optimizer keeps: nothing, without updates.
---@return table<string, swale.Tensor>
function DryLoop.state_vectors() return {} end
function DryLoop.memory() end
function DryLoop.update_ratios() end

---Goes on without training.
---@param updates integer
---@param examples integer
function DryLoop:skip(updates, examples)
  self.step, self.examples = self.step + updates, self.examples + examples
end

---Writes the position.
---@param t table
---@return table t
function DryLoop:state(t)
  t.step, t.examples, t.epoch = self.step, self.examples, self.examples / self.epoch_examples
  return t
end

---@param saved { step: integer, examples: integer }
function DryLoop:restore(saved) self.step, self.examples = saved.step, saved.examples end

--- An evaluator that computes nothing and returns nan.
local function dry_evaluator(o)
  local dry = evaluators.new(o)
  function dry.reestimate() return o.buffers end
  function dry.evaluate(_, _, _, source, on)
    return { loss = NAN, accuracy = NAN, examples = #source, on = on }
  end
  return dry
end

--- A runner that plans; on_fit is called with each fit.
local function planner(on_fit)
  local runner = { begin = begin_state, new_loop = dry_loop, new_evaluator = dry_evaluator }
  function runner.fit(engine, length)
    local begun, plan = plans.position(engine), plans.steps(engine, length)
    engine.goal, engine.remembered = marks.goal(begun, engine.goal, length), plan.memory
    on_fit { engine = engine, begun = begun, length = length, plan = plan,
      ends_early = engine.until_ ~= nil }
    pretend(engine, plan)
  end
  return runner
end

--- A run that writes nothing; its directory is removed at the end.
local DryRun = class.new("run", { parent = Run, fields = { "dir", "seed", "status" } })
for name, method in next, Run do
  if type(method) == "function" then DryRun[name] = function(_) end end
end

local function no_run(seed, dir)
  return setmetatable({ dir = dir, seed = seed, status = "running" }, DryRun)
end

local function catch(value) return { value = value, traceback = debug.traceback(nil, 2) } end

---Executes an experiment without a record: trainers that it makes have the runner.
---@param experiment swale.Experiment
---@param params table<string, any>
---@param seed integer
---@param runner swale.Runner
---@return { value: any, traceback: string }|nil failure   what was raised
function M.execute_with(experiment, params, seed, runner)
  local dir = assert(folders.temporary_folder())
  local give_back = globals.borrow(seed, { print = function() end, before_exit = function() end })
  local seed_before = create.default_seed()
  create.set_default_seed(seed)
  local ok, failure = runners.with(runner, xpcall, experiment.run, catch,
    no_run(seed, dir), errors.strict(params, "the experiment declares"))
  create.set_default_seed(seed_before)
  give_back()
  folders.remove(dir)
  return not ok and failure or nil
end

---Executes an experiment without training.
---@param experiment swale.Experiment
---@param params table<string, any>
---@param seed integer
---@param on_fit fun(fit: swale.DryFit)     called for each fit
---@return { value: any, traceback: string }|nil failure   what was raised
function M.execute(experiment, params, seed, on_fit)
  return M.execute_with(experiment, params, seed, planner(on_fit))
end

return M
