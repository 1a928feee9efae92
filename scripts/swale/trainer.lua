--- The Trainer: a model, data, and hyperparameters that may change during the training.
local additive = require "swale.trainer.additive"
local averages = require "swale.trainer.averages"
local class = require "swale.class"
local compile = require "swale.compile"
local create = require "swale.create"
local duration = require "swale.duration"
local engines = require "swale.trainer.engine"
local errors = require "swale.errors"
local hooks = require "swale.trainer.hooks"
local hyper = require "swale.trainer.hyper"
local lengths = require "swale.trainer.lengths"
local loss = require "swale.loss"
local metrics = require "swale.trainer.metrics"
local models = require "swale.model"
local optim = require "swale.optim"
local options = require "swale.options"
local savings = require "swale.trainer.saving"
local selection = require "swale.trainer.selection"
local setup = require "swale.trainer.setup"
local states = require "swale.trainer.state"
local statistics = require "swale.trainer.statistics"

local M = {}

---@class swale.TrainerOptions
---@field model swale.Layer|swale.Model       a description, or an instance, whose weights it trains
---@field data swale.Data
---@field loss? swale.LossFunction            loss.cross_entropy
---@field optimizer? swale.Optimizer|function   optim.SGD {}; a function: see optim.of
---@field lr? swale.Hyperparameter            required, here or in the optimizer
---@field batch_size? swale.Hyperparameter    32; rounded down to a whole number
---@field momentum? swale.Hyperparameter      here or in the optimizer; for Adam: beta1
---@field weight_decay? swale.Hyperparameter  likewise
---@field clip_norm? number                   likewise: gradients are scaled down to this norm
---@field groups? swale.ParameterGroup[]      likewise: factors of rate and decay; frozen ones
---@field lr_scaling? "none"|"linear"|"sqrt"  lr times batch_size / reference_batch, or its root
---@field reference_batch? integer            the batch size at the start
---@field micro_batch? integer|swale.MicroBatch   most examples computed at a time; nil: all
---@field sampler? "shuffle"|"independent"|"sequential"   shuffle; independent: with replacement
---@field subset? integer[]|swale.Tensor      the examples of data.train to train on
---@field average? swale.Averaging|table      one, or several: { SWA {}, ema = EMA {} }
---@field measure? table<string, any>          by name: how often, { every =, … }, or a measurement
---@field seed? integer                       of the initial weights and the order of examples
---@field eval_batch? integer                 for evaluation and re-estimation; 1000
---@field batch_norm? swale.BatchNormMethod   statistics of averages: "pooled"; see new
---@field record? swale.DurationLike          between lines of metrics; 10 steps

---@class swale.Trainer
---@field model swale.Model
---@field data swale.Data
---@field average swale.Averaging|table|nil   may be set
---@field lr swale.Hyperparameter             may be set; so may the next three
---@field batch_size swale.Hyperparameter
---@field momentum swale.Hyperparameter
---@field weight_decay swale.Hyperparameter
local Trainer = { __name = "swale.Trainer" }
local methods = setmetatable({}, { __newindex = class.checking("trainer", Trainer) })

local HYPER = "number|Schedule|Rule|function"
local OPTIONS = {
  model = "Layer|Model", data = "table", loss = { "function", loss.cross_entropy },
  optimizer = "Optimizer|function?",
  clip_norm = "positive?", groups = "table?",
  lr_scaling = { choice = { "none", "linear", "sqrt" }, "none" }, reference_batch = "positive?",
  micro_batch = "count|table?", subset = "table|tensor?", average = "any?",
  sampler = { choice = setup.SAMPLERS, "shuffle" },
  measure = "table?", seed = "integer?", eval_batch = { "count", 1000 },
  batch_norm = { choice = statistics.METHODS, "pooled" },
  record = { "period", duration.of { steps = 10 } },
}
for _, name in ipairs(hyper.NAMES) do OPTIONS[name] = HYPER .. "?" end
OPTIONS.batch_size = { HYPER, 32 }

--- The graph for training, and the one for evaluation: the same if the layers have no modes.
local function compiled(model, o, example)
  local graph = compile.graph(model.layer, o.loss, example, "train")
  local other = graph
  if model.layer:has_modes() then
    other = compile.graph(model.layer, o.loss, example, "eval", true)
  end
  setup.check_outputs(graph, o.data)
  other.uneven = additive.check(other, model, o.data.train.source)
  metrics.check_batches(other, o.data.valid, o.eval_batch, "data.valid")
  return graph, other
