--- What all experiments of this folder share: a subset of the training images, drawn anew for each
--- seed, and a network of one hidden layer.
local sw = require "swale"

local M = {}

---The data set `name` with `examples` training images, drawn by the seed of the run. Validation and
---test sets are whole.
---@param name string
---@param examples integer
---@param seed integer
---@return swale.Data
function M.data(name, examples, seed)
  local data = sw.data.load(name)
  return data:subset { n = math.min(examples, #data.train), seed = seed }
end

---features-64-classes.
---@param data swale.Data
---@param o? { norm?: fun(width: integer): swale.Layer, activation?: swale.Layer }
---@return swale.Layer
function M.network(data, o)
  o = o or {}
  local layers = { sw.nn.Linear(data.features, 64) }
  if o.norm then layers[#layers + 1] = o.norm(64) end
  layers[#layers + 1] = o.activation or sw.nn.ReLU()
  layers[#layers + 1] = sw.nn.Linear(64, data.classes)
  return sw.nn.Sequential(layers)
end

---Loss and accuracy of weights on a split, as plain numbers for run:summary.
---@param trainer swale.Trainer
---@param which string|swale.Tensor   "last", an average, or weights
---@param on string
---@return { loss: number, accuracy: number }
function M.metrics(trainer, which, on)
  local found = trainer:evaluate(which, { on = on })
  return { loss = found.loss, accuracy = found.accuracy }
end

---What can mislead about a test accuracy: the train loss at the end, the updates made.
---@param trainer swale.Trainer
---@return { train_loss: number, updates: integer, examples: integer }
function M.beside(trainer)
  local s = trainer:state()
  return { train_loss = trainer:evaluate("last", { on = "train" }).loss, updates = s.step,
    examples = s.examples }
end

return M
