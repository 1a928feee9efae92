--- The engine of a trainer: its parts, its settings and its loop. The runner carries out a fit
--- (swale.trainer.training).
local clocks = require "swale.trainer.clock"
local core = require "swale.core"
local duration = require "swale.duration"
local errors = require "swale.errors"
local faults = require "swale.trainer.faults"
local hooks = require "swale.trainer.hooks"
local hyper = require "swale.trainer.hyper"
local lengths = require "swale.trainer.lengths"
local measurements = require "swale.trainer.measurements"
local runners = require "swale.trainer.runner"
local scan = require "swale.trainer.scan"
local states = require "swale.trainer.state"

local M = {}

---@class swale.Engine
---@field trainer swale.Trainer
---@field runner swale.Runner
---@field model swale.Model
---@field loss swale.LossFunction
---@field weights swale.Tensor
---@field buffers swale.Tensor|nil   running statistics of the last weights
---@field data table
---@field example swale.Example
---@field graph swale.CompiledGraph       of mode "train"
---@field eval_graph swale.CompiledGraph  the same where the layers have no modes
---@field eval_batch integer
---@field evaluator swale.Evaluator       owns averages, statistics, the best weights
---@field measurements swale.Measurements
---@field clock swale.Clock
---@field optimizer swale.Optimizer
---@field settings table<swale.Hyper, swale.Hyperparameter>
---@field fixed table              of the loop: segments, order, subset, micro_batch, coupling, …
---@field seed integer
---@field record swale.Duration
---@field state swale.State
---@field hooks table<string, function[]>
---@field journal swale.Journal|nil       of the present run
---@field goal swale.Goal|nil      where the last fit ended, or was to end
---@field loop swale.Loop|swale.CustomLoop|nil      made at the first step
---@field rules swale.LiveRule[]|nil      likewise
---@field stepwise boolean|nil     each step is made alone
---@field last_batch integer|nil
---@field fired { step: integer, examples: integer }   where events of the fit happened last
---@field fitting table            the coroutine of a fit, while it lasts
---@field driving boolean|nil      its steps are being made
---@field programs table<string, swale.Program>   of the graph, compiled once, also for forks
---@field remembered table|nil     memory of the batch size's function after fits that were planned
---@field until_ nil|fun(s: swale.State): any   ends the present fit
---@field stopped string|false|nil   why the last fit ended early
---@field kept_ratios number[]|nil  update ratios that were restored
---@field checkpoints swale.CheckpointOptions|nil   of the present fit
---@field changed table<swale.Hyper, boolean>   settings that were made during a fit
local Engine = {}
Engine.__index = Engine

local function check_settings(self)
  local n = self.state.epoch_examples
  lengths.check({ settings = self.settings, averages = self.evaluator.averages,
    record = self.record }, n)
  for name, x in pairs(self.settings) do
    scan.setting(name, x, self.settings, self.optimizer, n)
  end
end

--- The momentum buffer of plain SGD, whose next step is momentum * buffer + gradient.
local function velocity_of(self)
  local optimizer = self.optimizer
  local is_plain = optimizer.kind == "sgd" and not rawget(optimizer, "nesterov")
    and (rawget(optimizer, "dampening") or 0) == 0
  return is_plain and self.loop and self.loop:momentum() or nil
end

--- The state and what is measured share the table of what is measured by name.
local function add_state(self)
  local measured = {}
  self.state = states.new(measured)
  self.state.epoch_examples = self.fixed.subset and #self.fixed.subset or #self.data.train.source
  self.measurements = measurements.new(measured, { state = self.state, weights = self.weights,
    buffers = self.buffers, model = self.model, loss = self.loss, train = self.data.train,
    subset = self.fixed.subset, seed = self.seed, graph = self.graph,
    uneven = self.eval_graph.uneven, order = self.fixed.order,
    epoch_examples = self.state.epoch_examples, optimizer = self.optimizer,
    segments = self.fixed.segments, momentum = self.settings.momentum,
    velocity = function() return velocity_of(self) end })
end

