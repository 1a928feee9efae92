--- A training as it runs: the loop, what is asked before each step, what is due after it.
local core = require "swale.core"
local errors = require "swale.errors"
local estimate = require "swale.estimate"
local hyper = require "swale.trainer.hyper"
local journals = require "swale.trainer.journal"
local marks = require "swale.trainer.marks"
local metrics = require "swale.trainer.metrics"
local states = require "swale.trainer.state"

local M = {}

---@class swale.Engine
---@field model swale.Model
---@field weights swale.Tensor
---@field data table
---@field graph swale.CompiledGraph
---@field optimizer swale.Optimizer
---@field settings table<swale.Hyper, swale.Hyperparameter>
---@field average swale.SWA|nil
---@field noise { every: integer, target: string }|nil
---@field seed integer
---@field eval_batch integer
---@field record swale.Duration
---@field state swale.State
---@field best { weights: swale.Tensor, metrics: swale.Metrics, epoch: number }|nil
---@field loop swale.Loop|nil      made at the first step
local Engine = {}
Engine.__index = Engine

---@param fields table
---@return swale.Engine
function M.new(fields)
  fields.weights, fields.state, fields.running = fields.model:weights(), states.new(), false
  return setmetatable(fields, Engine)
end

-- ------------------------------------------------------------------ the loop

local function make_loop(self)
  self.train_program = self.train_program or self.graph:train()
  if self.noise then self.measured_program = self.measured_program or self.graph:measured() end
  local loop = core.loop {
    program = self.train_program, measured = self.measured_program, weights = self.weights,
    source = self.data.train.source, seed = self.seed, dampening = self.optimizer.dampening,
    nesterov = self.optimizer.nesterov,
  }
  if self.noise then
    loop:measure_noise(self.noise.every, self.noise.target)
    self.state.noise_scale = estimate.new()
  end
  self.loop = loop
end

--- Reads the loop's state; a function that has not spoken yet has set nothing.
local function read_state(self)
  local s = self.loop:state(self.state)
  if s.step == 0 then
    for _, rule in ipairs(self.rules) do
      if rule.value == hyper.UNSPOKEN then s[rule.name] = 0 / 0 end
    end
  end
  return s
end

---The loop, ready: made if it is not there, with the present settings.
---@return swale.Loop
function Engine:ready()
  if not self.loop then make_loop(self) end
  if not self.rules then
    self.rules, self.stepwise = hyper.attach(self.loop, self.settings)
    read_state(self)
  end
  return self.loop
end

---Takes a new setting; it holds from the next step on.
---@param name swale.Hyper
---@param value swale.Hyperparameter
function Engine:set(name, value)
  hyper.check(name, value)
  self.settings[name] = value
  if not self.rules then return end
  self.rules, self.stepwise = hyper.replace(self.loop, self.settings, self.rules, name)
end

---Measures the noise scale every so many steps.
---@param every integer
---@param target string
function Engine:measure(every, target)
  self.graph:norms()
  self.noise = { every = every, target = target }
  if self.loop and not self.measured_program and self.state.step > 0 then
    errors.misuse("Trainer:measure: ask before the first step: the programs are made for it")
  elseif self.loop and not self.measured_program then
    self.loop, self.rules = nil, nil
  elseif self.loop then
    self.loop:measure_noise(every, target)
  end
end

-- ------------------------------------------------------------------ what is due

local function evaluate(self, weights, on)
  return metrics.evaluate(self.graph, weights, self.data[on].source, self.eval_batch, on)
end

local function keep_best(self, found)
  if not metrics.is_better(found, self.best and self.best.metrics) then return end
  local weights = self.best and self.best.weights:copy(self.weights) or self.weights:clone()
  self.best = { weights = weights, metrics = found, epoch = self.state.epoch }
end

local function has_captures(self) return self.average and self.average.count > 0 end

local function end_epoch(self)
  local s, journal = self.state, self.journal
  journal:step(s, self.loop)
  local line = { lr = s.lr, batch_size = s.batch_size }
  if journal.run then line.loss = journal:epoch_loss() end
  if self.data.valid then
    local found = evaluate(self, self.weights, "valid")
    line.valid_loss, line.valid_accuracy = found.loss, found.accuracy
    keep_best(self, found)
    if has_captures(self) then
      local swa = evaluate(self, self.average:weights(), "valid")
      line.swa_valid_loss, line.swa_valid_accuracy = swa.loss, swa.accuracy
    end
  end
  journal:event("epoch", s, line)
  journal:checkpoint(s, self.weights, self.loop, self.average)
end

--- Marks that lie after the start capture; on another scale than the start's, positions do.
local function is_after_start(average, at, s, epoch_examples)
  local start = average.start
  if (start.unit == "steps") == (average.every.unit == "steps") then
    return at > (start:examples(epoch_examples) or start.amount) + 1e-6
  end
  local position = start.unit == "steps" and s.step or s.examples
  return position > (start:examples(epoch_examples) or start.amount)
