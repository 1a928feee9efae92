--- A training as it runs: the loop, what is asked before each step, what is due after it.
local core = require "swale.core"
local diagnosis = require "swale.trainer.diagnosis"
local duration = require "swale.duration"
local errors = require "swale.errors"
local events = require "swale.trainer.events"
local faults = require "swale.trainer.faults"
local hooks = require "swale.trainer.hooks"
local hyper = require "swale.trainer.hyper"
local journals = require "swale.trainer.journal"
local lengths = require "swale.trainer.lengths"
local marks = require "swale.trainer.marks"
local measurements = require "swale.trainer.measurements"
local metrics = require "swale.trainer.metrics"
local reestimate = require "swale.reestimate"
local scan = require "swale.trainer.scan"
local states = require "swale.trainer.state"

local M = {}

local WATCHED = 50 -- steps between two looks at how far the weights moved, at most

---@class swale.Best
---@field weights swale.Tensor
---@field buffers swale.Tensor|nil
---@field metrics swale.Metrics
---@field epoch number

---@class swale.Engine
---@field trainer swale.Trainer
---@field model swale.Model
---@field weights swale.Tensor
---@field buffers swale.Tensor|nil   running statistics of the last weights
---@field data table
---@field example swale.Example
---@field graph swale.CompiledGraph       of mode "train"
---@field eval_graph swale.CompiledGraph  the same where the layers have no modes
---@field batch_norm swale.BatchNormMethod   for averages
---@field statistics table         by average: what was re-estimated
---@field optimizer swale.Optimizer
---@field settings table<swale.Hyper, swale.Hyperparameter>
---@field fixed table              of the loop: segments, order, subset, micro_batch, coupling, …
---@field averages swale.NamedAverage[]
---@field measurements swale.Measurements
---@field seed integer
---@field eval_batch integer
---@field record swale.Duration
---@field state swale.State
---@field hooks table<string, function[]>
---@field history table[]          the records of the epochs of the present run
---@field best swale.Best|nil
---@field goal swale.Goal|nil      where the last fit ended, or was to end
---@field loop swale.Loop|swale.CustomLoop|nil      made at the first step
local Engine = {}
Engine.__index = Engine

local class = Engine -- of those that are made

---Engines made from now on have these methods before their own, `begin` among them, which is called
---once a new one is complete; nil: only their own. `swale check` plans in place of training.
---@param methods table<string, function>|nil
function M.specialise(methods)
  class = methods and setmetatable(methods, Engine) or Engine
  class.__index = class
end

---@param fields table
---@return swale.Engine
function M.new(fields)
  local measured = {}
  fields.weights, fields.state = fields.model:weights(), states.new(measured)
  fields.fitting = {}
  fields.buffers, fields.statistics = fields.model:buffers(), setmetatable({}, { __mode = "k" })
  fields.hooks, fields.history = hooks.new(), {}
  fields.state.epoch_examples = fields.fixed.subset and #fields.fixed.subset
    or #fields.data.train.source
  fields.measurements = measurements.new(measured, { state = fields.state,
    weights = fields.weights, buffers = fields.buffers, graph = fields.graph,
    uneven = fields.eval_graph.uneven, order = fields.fixed.order, seed = fields.seed,
    epoch_examples = fields.state.epoch_examples })
  lengths.check(fields, fields.state.epoch_examples)
  for name, x in pairs(fields.settings) do
    scan.setting(name, x, fields.settings, fields.optimizer.kind, fields.state.epoch_examples)
  end
  setmetatable(fields, class):begin()
  return fields
end

function Engine.begin() end

---@param weights swale.Tensor
---@param buffers swale.Tensor|nil
---@param source swale.Source
---@param on string      the source's name
---@return swale.Metrics
function Engine:evaluate(weights, buffers, source, on)
  return metrics.evaluate(self.eval_graph, weights, buffers, source, self.eval_batch, on)
end

