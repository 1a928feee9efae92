local core = require "swale.core"
local lu = require "luaunit"
local segments = require "swale.segments"
local sw = require "swale"

TestZoo = {}

local function weights(layer) return segments.size((segments.of(layer))) end

-- ------------------------------------------------------------------ how many parameters

-- By hand, for each part of a network: n outputs of a k x k convolution from m, with bias or
-- without; a linear layer; a norm.
local function conv(k, m, n) return k * k * m * n end
local function conv_b(k, m, n) return k * k * m * n + n end
local function linear(m, n) return m * n + n end
local function norm(n) return 2 * n end

local function keskar_shallow(classes)
  return conv_b(5, 3, 64) + norm(64) + conv_b(5, 64, 64) + norm(64) + linear(8 * 8 * 64, 384)
    + norm(384) + linear(384, 192) + norm(192) + linear(192, classes)
end

local VGG = { 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512 }

local function vgg(with_norms)
  local total, last = 0, 3
  for _, width in ipairs(VGG) do
    total = total + conv_b(3, last, width) + (with_norms and norm(width) or 0)
    last = width
  end
  return total
end

local function resnet(blocks) -- He et al. 2016: 6 n + 2 layers
  local total = conv(3, 3, 16) + norm(16) + linear(64, 10)
  for stage, width in ipairs { 16, 32, 64 } do
    local first = stage == 1 and 16 or width // 2
    total = total + conv(3, first, width) + (2 * blocks - 1) * conv(3, width, width)
      + 2 * blocks * norm(width)
  end
  return total
end

local function preresnet(blocks) -- bottlenecks: 9 n + 2 layers
  local total = conv(3, 3, 16) + norm(256) + linear(256, 10)
  for stage, width in ipairs { 16, 32, 64 } do
    local from = stage == 1 and 16 or 2 * width
    local inner = norm(width) + conv(3, width, width) + norm(width) + conv(1, width, 4 * width)
    total = total + conv(1, from, 4 * width) -- the shortcut
      + norm(from) + conv(1, from, width) + inner
      + (blocks - 1) * (norm(4 * width) + conv(1, 4 * width, width) + inner)
  end
  return total
end

local function wrn(blocks, k, classes)
  local total = conv(3, 3, 16) + norm(64 * k) + linear(64 * k, classes)
  for stage, width in ipairs { 16 * k, 32 * k, 64 * k } do
    local from = stage == 1 and 16 or width // 2
    total = total + conv(1, from, width) + norm(from) + conv(3, from, width)
      + (blocks - 1) * (norm(width) + conv(3, width, width))
      + blocks * (norm(width) + conv(3, width, width))
  end
  return total
end

local function transformer(vocabulary, length, layers, size)
  local block = 2 * norm(size) + linear(size, 3 * size) + linear(size, size)
    + linear(size, 4 * size) + linear(4 * size, size)
  return vocabulary * size + length * size + layers * block + norm(size) + size * vocabulary
end

-- name, options, by hand, and as PyTorch 1.13 counts the same network: sum(p.numel() for p in
-- net.parameters()). In brackets what the papers say.
local COUNTS = {
  { "logreg", nil, linear(784, 10), 7850 },
  { "mlp_small", nil, linear(784, 100) + linear(100, 10), 79510 },
  { "mlp", nil, linear(784, 800) + linear(800, 800) + linear(800, 10), 1276810 },
  { "mlp", { layers = 1 }, linear(784, 800) + linear(800, 10), 636010 }, -- of Smith and Le
  { "F1", nil, linear(784, 512) + 4 * linear(512, 512) + 5 * norm(512) + linear(512, 10), 1462794 },
  { "F2", nil, linear(360, 512) + 6 * linear(512, 512) + 7 * norm(512) + linear(512, 1973),
    2780085 },
  { "lenet5", nil, conv_b(5, 1, 6) + conv_b(5, 6, 16) + linear(400, 120) + linear(120, 84)
    + linear(84, 10), 61706 },
  { "cnn_small", nil, conv_b(3, 3, 32) + conv_b(3, 32, 32) + conv_b(3, 32, 64) + conv_b(3, 64, 64)
    + 2 * norm(32) + 2 * norm(64) + linear(4096, 256) + linear(256, 10), 1117354 },
  { "C1", nil, keskar_shallow(10), 1757834 },
  { "C3", nil, keskar_shallow(100), 1775204 },
  { "C2", nil, vgg(true) + linear(512, 512) + norm(512) + linear(512, 10), 14991946 },
  { "C4", nil, vgg(true) + linear(512, 512) + norm(512) + linear(512, 100), 15038116 },
  { "vgg16", nil, vgg(false) + 2 * linear(512, 512) + linear(512, 10), 15245130 },
  { "vgg16", { norm = "batch" }, vgg(true) + 2 * linear(512, 512) + linear(512, 10), 15253578 },
  { "vgg16", { norm = "batch", hidden = {} }, vgg(true) + linear(512, 10), 14728266 },
  { "resnet20", nil, resnet(3), 269722 },          -- (0.27M)
  { "resnet56", nil, resnet(9), 853018 },          -- (0.85M)
  { "preresnet110", nil, preresnet(12), 1146842 },
  { "preresnet164", nil, preresnet(18), 1703258 }, -- (1.7M)
  { "wrn", { depth = 16, width = 4 }, wrn(2, 4, 10), 2748890 },
  { "wrn_16_4", nil, wrn(2, 4, 10), 2748890 },     -- (2.7M)
  { "wrn_28_10", nil, wrn(4, 10, 10), 36479194 },  -- (36.5M)
  { "wrn_28_10", { classes = 100 }, wrn(4, 10, 100), 36536884 },
  { "char_transformer", nil, transformer(256, 64, 4, 64), 236928 },
  { "char_transformer", { vocabulary = 65, length = 256, layers = 6, heads = 6, size = 384 },
    transformer(65, 256, 6, 384), 10795776 },
}

