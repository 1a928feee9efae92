--- Networks, data and training loops of the workloads.
local core = require "swale.core"

local M = {}

---@class swale.BenchNetwork
---@field name string
---@field make fun(zoo: swale.zoo): swale.Layer
---@field features integer[]   shape of an example
---@field examples integer     in memory
---@field batches integer[]    of training steps
---@field heavy? boolean       seconds a step: run only when it is named

local FLAT, MNIST, CIFAR = { 784 }, { 28, 28, 1 }, { 32, 32, 3 }

--- A block of MobileNetV2 (Sandler et al. 2018): expands six times, depthwise 3x3, projects.
local function inverted(from, to, stride)
  local nn = require "swale.nn"
  local wide, no_bias = 6 * from, { bias = false }
  return nn.Sequential { nn.Conv2d(from, wide, 1, no_bias), nn.BatchNorm(wide), nn.ReLU(),
    nn.Conv2d(wide, wide, 3, { stride = stride, padding = 1, groups = wide, bias = false }),
    nn.BatchNorm(wide), nn.ReLU(), nn.Conv2d(wide, to, 1, no_bias), nn.BatchNorm(to) }
end

local function mobile()
  local nn = require "swale.nn"
  return nn.Sequential { nn.Conv2d(3, 32, 3, { padding = 1, bias = false }), nn.BatchNorm(32),
    nn.ReLU(), nn.Residual { inverted(32, 32, 1) }, inverted(32, 64, 2),
    nn.Residual { inverted(64, 64, 1) }, nn.GlobalAvgPool(), nn.Linear(64, 10) }
end

---@type swale.BenchNetwork[]
M.NETWORKS = {
  { name = "logreg", make = function(zoo) return zoo.logreg() end, features = FLAT,
    examples = 60000, batches = { 1, 32, 256, 4096 } },
  { name = "mlp_small", make = function(zoo) return zoo.mlp_small() end, features = FLAT,
    examples = 60000, batches = { 8, 32, 256 } },
  { name = "mlp_800", make = function(zoo) return zoo.mlp() end, features = FLAT,
    examples = 60000, batches = { 32, 256 } },
  { name = "mlp_F1", make = function(zoo) return zoo.F1() end, features = FLAT,
    examples = 60000, batches = { 32, 256, 6000 } },
  { name = "mlp_F1_nobn", make = function(zoo) return zoo.F1 { norm = "none" } end,
    features = FLAT, examples = 60000, batches = {} },
  { name = "lenet", make = function(zoo) return zoo.lenet5() end, features = MNIST,
    examples = 60000, batches = { 64 } },
  { name = "cnn_small", make = function(zoo) return zoo.cnn_small() end, features = CIFAR,
    examples = 50000, batches = { 64, 256 } },
  { name = "cnn_small_nobn", make = function(zoo) return zoo.cnn_small { norm = "none" } end,
    features = CIFAR, examples = 50000, batches = {} },
  { name = "mobile_blocks", make = mobile, features = CIFAR, examples = 50000, batches = { 16 } },
  { name = "resnet20_cifar", make = function(zoo) return zoo.resnet20() end, features = CIFAR,
    examples = 50000, batches = { 128 }, heavy = true },
  { name = "vgg16_cifar", features = CIFAR, examples = 50000, batches = { 128 }, heavy = true,
    make = function(zoo) return zoo.vgg16 { norm = "batch", hidden = {} } end },
}

---@param name string
---@return swale.BenchNetwork
function M.named(name)
  for _, network in ipairs(M.NETWORKS) do
    if network.name == name then return network end
  end
  error("bench: no network " .. name)
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

local DRAWN <const> = 1000 -- different examples: more take seconds and change no time

---@param network swale.BenchNetwork
---@param n integer
---@return swale.Tensor x, swale.Tensor y   N(0, 1), and labels of 10 classes
function M.examples(network, n)
  local random, x = core.random(0, "bench"), core.zeros { n, table.unpack(network.features) }
  local drawn = math.min(n, DRAWN)
  random:fill_normal(x:narrow(1, 1, drawn), 0, 1)
  for first = drawn + 1, n, drawn do
    local count = math.min(drawn, n - first + 1)
    x:narrow(1, first, count):copy(x:narrow(1, 1, count))
  end
  return x, M.labels(random, n, 10)