---@param weights swale.Tensor
---@param how "pooled"|"layerwise"
---@return swale.Tensor buffers    of what is trained on
function Engine:reestimate(weights, how)
  return reestimate.buffers { layer = self.model.layer, weights = weights, buffers = self.buffers,
    source = self.data.train.source, example = self.example, index = self.fixed.subset,
    method = how, batch_size = self.eval_batch }
end

-- ------------------------------------------------------------------ the loop

local function native_loop(self)
  local optimizer, o = self.optimizer, { program = self.train_program, seed = self.seed,
    measured = self.measured_program, weights = self.weights, buffers = self.buffers,
    source = self.data.train.source }
  for key, value in pairs(self.fixed) do o[key] = value end
  o.optimizer = optimizer.kind
  o.dampening, o.nesterov = optimizer.dampening, optimizer.nesterov
  o.beta2, o.eps = optimizer.beta2, optimizer.eps
  return core.loop(o)
end

--- An optimizer in Lua sits on a loop that does all but the update.
local function custom_loop(self)
  local fixed, o = self.fixed, { program = self.train_program, seed = self.seed,
    measured = self.measured_program, weights = self.weights, buffers = self.buffers,
    source = self.data.train.source,
    order = self.fixed.order, subset = self.fixed.subset, micro_batch = self.fixed.micro_batch }
  return require("swale.trainer.custom").new(core.loop(o), self.optimizer.step, {
    weights = self.weights, max_norm = fixed.max_norm, coupling = fixed.coupling,
    reference = fixed.reference_batch, n = self.state.epoch_examples })
end

local function make_loop(self)
  self.train_program = self.train_program or self.graph:train()
  if self.measurements:period() > 0 then
    self.measured_program = self.measured_program or self.graph:measured()
  end
  local loop = (self.optimizer.step and custom_loop or native_loop)(self)
  self.measurements:attach(loop)
  self.loop = loop
end

--- Reads the loop's state; a function that has not spoken yet has set nothing.
local function read_state(self)
  local s = self.loop:state(self.state)
  if s.step == 0 then
    for _, rule in ipairs(self.rules) do
      if not rule.initial then s[rule.name] = core.NAN end
    end
  end
  return s
end

---The loop, ready: made if it is not there, with the present settings.
---@return swale.Loop
function Engine:ready()
  if not self.loop then make_loop(self) end
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
  hyper.check(name, value, self.optimizer.kind)
  lengths.of_schedule(value, self.state.epoch_examples, "Trainer: " .. name)
  scan.setting(name, value, self.settings, self.optimizer.kind, self.state.epoch_examples)
  self.settings[name] = value
  if not self.rules then return end
  self.rules = hyper.replace(self.loop, self.settings, self.rules, name)
  self:pace()
end

---Measures something beside the training.
---@param name string
---@param what any      as Trainer's `measure` has it
function Engine:measure(name, what)
  self.measurements:refuse "Trainer:measure"
  local entry = self.measurements:ask(name, what)
  if not entry.row.along or not self.loop then return end
  if self.measured_program then return self.measurements:attach(self.loop) end
  self.loop, self.rules = nil, nil
end

-- ------------------------------------------------------------------ steps

---Finds out whether something is to be done after every single step.
function Engine:pace()
  local watched = self.journal and self.journal.run or #self.hooks.batch_size > 0
  self.stepwise = self.rules and #self.rules > 0 or #self.hooks.step > 0
    or watched and type(self.settings.batch_size) ~= "number"
end

--- Many steps at once, up to one of the two positions.
local function stride(self, next_step, next_examples)
  local s = self.state
  local steps = math.min(next_step - s.step, self.measurements.most_steps)
  local why, message, code = self.loop:advance(steps, next_examples, s)
  if not why or why == "interrupted" then faults.stopped(self, why, message, code) end
  self.measurements:read(self.loop, s)
  if s.batch_size ~= self.last_batch then events.note_batch(self, s) end
end

--- For what a stepper gave in place of a step: a rule and what it said, or a message and its code.
local function stumble(self, rules, what, detail)
  if math.type(what) then hyper.refuse(rules[what], detail, self.state) end
  self.loop:state(self.state)
  faults.stopped(self, nil, what, detail)