for _, row in ipairs(COUNTS) do
  local name, o, by_hand, pytorch = table.unpack(row, 1, 4)
  TestZoo[("test_parameters_%s_%d"):format(name, pytorch)] = function()
    lu.assert_equals(by_hand, pytorch)
    lu.assert_equals(weights(sw.zoo[name](o)), pytorch)
  end
end

function TestZoo:test_every_network_was_counted()
  local counted = {}
  for _, row in ipairs(COUNTS) do counted[row[1]] = true end
  for _, name in ipairs(sw.zoo.names()) do lu.assert_true(counted[name], name) end
end

-- ------------------------------------------------------------------ tiny ones train

local SMALL = { 32, 32, 3 }

-- What makes each network small; the networks on images take images of 32 x 32, three channels.
local TINY = {
  logreg = { features = 12 }, mlp_small = { features = 12, scale = 0.05 },
  mlp = { features = 12, scale = 0.01 }, F1 = { features = 12, scale = 0.02 },
  F2 = { features = 12, scale = 0.02, classes = 10 },
  lenet5 = { scale = 0.5 }, cnn_small = { scale = 0.1 },
  C1 = { scale = 0.05 }, C2 = { scale = 0.03 }, C3 = { scale = 0.05, classes = 10 },
  C4 = { scale = 0.03, classes = 10 }, vgg16 = { scale = 0.03 },
  resnet20 = { scale = 0.2 }, resnet56 = { scale = 0.125 },
  preresnet110 = { scale = 0.125 }, preresnet164 = { scale = 0.125 },
  wrn = { depth = 10, width = 0.25 }, wrn_16_4 = { scale = 0.05 }, wrn_28_10 = { scale = 0.02 },
}

local function features(name)
  if TINY[name].features then return { TINY[name].features } end
  return name == "lenet5" and { 28, 28, 1 } or SMALL
end

local function labels(n, classes)
  local y = {}
  for i = 1, n do y[i] = (i * 7) % classes end
  return core.tensor(y, "int32")
end

local function images(name, n)
  local shape = { n, table.unpack(features(name)) }
  return { x = core.random(1, "test"):fill_normal(core.zeros(shape), 0, 1), y = labels(n, 10) }
end

local function train(model, data)
  local trainer = sw.Trainer { model = model, data = data, lr = 0.01, batch_size = 4, seed = 1 }
  local before = trainer:weights():clone()
  trainer:fit { steps = 1 }
  lu.assert_true((trainer:weights() - before):norm() > 0)
  lu.assert_almost_equals(trainer:state().loss, math.log(10), 2.5)
  -- with the running statistics of a single step a deep network may be far off, but it is a number
  lu.assert_true(trainer:evaluate("last", { on = "train" }).loss < math.huge)
end

for name, o in pairs(TINY) do
  TestZoo["test_trains_" .. name] = function()
    train(sw.zoo[name](o), sw.data.from_tensors { train = images(name, 8), classes = 10 })
  end
end

function TestZoo:test_every_network_trained()
  for _, name in ipairs(sw.zoo.names()) do
    lu.assert_is_function(TestZoo["test_trains_" .. name], name)
  end
end