end

local function optimizer_of(x)
  if type(x) ~= "function" then return x end
  for name, maker in pairs(optim) do
    if x == maker and not name:find "^%u" then
      errors.misuse("Trainer: optimizer: sw.optim.%s is none that takes batches", name)
    elseif x == maker then
      errors.misuse("Trainer: optimizer: sw.optim.%s has to be called: sw.optim.%s {}", name, name)
    end
  end
  return optim.of(x)
end

local function trainer_of(engine)
  engine.trainer = setmetatable({ engine = engine }, Trainer)
  return engine.trainer
end

---Makes a trainer. `lr`, `batch_size`, `momentum` and `weight_decay` take a number, a schedule, a
---function of the state, or sw.rule(initial, f). Functions are called before each step.
---The running statistics of batch norms belong to the weights that they were gathered with. For
---averages, and for vectors given to evaluate, they are re-estimated on the training set by the
---method `batch_norm` (see model:reestimate); with "running" those of the last weights are used.
---Re-estimation is a pass over the training set, made once for each state of an average. The
---checkpoint at the end of a fit contains the statistics.
---@param o swale.TrainerOptions
---@return swale.Trainer
function M.new(o)
  o = options.check("Trainer", o, OPTIONS)
  local optimizer = optimizer_of(o.optimizer or optim.SGD {})
  local settings = setup.settings(o, optimizer)
  local seed = o.seed or create.default_seed()
  local model = models.of("Trainer", o.model, seed)
  model.loss = o.loss
  local example = setup.example(o.data, model.layer)
  local graph, eval_graph = compiled(model, o, example)
  local engine = engines.new {
    model = model, data = o.data, loss = o.loss, optimizer = optimizer, settings = settings,
    graph = graph, eval_graph = eval_graph, example = example, batch_norm = o.batch_norm,
    average = o.average, seed = seed,
    fixed = setup.fixed(o, optimizer, settings, graph, eval_graph.uneven),
    eval_batch = o.eval_batch, record = duration.every(o.record),
  }
  for _, name in ipairs(errors.sorted_keys(o.measure or {})) do
    engine:measure(name, o.measure[name])
  end
  return trainer_of(engine)
end

-- ------------------------------------------------------------------ fields

local ENGINE_FIELDS = { model = true, data = true, seed = true }