---@param o table      model, data, loss, optimizer, settings, graph, eval_graph, example,
---batch_norm, average, seed, fixed, eval_batch, record; of a fork also programs, remembered
---@param runner? swale.Runner   the current one
---@return swale.Engine
function M.new(o, runner)
  local self = setmetatable(o, Engine)
  self.runner = runner or runners.current()
  self.weights, self.buffers = o.model:weights(), o.model:buffers()
  self.hooks, self.fitting, self.programs = hooks.new(), {}, o.programs or {}
  self.changed, self.fired = {}, { step = 0, examples = 0 }
  self.evaluator = self.runner.new_evaluator { layer = o.model.layer, weights = self.weights,
    buffers = self.buffers, data = o.data, example = o.example, subset = o.fixed.subset,
    graph = o.eval_graph, batch = o.eval_batch, batch_norm = o.batch_norm, average = o.average }
  add_state(self)
  self.clock = clocks.new(self.measurements)
  check_settings(self)
  self.runner.begin(self)
  return self
end

-- ------------------------------------------------------------------ the loop

--- Reads the loop's state. A rule that was not called yet has set nothing.
local function read_state(self)
  local s = self.loop:state(self.state)
  if s.step > 0 then return end
  for _, rule in ipairs(self.rules) do
    if not rule.initial then s[rule.name] = core.NAN end
  end
end

---Returns the loop; creates it on first use, with the present settings.
---@return swale.Loop|swale.CustomLoop
function Engine:ready()
  if not self.loop then
    self.loop = self.runner.new_loop(self)
    self.measurements:attach(self.loop)
  end
  if not self.rules then
    self.rules = hyper.attach(self.loop, self.settings)
    read_state(self)
  end
  return self.loop
end

---Takes a new setting; it holds from the next step on.
---@param name swale.Hyper
---@param value swale.Hyperparameter
function Engine:set(name, value)
  self.measurements:refuse("trainer." .. name)
  hyper.check(name, value, self.optimizer)
  lengths.of_schedule(value, self.state.epoch_examples, "Trainer: " .. name)
  scan.setting(name, value, self.settings, self.optimizer, self.state.epoch_examples)
  self.settings[name], self.changed[name] = value, self.driving or nil
  if not self.rules then return end
  self.rules = hyper.replace(self.loop, self.settings, self.rules, name)
  self:pace()
end

---Adds a measurement, or changes when one is made.
---@param name string
---@param what any      as Trainer's `measure` has it
function Engine:measure(name, what)
  self.measurements:refuse "Trainer:measure"
  local before = self.measurements:has_along()
  local entry = self.measurements:ask(name, what)
  if not entry.row.along or not self.loop then return end
  if before then return self.measurements:attach(self.loop) end
  self.loop, self.rules = nil, nil
end

---Decides whether each step is made alone, because a rule, a hook, a measurement or the record
---needs it.
function Engine:pace()
  local watched = self.journal and self.journal.run or #self.hooks.batch_size > 0
  local followed = self.measurements:follows "lr" or self.measurements:follows "batch_size"
  self.stepwise = self.rules and #self.rules > 0 or #self.hooks.step > 0 or followed
    or watched and type(self.settings.batch_size) ~= "number" or self.until_ ~= nil
end

-- ------------------------------------------------------------------ fits

---Whether a fit of this trainer is on the stack of a coroutine. The fit of a coroutine that was
---dropped ends when it is collected.
---@return boolean
function Engine:is_running()
  if self.fitting[1] then collectgarbage() end
  return self.fitting[1] ~= nil
end

---Ends the present fit after the update that is being made, or was made last.
---@param reason string
function Engine:stop(reason)
  self.measurements:refuse "Trainer:stop"
  if not self.driving or not self:is_running() then
    errors.misuse "Trainer:stop: no fit is running: it ends one from inside, as in a hook or a rule"
  end
  self.stopped = self.stopped or reason
end

local function clear(self) self.fitting, self.driving, self.until_ = {}, nil, nil end

---Trains for a length, which counts from the end of the fit before (see marks.goal).
---@param length swale.Duration
---@param run table|nil
---@param until_? fun(s: swale.State): any    asked after each update whether to end
---@param checkpoints? swale.CheckpointOptions   checked
function Engine:fit(length, run, until_, checkpoints)
  self.measurements:refuse "Trainer:fit"
  if self:is_running() then
    errors.misuse "Trainer:fit: already running: in a hook, a rule, or a coroutine that waits"
  end
  faults.refuse_spoiled(self.state, "Trainer:fit")
  duration.check(length, self.state.epoch_examples, "Trainer:fit")
  if run and run.interrupted then error(core.INTERRUPTED, 0) end
  local _ <close> = setmetatable({}, { __close = function() clear(self) end })
  self.stopped, self.driving, self.until_ = false, nil, until_
  self.checkpoints = checkpoints
  self.fitting = setmetatable({ coroutine.running() }, { __mode = "v" })
  self.runner.fit(self, length, run)
end

return M