end

local function capture(self, at)
  local average, s = self.average, self.state
  if not average then return end -- taken away meanwhile
  if not is_after_start(average, at, s, #self.data.train.source) then return end
  average:update(self.weights)
  self.journal:event("capture", s, { n = average.count })
end

local function record(self)
  self.journal:step(self.state, self.loop)
  self.journal:progress(self.state, self.target)
end

--- In the order in which they fire at one mark: a capture comes before the epoch's end tells of it.
local function plan(self)
  local n, s, list = #self.data.train.source, self.state, {}
  local function add(every, f)
    list[#list + 1] = marks.repeating(every, n, s, function(at) f(self, at) end)
  end
  if self.average then add(self.average.every, capture) end
  add(self.record, record)
  add(require("swale.duration").of { epochs = 1 }, end_epoch)
  list[#list + 1] = self.target
  return list
end

-- ------------------------------------------------------------------ steps

local function number_text(x)
  if x ~= x then return "NaN" end
  return x == math.huge and "infinite" or ("%.4g"):format(x)
end

--- The words for a loss that is not finite; what led there is kept first.
local function diverge(self)
  local s = self.state
  local last = s.step > 0 and ("last finite %.4g at step %d; lr %.4g, gradient norm %.2g"):format(
    s.loss, s.step, s.lr, s.grad_norm) or ("at the first step; lr %.4g"):format(s.lr)
  self.journal:step(s, self.loop)
  self.journal:checkpoint(s, self.weights, self.loop, self.average)
  error(errors.diverged(("step %d: the loss is %s (%s)."):format(s.step + 1,
    number_text(rawget(s, "bad_loss") or 0 / 0), last)), 0)
end

local function stopped(self, why, message, code)
  if why == "interrupted" then error(core.INTERRUPTED, 0) end
  if code == "ENAN" then diverge(self) end
  if code == "ENOMEM" then
    message = ("%s; a batch has %d examples"):format(message, self.state.batch_size)
  end
  errors.environment(message, code)
end

local function note_batch(self, s)
  local from = self.last_batch
  self.last_batch = s.batch_size
  if not from then return end
  self.journal:step(s, self.loop)
  self.journal:event("batch_size", s, { from = from, to = s.batch_size })
end

local function note_noise(self, s)
  self.measurements = s.noise_measurements
  s.noise_scale:update(self.loop:noise())
end

--- Steps until the target fires. Short, for it runs once a step where a rule is a Lua function.
local function drive(self, list)
  local s, loop = self.state, self.loop
  local next_step, next_examples = marks.nearest(list, "step"), marks.nearest(list, "examples")
  while not self.reached do
    hyper.ask(self.rules, s, loop)
    local why, message, code = loop:advance(self.stepwise and 1 or next_step - s.step,
      next_examples)
    loop:state(s)
    if not why or why == "interrupted" then stopped(self, why, message, code) end
    if self.noise and s.noise_measurements ~= self.measurements then note_noise(self, s) end
    if s.batch_size ~= self.last_batch then note_batch(self, s) end
    if s.step >= next_step or s.examples >= next_examples then
      marks.fire(list, s)
      next_step, next_examples = marks.nearest(list, "step"), marks.nearest(list, "examples")
    end
  end
end

local function run_to(self, length)
  self:ready()
  local s = self.state
  local scale = length.unit == "steps" and "step" or "examples"
  local amount = length:examples(#self.data.train.source) or length.amount
  self.reached = amount <= 0
  self.target = marks.once(scale, s[scale] + amount, function() self.reached = true end)
  drive(self, plan(self))
  self.journal:step(s, self.loop)
  self.journal:checkpoint(s, self.weights, self.loop, self.average)
end

--- An interrupt ends a training in good order: what there is, is written. The run remembers, so
--- that a script which catches the error does not go on to its next training.
local function conclude(self, fault)
  if fault ~= core.INTERRUPTED then error(fault, 0) end
  core.clear_interrupt()
  if self.journal.run then self.journal.run.interrupted = true end
  if self.loop and self.state.step > 0 then
    self.loop:state(self.state)
    self.journal:step(self.state, self.loop)
    self.journal:checkpoint(self.state, self.weights, self.loop, self.average)
  end
  error(fault, 0)
end

---Trains for so long, from where it is.
---@param length swale.Duration
---@param run table|nil
function Engine:fit(length, run)
  if self.running then errors.misuse("Trainer:fit: already running") end
  if run and run.interrupted then error(core.INTERRUPTED, 0) end
  local _ <close> = setmetatable({}, { __close = function() self.running = false end })
  self.running = true
  if not self.journal or self.journal.run ~= run then
    self.journal = journals.new(run, self.graph.segments)
    if self.loop then
      self.loop:take_mean()
      self.journal.taken = self.state.examples
    end
  end
  local ok, fault = pcall(run_to, self, length)
  if not ok then conclude(self, fault) end
end

return M