local function all_names()
  local list = { "average", table.unpack(hyper.NAMES) }
  for name in pairs(ENGINE_FIELDS) do list[#list + 1] = name end
  for name in pairs(methods) do list[#list + 1] = name end
  return list
end

function Trainer:__index(key)
  if methods[key] then return methods[key] end
  local engine = rawget(self, "engine")
  if key == "model" and engine.measurements.running then return engine.measurements:model() end
  if ENGINE_FIELDS[key] then return engine[key] end
  if key == "average" then return engine.evaluator.average end
  if type(key) == "string" and key:find "^__" then return nil end
  if engine.settings[key] == nil then errors.no_name("the trainer has", key, all_names()) end
  return engine.settings[key]
end

local SETTABLE = table.move(hyper.NAMES, 1, #hyper.NAMES, 1, {})
SETTABLE[#SETTABLE + 1] = "average"

function Trainer:__newindex(key, value)
  local engine = rawget(self, "engine")
  if key == "average" then
    engine.measurements:refuse "trainer.average"
    local list = averages.list(value)
    lengths.of_averages(list, engine.state.epoch_examples)
    engine.evaluator:set_average(value, list)
  elseif hyper.is_name(key) then
    engine:set(key, options.value("Trainer", key, value, HYPER))
  else
    errors.misuse("Trainer: %s cannot be set%s It takes: %s.", errors.shown(key),
      errors.suggestion(key, SETTABLE), table.concat(SETTABLE, ", "))
  end
end

function Trainer:__tostring()
  local engine = rawget(self, "engine")
  return ("Trainer of %s at step %d"):format(tostring(engine.model), self:state().step)
end

-- ------------------------------------------------------------------ methods

local FIT = { epochs = "positive?", steps = "count?", examples = "count?", run = "Run?",
  until_ = "function?", checkpoints = "table?" }

---Trains: `fit { epochs = 12 }`, or steps, or examples. Another fit continues from the end of the
---one before: ten fits of an epoch make the updates of one fit of ten epochs, although a batch may
---cross each end; a fit whose end has passed already makes none. After an interrupt, a fault or a
---restore it continues from the trainer's position. With `run` the training is recorded there.
---`until_` is a function of the state that is called after each update and its events. The fit ends
---when it returns true, or a text, which is recorded as the reason (see stop):
---    trainer:fit { epochs = 50, until_ = function(s) return s.loss < 0.01 end }
---With `run`, checkpoints are written at the ends of epochs and fits, on SIGUSR1, and wherever
---`checkpoints.seconds` have passed (600). The last two stay, and with `keep = "log"` those after
---1, 2, 4, 8, … updates: `fit { epochs = 50, run = run, checkpoints = { keep = "log" } }`.
---@param o { epochs?: number, steps?: integer, examples?: integer, run?: swale.Run,
---until_?: (fun(s: swale.State): boolean|string|nil), checkpoints?: swale.CheckpointOptions }
---@param ... nil   refused: a run goes into o
---@return swale.Trainer self
function methods:fit(o, ...)
  if select("#", ...) > 0 then
    errors.misuse("Trainer:fit: called as trainer:fit { epochs = 12, run = run }")
  elseif type(o) == "number" then
    o = { epochs = o }
  end
  o = options.check("Trainer:fit", o, FIT)
  local length = { epochs = o.epochs, steps = o.steps, examples = o.examples }
  if not next(length) then
    errors.misuse("Trainer:fit: how long? fit { epochs = 12 }, or steps, or examples")
  end
  self.engine:fit(duration.of(length, "Trainer:fit"), o.run, o.until_,
    savings.check("Trainer:fit", o.checkpoints))
  return self
end

---Ends the present fit early, from a hook or a rule. The fit ends after the update that was made
---last, or the one that the rule was called for: events that are due there happen, the reason is
---recorded, the last checkpoint is written, hooks of "end" are called, and fit returns. Another fit
---continues from there. Raises where no fit is running, and in a measurement, which changes no
---training: give fit an until_ that reads its value.
---@param reason? string
function methods:stop(reason)
  self.engine:stop(options.value("Trainer:stop", "reason", reason, "string?") or "trainer:stop()")
end

---Returns why the last fit ended early; nil if it reached its end.
---@return string|nil
function methods:stopped() return self.engine.stopped or nil end

---@class swale.ForkOptions
---@field lr? swale.Hyperparameter            instead of the original's; so are all that follow
---@field batch_size? swale.Hyperparameter
---@field momentum? swale.Hyperparameter
---@field weight_decay? swale.Hyperparameter
---@field average? swale.Averaging|table      starts empty; {}: none
---@field measure? table<string, any>         {}: none; those that the original has go on
---@field seed? integer                       other batches and random numbers from here on

local FORK = { average = "any?", measure = "table?", seed = "integer?" }
for _, name in ipairs(hyper.NAMES) do FORK[name] = HYPER .. "?" end

---Returns a copy of the trainer at its position, a trainer of its own:
---`trainer:fork { lr = 0.01 }:fit { epochs = 1 }`. It has copies of weights, running statistics,
---the optimizer's state, averages, best weights, measurements and memories of rules. It continues
---with the same batches and random numbers (unless seed is given), so that two forks differ in
---their settings alone; without options it continues as the original would, bit for bit.
---Data, programs and functions are shared; hooks and the record stay with the original, which its
---forks do not change. Not copied: upvalues of functions, and random streams that functions keep.
---`m.start` of a measurement that the original did not have is the weights at the fork. May be
---called in hooks, rules and measurements; in a measurement the fork has no measurements at marks.
---@param o? swale.ForkOptions
---@return swale.Trainer
function methods:fork(o)
  o = options.check("Trainer:fork", o, FORK)
  return trainer_of(require("swale.trainer.fork").of(self.engine, o))
end

---Returns to a checkpoint: `trainer:restore(sw.load "runs/…/step-00000400.safetensors")`.
---Restores all that the file has: weights, running statistics, the optimizer's state, the position,
---memories of rules, averages, the best weights, measurements. Seed, order and settings stay those
---of this trainer. Rules, averages and measurements that the file does not have start again. Raises
---for a checkpoint of another model or optimizer, and changes nothing.
---@param saved table<string, swale.Tensor>    the tensors of the file
---@param metadata table<string, string>
---@return swale.Trainer self
function methods:restore(saved, metadata)
  require("swale.trainer.resume").take(self.engine, saved, metadata)
  return self
end

---Plans a fit from the present position without training: updates, examples, batch sizes, bytes.
---@param o { epochs?: number, steps?: integer, examples?: integer }
---@return swale.Plan
function methods:plan(o) return require("swale.trainer.plan").of(self.engine, o) end

---@class swale.EvaluateOptions
---@field on? "train"|"valid"|"test"|swale.Split   "valid"; without one, "train"
---@field batch_norm? swale.BatchNormMethod   for averages and vectors: the trainer's; for the last
---and the best weights: the statistics that they were trained with
---@field buffers? swale.Tensor     running statistics to use, such as those of a checkpoint

local EVALUATE = { on = "any?", batch_norm = { choice = statistics.METHODS },
  buffers = "tensor?" }

---Computes loss and accuracy of weights on a split.
---@param which? "last"|"best"|string|swale.Tensor   "last"; or an average: "swa", "ema", "last_k"
---@param o? swale.EvaluateOptions
---@return swale.Metrics
function methods:evaluate(which, o)
  o = options.check("Trainer:evaluate", o, EVALUATE)
  local engine = self.engine
  local wanted = engine.buffers and engine.buffers:numel() or 0
  if o.buffers and o.buffers:numel() ~= wanted then
    errors.misuse("Trainer:evaluate: %d buffers, the model has %d", o.buffers:numel(), wanted)
  end
  local evaluator = engine.evaluator
  local weights, buffers = selection.weights(evaluator, engine.state, which,
    o.buffers and "running" or o.batch_norm)
  local split, name = selection.split(evaluator, o.on)
  return evaluator:evaluate(weights, o.buffers or buffers, split.source, name)
end

---Adds a measurement, before the first step, or changes the interval of one (that of a function
---from the next fit on):
---`trainer:measure("noise_scale", sw.every { steps = 20 })`.
---@param name string
---@param what any   how often; { every =, … }; or what sw.measurement makes
function methods:measure(name, what)
  if what == nil then errors.misuse("Trainer:measure: how often? sw.every { steps = 5 }") end
  self.engine:measure(name, what)
end

---Calls f(s, trainer, line) after each event of a kind: "step" (an update), "epoch", "capture",
---"batch_size" (a change), "end" (of a fit). line is the record of the event.
---@param event "step"|"epoch"|"capture"|"batch_size"|"end"
---@param f fun(s: swale.State, trainer: swale.Trainer, line?: table)
---@return swale.Trainer self
function methods:on(event, f)
  self.engine.measurements:refuse "Trainer:on"
  hooks.add(self.engine.hooks, event, f)
  self.engine:pace()
  return self
end

---Returns a copy of the state after the last step, as rules see it.
---@return swale.State
function methods:state()
  self.engine:ready()
  return states.copy(self.engine.state)
end

---Returns the epoch at whose end the weights were best on valid; nil before the first one.
---@return number|nil
function methods:best_epoch()
  local best = self.engine.evaluator.best
  return best and best.epoch
end

---Returns the flat weight vector that is trained, not a copy; in a measurement, a copy.
---@param ... nil    takes no argument: averages have weights of their own
---@return swale.Tensor
function methods:weights(...)
  if select("#", ...) > 0 then
    errors.misuse("Trainer:weights: the last weights, without an argument, not %s; those of an"
      .. " average are trainer.average:weights(), of several trainer.average.NAME:weights()",
      errors.shown((...)))
  end
  local weights = self.engine.weights
  return self.engine.measurements.running and weights:clone() or weights
end

---Prints a table of train loss, test loss and test accuracy: of the last weights, of the best on
---valid, the mean over the captured iterates, and of their average.
---@param run? swale.Run
---@return swale.ReportRow[]
function methods:report(run)
  run = options.value("Trainer:report", "run", run, "Run?")
  return require("swale.trainer.report").print(self, run)
end

return M