end

--- What the stepper does not return itself.
local function read_rest(self, s)
  self.loop:state(s)
  self.measurements:read(self.loop, s)
end

--- Step by step, up to one of the two positions, or until another rule is set. Short, and without a
--- look at what cannot have changed: this is the price of rules and hooks in Lua.
local function walk(self, next_step, next_examples)
  local s, on_step, trainer, rules = self.state, self.hooks.step, self.trainer, self.rules
  local step, ask, mem = hyper.stepper(self.loop, rules), hyper.asker(rules)
  repeat
    local news, n, examples, epoch, loss, norm, lr, batch = step(ask(s, mem))
    if news == nil then stumble(self, rules, n, examples) end
    s.step, s.examples, s.epoch, s.loss = n, examples, epoch, loss
    s.grad_norm, s.lr, s.batch_size = norm, lr, batch
    if news then read_rest(self, s) end
    if batch ~= self.last_batch then events.note_batch(self, s) end
    for i = 1, #on_step do
      local value = on_step[i](s, trainer)
      if value ~= nil then hooks.refuse(on_step[i], value) end
    end
  until n >= next_step or examples >= next_examples or self.rules ~= rules
end

--- Steps until the target fires.
local function drive(self, list)
  while not self.reached do
    local go = self.stepwise and walk or stride
    go(self, marks.nearest(list, "step"), marks.nearest(list, "examples"))
    marks.fire(list, self.state)
  end
end

--- Tells a run what there is to say, each thing once.
local function diagnose(self)
  local journal = self.journal
  if not journal.run then return end
  diagnosis.give(self.history, function(kind, fmt, ...)
    if not journal.said[kind] then journal.run:print(fmt, ...) end
    journal.said[kind] = true
  end)
end

local function run_to(self, length)
  self:ready()
  self:pace()
  local s = self.state
  local goal = marks.goal(s, self.goal, length)
  scan.fit(self, s, goal)
  self.goal = goal
  self.reached = marks.is_reached(self.goal, s)
  self.target = marks.once(self.goal.scale, self.goal.at, function() self.reached = true end)
  drive(self, events.plan(self))
  faults.check(self)
  self.journal:step(s, self.loop)
  self.journal:conclude(self)
  hooks.call(self.hooks["end"], s, self.trainer)
  diagnose(self)
end

--- Where a run begins to write: means and looks begin anew. An epoch has at least one look.
local function begin_record(self, run)
  self.journal, self.history = journals.new(run, self.graph, self.measurements), {}
  self:ready()
  self.loop:take_mean()
  self.journal.taken = self.state.examples
  local batch = math.max(1, self.state.batch_size)
  local every = math.max(1, math.min(WATCHED, self.state.epoch_examples // batch))
  self.loop:watch_updates(run and every or 0)
end

---Whether a fit of this trainer is on the stack of a coroutine. One that waits within a fit and is
---dropped never comes to its end: then its fit is over once it is collected.
---@return boolean
function Engine:is_running()
  if self.fitting[1] then collectgarbage() end
  return self.fitting[1] ~= nil
end

---Trains for so long, from the end of the fit before (see marks.goal).
---@param length swale.Duration
---@param run table|nil
function Engine:fit(length, run)
  self.measurements:refuse "Trainer:fit"
  if self:is_running() then
    errors.misuse "Trainer:fit: already running: in a hook, a rule, or a coroutine that waits"
  end
  faults.refuse_spoiled(self, "Trainer:fit")
  duration.check(length, self.state.epoch_examples, "Trainer:fit")
  if run and run.interrupted then error(core.INTERRUPTED, 0) end
  local _ <close> = setmetatable({}, { __close = function() self.fitting = {} end })
  self.fitting = setmetatable({ coroutine.running() }, { __mode = "v" })
  if not self.journal or self.journal.run ~= run then begin_record(self, run) end
  local ok, fault = pcall(run_to, self, length)
  if not ok then faults.conclude(self, fault) end
end

return M