end

local kept = {} -- one set of data for all workloads of a shape

---Returns the data of a network's workloads: as many examples as they keep in memory.
---@param network swale.BenchNetwork
---@return swale.Source
function M.source(network)
  if kept.features ~= network.features then
    kept.features, kept.source = network.features, nil
    collectgarbage()
    local x, y = M.examples(network, network.examples)
    kept.source = core.source { x = x, y = y, classes = 10, shaped = true }
  end
  return kept.source
end

---Returns the graph of a network and cross-entropy, as trainers compile it, and an instance.
---@param network swale.BenchNetwork
---@param mode? "train"|"eval"    train
---@return swale.CompiledGraph graph, swale.Model model
function M.compiled(network, mode)
  local model = network.make(require "swale.zoo"):build { seed = 0 }
  return require("swale.compile").graph(model.layer, require("swale.loss").cross_entropy,
    { features = network.features, labels = true }, mode or "train", mode == "eval"), model
end

---A network on n examples, as measurements take it.
---@param name string
---@param n integer
---@return swale.Model model, swale.Batch sample, swale.Subject subject
function M.subject(name, n)
  local subjects, network = require "swale.measure.subject", M.named(name)
  local model = network.make(require "swale.zoo"):build { seed = 0 }
  local x, y = M.examples(network, n)
  local sample = { x = x, y = y }
  local o = require("swale.options").check("bench",
    { loss = require("swale.loss").cross_entropy }, subjects.spec {})
  return model, sample, subjects.of("bench", model, sample, o)
end

---A function that makes one training step: gathers a batch, computes loss and gradient, updates
---(SGD, lr 0.01, momentum 0.9).
---@param network swale.BenchNetwork
---@param batch integer
---@return fun() step, integer parameters
function M.stepper(network, batch)
  local graph, model = M.compiled(network)
  local loop = core.loop { program = graph:train(), weights = model:weights(),
    buffers = model:buffers(), source = M.source(network), seed = 0 }
  loop:set("lr", 0.01)
  loop:set("momentum", 0.9)
  loop:set("batch_size", batch)
  return function() assert(loop:advance(1)) end, #model:weights()
end

---@class swale.BenchProduct
---@field rows integer     of one example: 1, or the pixels of a convolution's output
---@field from integer     terms of each sum
---@field to integer

---The products that a forward pass of one example consists of, in the order of the layers: those
---with the weights of linear layers and convolutions, (out, …), the only ones of several
---dimensions.
---@param network swale.BenchNetwork
---@return swale.BenchProduct[]
function M.products(network)
  local layer, list = network.make(require "swale.zoo"), {}
  local rows = require("swale.check.layers").rows(layer, { features = network.features })
  for _, row in ipairs(rows) do
    local weight = row.layer:parameters()[1]
    if weight and #weight.shape > 1 then
      local terms, pixels = 1, 1
      for i = 2, #weight.shape do terms = terms * weight.shape[i] end
      for i = 2, #row.output - 1 do pixels = pixels * row.output[i] end
      list[#list + 1] = { from = terms, to = weight.shape[1], rows = pixels }
    end
  end
  return list
end

---Multiply-adds of a forward pass of one example: of all layers, and of the first one with weights.
---@param network swale.BenchNetwork
---@return integer all, integer first
function M.multiply_adds(network)
  local all, first = 0, nil
  for _, p in ipairs(M.products(network)) do
    local n = p.rows * p.from * p.to
    all, first = all + n, first or n
  end
  return all, first
end

---Floating-point operations of a gradient: forward, weight gradients, and input gradients but for
---the first layer's; two a multiply-add.
---@param network swale.BenchNetwork
---@param batch integer
---@return integer
function M.flops(network, batch)
  local all, first = M.multiply_adds(network)
  return 2 * batch * (3 * all - first)
end

---Those of a Hessian product, in products of a layer's size: forward 1 and its derivative in the
---direction 2, input gradient 1 and its derivative 2, derivative of the weight gradient 2. Of the
---first layer, whose input does not vary: 1, 1, 0, 0, 1.
---@param network swale.BenchNetwork
---@param batch integer
---@return integer
function M.hessian_flops(network, batch)
  local all, first = M.multiply_adds(network)
  return 2 * batch * (8 * all - 5 * first)
end

return M