-- Against central differences in double, along a random direction of each parameter. The scale is
-- the whole gradient: a bias before a norm has none of its own.
local function check_gradient(layer, batch)
  local model, step = layer:build { seed = 3 }, 1e-6
  local f, w = sw.compile(sw.loss.cross_entropy, model), model:weights():to "float64"
  local _, gradient = f:value_and_gradient(w, batch)
  for _, s in ipairs(model.segments) do
    local direction = core.zeros({ #w }, "float64")
    core.random(5, s.path):fill_normal(direction:narrow(1, s.offset, s.size), 0, s.size ^ -0.5)
    local slope = (f:value(w + direction * step, batch) - f:value(w + direction * -step, batch))
      / (2 * step)
    lu.assert_almost_equals(slope, gradient:dot(direction), 1e-7 * gradient:norm(), s.path)
  end
end

for _, name in ipairs { "F1", "lenet5", "cnn_small", "resnet20", "wrn" } do
  TestZoo["test_gradient_" .. name] = function()
    check_gradient(sw.zoo[name](TINY[name]), images(name, 4))
  end
end

local CHARS = { vocabulary = 10, length = 5, layers = 2, heads = 2, size = 4 }

local function chars(n)
  local x, y = {}, {}
  for i = 1, n do
    x[i], y[i] = {}, {}
    for t = 1, 5 do x[i][t], y[i][t] = (i * 3 + t * t) % 10, (i + t) % 10 end
  end
  return { x = core.tensor(x, "int32"), y = core.tensor(y, "int32") }
end

function TestZoo:test_trains_char_transformer()
  train(sw.zoo.char_transformer(CHARS), sw.data.text(("abcde fgh\n"):rep(10), { length = 5,
    valid = 0 }))
end

function TestZoo:test_gradient_char_transformer()
  check_gradient(sw.zoo.char_transformer(CHARS), chars(3))
end

-- ------------------------------------------------------------------ options

function TestZoo:test_norms()
  local plain = sw.zoo.cnn_small { norm = "none" }
  lu.assert_equals(weights(plain), 1117354 - 2 * (norm(32) + norm(64)))
  local ghosts = sw.zoo.resnet20 { norm = sw.nn.GhostBatchNorm(2), scale = 0.2 }
  train(ghosts, sw.data.from_tensors { train = images("resnet20", 8), classes = 10 })
  local own = sw.zoo.F1 { norm = function(n) return sw.nn.LayerNorm(n) end }
  lu.assert_equals(weights(own), 1462794)
  -- without norms the convolutions have biases instead
  lu.assert_equals(weights(sw.zoo.resnet20 { norm = "none" }), 269722 - 7 * (norm(16) - 16)
    - 6 * (norm(32) - 32) - 6 * (norm(64) - 64))
end

-- The image gets smaller in the first convolution of a stage, whose input the shortcut takes, too.
function TestZoo:test_wide_networks_are_their_authors()
  local shapes = {}
  for _, row in ipairs(require("swale.check.layers").rows(sw.zoo.wrn { depth = 10, width = 1 },
    { features = SMALL })) do
    shapes[row.path] = row.shape
  end
  lu.assert_equals(shapes["stage2_1.residual.body.conv1"], "(batch, 16, 16, 32)")
  lu.assert_equals(shapes["stage2_1.residual.shortcut"], "(batch, 16, 16, 32)")
  lu.assert_equals(shapes["stage3_1.residual.body.conv2"], "(batch, 8, 8, 64)")
  lu.assert_equals(shapes["stage2_1.norm1"], "(batch, 32, 32, 16)")
  lu.assert_equals(shapes["stage1_1.body.conv1"], "(batch, 32, 32, 16)") -- an identity beside it
end

-- Rows of `swale check` hold all weights, those too that a layer has beside its children's.
function TestZoo:test_checks_count_all_weights()
  for name, example in pairs { resnet20 = { features = SMALL },
    char_transformer = { features = { 64 }, index = true } } do
    local net, total = sw.zoo[name](), 0
    for _, row in ipairs(require("swale.check.layers").rows(net, example)) do
      total = total + row.weights
    end
    lu.assert_equals(total, weights(net))
  end
end

function TestZoo:test_images_of_another_size()
  local net = sw.zoo.cnn_small { input = { 28, 28, 1 }, scale = 0.1 }
  local y = net:build():forward(sw.zeros { 2, 28, 28, 1 })
  lu.assert_equals(y:shape(), { 2, 10 })
  y = sw.zoo.C1({ input = { 9, 7, 2 }, scale = 0.1 }):build():forward(sw.zeros { 2, 9, 7, 2 })
  lu.assert_equals(y:shape(), { 2, 10 })
end

function TestZoo:test_refusals()
  lu.assert_error_msg_contains('zoo.F1: unknown option "feature"; did you mean "features"?',
    sw.zoo.F1, { feature = 784 })
  lu.assert_error_msg_contains('zoo.vgg16: norm must be "batch", "none" or a function',
    sw.zoo.vgg16, { norm = "bach" })
  lu.assert_error_msg_contains('did you mean "batch"?', sw.zoo.vgg16, { norm = "bach" })
  lu.assert_error_msg_contains("input must be { height, width, channels }", sw.zoo.vgg16,
    { input = { 32, 32 } })
  lu.assert_error_msg_contains("depth must be 6 n + 4", sw.zoo.wrn, { depth = 18 })
  local data = sw.data.from_tensors { train = images("resnet20", 8), classes = 10 }
  lu.assert_error_msg_contains("an example of the data has (32, 32, 3); the network is made for"
    .. " (28, 28, 1): its option input = { 32, 32, 3 } makes it for these", train, sw.zoo.lenet5 {},
    data)
  lu.assert_error_msg_contains('did you mean "resnet20"', function() return sw.zoo.resnet2 end)
end
