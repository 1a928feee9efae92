--- What the workloads are made of: networks with ReLU between their layers, data, training loops.
local core = require "swale.core"

local M = {}

local EXAMPLES = 60000

---@param sizes integer[]   of the layers
---@return swale.Sequential
function M.model(sizes)
  local nn, layers = require "swale.nn", {}
  for i = 1, #sizes - 1 do
    layers[#layers + 1] = nn.Linear(sizes[i], sizes[i + 1])
    if i < #sizes - 1 then layers[#layers + 1] = nn.ReLU() end
  end
  return nn.Sequential(layers)
end

---@param random swale.Random
---@param n integer
---@param classes integer
---@return swale.Tensor   (n) int32
function M.labels(random, n, classes)
  local y = core.zeros({ n }, "int32")
  for i = 1, n do y:set(i, random:integer(classes) - 1) end
  return y
end

local kept = {} -- one set of data for all workloads of a shape

---60,000 examples of N(0, 1) features, with labels.
---@param features integer
---@param classes integer
---@return swale.Source
function M.source(features, classes)
  if kept.features ~= features then
    local random = core.random(0, "bench")
    local x = random:fill_normal(core.zeros { EXAMPLES, features }, 0, 1)
    kept.features = features
    kept.source = core.source { x = x, y = M.labels(random, EXAMPLES, classes), classes = classes }
  end
  return kept.source
end

---The graph of a network and cross-entropy, and an instance's weights.
---@param sizes integer[]
---@return swale.CompiledGraph graph, swale.Tensor weights
function M.compiled(sizes)
  local model = M.model(sizes):build { seed = 0 }
  return require("swale.compile").graph(model.layer, require("swale.loss").cross_entropy,
    { features = { sizes[1] }, labels = true }), model:weights()
end

---A function that makes one training step: gathers a batch, computes loss and gradient, updates
---(SGD, lr 0.01, momentum 0.9).
---@param sizes integer[]
---@param batch integer
---@return fun() step, integer parameters
function M.stepper(sizes, batch)
  local graph, weights = M.compiled(sizes)
  local loop = core.loop { program = graph:train(), weights = weights,
    source = M.source(sizes[1], sizes[#sizes]), seed = 0 }
  loop:set("lr", 0.01)
  loop:set("momentum", 0.9)
  loop:set("batch_size", batch)
  return function() assert(loop:advance(1)) end, #weights
end

return M
