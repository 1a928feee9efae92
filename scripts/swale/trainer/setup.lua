--- Combines and checks the options of a trainer and its optimizer.
local core = require "swale.core"
local entry = require "swale.entry"
local errors = require "swale.errors"
local groups = require "swale.trainer.groups"
local hyper = require "swale.trainer.hyper"
local micro = require "swale.trainer.micro"

local M = {}

--- The value of an option that the trainer or the optimizer may have, but not both.
local function either(o, optimizer, name)
  local theirs = optimizer[name]
  if o[name] ~= nil and theirs ~= nil and theirs ~= 0 then
    errors.misuse("Trainer: %s is given twice, here and in the optimizer", name)
  end
  if o[name] ~= nil then return o[name] end
  if theirs ~= nil then return theirs end
  return optimizer.defaults[name]
end

---Raises for settings that an optimizer cannot have.
---@param settings table<swale.Hyper, swale.Hyperparameter>
---@param optimizer swale.Optimizer
---@return table<swale.Hyper, swale.Hyperparameter> settings
function M.check(settings, optimizer)
  for _, name in ipairs(hyper.NAMES) do hyper.check(name, settings[name], optimizer) end
  if optimizer.nesterov and settings.momentum == 0 then
    errors.misuse("Trainer: nesterov needs a momentum above 0")
  end
  return settings
end

---Returns the hyperparameters, from the trainer's options and the optimizer's.
---@param o swale.TrainerOptions
---@param optimizer swale.Optimizer
---@return table<swale.Hyper, swale.Hyperparameter>
function M.settings(o, optimizer)
  local settings = {}
  for _, name in ipairs(hyper.NAMES) do settings[name] = either(o, optimizer, name) end
  if settings.lr == nil then
    errors.misuse("Trainer: needs lr, a number, a schedule or a function of the state")
  end
  return M.check(settings, optimizer)
end

--- The batch size that lr is given for.
local function reference(o, settings)
  if o.lr_scaling == "none" then
    if o.reference_batch then errors.misuse "Trainer: reference_batch goes with lr_scaling" end
    return nil
  end
  local batch = settings.batch_size
  if o.reference_batch then return o.reference_batch end
  if type(batch) == "number" then return math.max(1, math.floor(batch)) end
  if type(batch) == "table" and batch.initial then return batch.initial end
  if type(batch) == "table" and batch.native then return batch:at(0) end
  errors.misuse("Trainer: lr_scaling needs a reference_batch where batch_size is a function")
end

--- Samplers, and what the loop calls them.
local ORDERS <const> = { { "shuffle", "shuffled" }, { "independent", "independent" },
  { "sequential", "sequential" } }

---Names of the samplers.
M.SAMPLERS = {}

local order_of <const> = {}
for i, row in ipairs(ORDERS) do M.SAMPLERS[i], order_of[row[1]] = row[1], row[2] end

--- Examples to train on: a list of positions from 1, or an int32 tensor from 0.
local function subset(o, n)
  if not o.subset or core.type(o.subset) == "tensor" then return o.subset end
  local index = {}
  for i, position in ipairs(o.subset) do
    if math.type(position) ~= "integer" or position < 1 or position > n then
      errors.misuse("Trainer: subset: position %s (entry %d) is not in 1 … %d",
        errors.shown(position), i, n)
    end
    index[i] = position - 1
  end
  if #index == 0 then errors.misuse "Trainer: subset: no examples" end
  return core.tensor(index, "int32")
end

---Returns the fixed options of the loop: parameter groups, order of examples, clipping, batches.
---@param o swale.TrainerOptions
---@param optimizer swale.Optimizer
---@param settings table<swale.Hyper, swale.Hyperparameter>
---@param graph swale.CompiledGraph
---@param uneven swale.Uneven|nil
---@return table
function M.fixed(o, optimizer, settings, graph, uneven)
  local list = either(o, optimizer, "groups")
  if list and optimizer.step then
    errors.misuse "Trainer: groups are for native optimizers: a Lua function has the whole vector"
  end
  local segments = groups.segments(graph.segments, list)
  graph:freeze(segments)
  return { segments = segments, order = order_of[o.sampler],
    subset = subset(o, #o.data.train.source),
    micro_batch = micro.size(o.micro_batch, graph, settings.batch_size, uneven),
    coupling = o.lr_scaling, reference_batch = reference(o, settings),
    max_norm = either(o, optimizer, "clip_norm") }
end

--- A split's targets in words: "labels", "targets (2)".
local function target_text(split)
  if not split.y then return "neither labels nor targets" end
  local shape = errors.shape_text(table.move(split.y:shape(), 2, split.y:ndim(), 1, {}))
  if split.y:dtype() == "float32" then return "targets " .. shape end
  return split.y:ndim() == 1 and "labels" or "labels " .. shape
end

--- Raises if a split's targets differ in kind from those of data.train.
local function check_like_train(data, name)
  local split = data[name]
  if not split then return end
  if type(split) ~= "table" or core.type(split.source) ~= "source" then
    errors.misuse("Trainer: data.%s is not a split; sw.data.load and from_tensors make data", name)
  end
  local found, wanted = target_text(split), target_text(data.train)
  if found ~= wanted then
    errors.misuse("Trainer: data.train has %s, but data.%s has %s", wanted, name, found)
  end
end

local function check_data(data)
  local train = data.train
  if type(train) ~= "table" or core.type(train.source) ~= "source" then
    errors.misuse("Trainer: data has no train split; sw.data.load and from_tensors make data")
  elseif not train.y then
    errors.misuse("Trainer: data.train has neither labels nor targets")
  end
  check_like_train(data, "valid")
  check_like_train(data, "test")
  return train
end

---Returns the shapes and types of an example, for the graph.
---@param data swale.Data
---@param layer swale.Layer
---@return swale.Example
function M.example(data, layer)
  local train = check_data(data)
  local target = train.y:shape()
  table.remove(target, 1)
  local rows = train.source:shape()
  return { rows = rows, features = entry.features(layer, rows, data.shape),
    index = train.vocabulary ~= nil,
    labels = train.y:dtype() ~= "float32", target = target }
end

---Raises if the model has fewer outputs than the data has classes.
---@param graph swale.CompiledGraph
---@param data swale.Data
function M.check_outputs(graph, data)
  local outputs = graph.hit and graph.output:shape()[graph.output:ndim()]
  if graph.hit and graph.loss_facts.one_output then
    if data.classes ~= 2 then
      errors.misuse("Trainer: loss.logistic takes labels of two classes, the data has %d",
        data.classes)
    end
    return
  end
  if outputs == 1 and data.classes == 2 then
    if not graph.loss_facts.name then return end -- a loss of the user's own
    errors.misuse("Trainer: the model has 1 output, the data 2 classes: loss = sw.loss.logistic"
      .. " tells them by its sign, or the model has 2 outputs")
  elseif outputs and data.classes and outputs < data.classes then
    errors.misuse("Trainer: the model has %d outputs, the data %d classes", outputs, data.classes)
  end
end

return M
