--- Valid calls: random_calls.lua replaces a part of their arguments. A recipe is a function of the
--- pool that returns the arguments; for a method, self comes first.
local sw = require "swale"
local values = require "call_values"

local M = {}

-- ------------------------------------------------------------------ tensors and ops

M["sw.tensor"] = function(p) return p:any_of { 1, { 1, 2, 3 }, { { 1, 2 }, { 3, 4 } }, {} },
  p:dtype() end
M["sw.zeros"] = function(p) return p:shape(), p:dtype() end
M["sw.ones"] = M["sw.zeros"]
M["sw.full"] = function(p) return p:shape(), p:number(), p:dtype() end
M["sw.rand"] = function(p) return p:shape() end
M["sw.randn"] = function(p) return p:shape(), sw.random(1) end
M["sw.random"] = function(p) return p:whole(9), "a", p:whole(9) end
M["core.tensor"], M["core.zeros"] = M["sw.tensor"], M["sw.zeros"]

for _, name in ipairs { "abs", "exp", "log", "relu", "tanh", "sigmoid", "square", "sqrt", "sign",
  "erf",
  "softplus", "silu", "gelu", "leaky_relu", "softmax", "log_softmax", "flatten", "detach", "t",
    "mean",
  "sum", "max", "min", "var", "sumsq", "argmax", "transpose" } do
  M["sw.ops." .. name] = function(p)
    return p:one_in(2) and p:object "node" or p:floats { 3, 4 }
  end
  M["tensor:" .. name] = function(p) return p:floats() end
end

for _, name in ipairs { "pow", "maximum", "minimum", "lt", "le", "gt", "ge", "eq", "ne", "dot" } do
  M["sw.ops." .. name] = function(p)
    if p:one_in(3) then return p:object "node", p:object "node" end
    local dtype = p:any_of { "float32", "float64" }
    return p:tensor({ 2, 3 }, dtype), p:tensor(p:any_of { { 2, 3 }, { 3 }, { 1 } }, dtype)
  end
end

for _, name in ipairs { "sum", "mean", "max", "min", "var", "sumsq" } do
  M["tensor:" .. name] = function(p)
    return p:floats { 2, 3, 4 }, p:any_of { 1, -1, { 1, 2 }, {} },
      name == "var" and { correction = 0 } or p:one_in(2)
  end
end

M["sw.ops.sort"] = function(p)
  return p:floats { 2, 3, 4 }, p:any_of { 1, -1 }, { descending = p:one_in(2) }
end
M["sw.ops.quantile"] = function(p)
  return p:floats { 2, 3, 4 }, p:any_of { 0.5, { 0, 0.1, 1 } }, p:any_of { 1, -1 }
end
M["sw.ops.cumsum"] = function(p) return p:floats { 2, 3, 4 }, p:any_of { 1, -1 } end
M["core.sort"] = function(p) return p:floats { 2, 3 }, 1, p:one_in(2) end
M["core.quantile"] = function(p) return p:floats { 2, 3 }, { 0, 0.5 }, 1 end
M["core.cumsum"] = function(p) return p:floats { 2, 3 }, 1 end
M["sw.arange"] = function(p) return p:number(), p:number(), 0.5, p:dtype() end
M["sw.linspace"] = function(p) return p:number(), p:number(), p:whole(9), p:dtype() end

local function matrix(p)
  local a = p:floats { 4, 4 }
  return a + a:t() + sw.full({ 4, 4 }, 9, a:dtype())
end

for _, name in ipairs { "eigh", "eigvalsh", "svd", "qr", "cholesky", "slogdet" } do
  M["sw.linalg." .. name] = matrix
  M["core." .. name] = matrix
end
for _, name in ipairs { "solve", "solve_triangular", "lstsq" } do
  M["sw.linalg." .. name] = function(p)
    local a = matrix(p)
    return a, a:select(1, 1)
  end
  M["core." .. name] = M["sw.linalg." .. name]
end
M["sw.linalg.eigh_tridiagonal"] = function(p)
  local d = p:floats { 5 }
  return d, d:narrow(1, 1, 4)
end
M["core.eigh_tridiagonal"] = M["sw.linalg.eigh_tridiagonal"]
M["sw.linalg.eigsh"] = function(p)
  return function(x) return x * 2 end, p:any_of { 5, 40 }, { k = 2, tolerance = 1e-3 }
end
M["core.arpack"] = function() return 9, sw.ones({ 9 }, "float64"), { k = 2, basis = 5 } end
M["core.lbfgsb"] = function()
  local x = sw.ones({ 3 }, "float64")
  return x, x * -1, x * 2, { memory = 3, tolerance = 1e-3 }
end
M["sw.optim.lbfgsb"] = function(p)
  return function(x) return x:dot(x), x * 2 end, p:floats { 3 }, { iterations = 5, upper = 1 }
end
M["sw.optim.newton"] = function(p)
  return function(x) return x:dot(x), x * 2 end, p:floats { 3 },
    { hessian = function() return function(v) return v * 2 end end }
end

M["sw.ops.clamp"] = function(p) return p:floats(), -1, 1 end
M["sw.ops.where"] = function(p)
  local x = p:tensor({ 2, 3 }, "float32")
  return sw.ops.gt(x, 0), x, 0
end
M["sw.ops.matmul"] = function(p)
  return p:tensor({ 2, 3 }, "float32"), p:tensor({ 4, 3 }, "float32"), { transpose_b = true }
end
M["sw.ops.bmm"] = function(p)
  return p:tensor({ 2, 3, 4 }, "float32"), p:tensor({ 2, 4, 5 }, "float32"), { transpose_a = false }
end
M["sw.ops.conv2d"] = function(p)
  return p:tensor({ 2, 4, 4, 3 }, "float32"), p:tensor({ 5, 3, 3, 3 }, "float32"),
    { padding = 1, stride = p:whole(2), dilation = 1, groups = 1 }
end
M["sw.ops.max_pool2d"] = function(p)
  return p:floats { 2, 4, 4, 1 }, p:whole(3), { stride = 1, padding = 0 }
end
M["sw.ops.avg_pool2d"] = M["sw.ops.max_pool2d"]
M["sw.ops.global_avg_pool2d"] = function(p) return p:floats { 2, 4, 4, 1 } end
M["sw.ops.zero_pad2d"] = function(p) return p:floats { 2, 4, 4, 1 }, p:any_of { 1, { 1, 2 } } end
M["sw.ops.reflect_pad2d"], M["sw.ops.upsample2d"] = M["sw.ops.zero_pad2d"], M["sw.ops.zero_pad2d"]
M["sw.ops.batch_norm"] = function(p)
  return p:tensor({ 6, 4 }, "float32"), p:tensor({ 4 }, "float32"), p:tensor({ 4 }, "float32"),
    { eps = 1e-5 }
end
M["sw.ops.layer_norm"] = function(p)
  return p:tensor({ 6, 4 }, "float32"), p:tensor({ 4 }, "float32"), p:tensor({ 4 }, "float32"), 1e-5
end
M["sw.ops.group_norm"] = function(p)
  return p:tensor({ 6, 4 }, "float32"), 2, p:tensor({ 4 }, "float32"), p:tensor({ 4 }, "float32"),
    1e-5
end
M["sw.ops.reshape"] = function(p) return p:tensor { 2, 6 }, p:any_of { { 3, 4 }, { -1 }, { 4,
  -1 } } end
M["sw.ops.broadcast"] = function(p) return p:tensor { 3 }, { 2, 3 } end
M["sw.ops.slice"] = function(p) return p:tensor { 4, 3 }, 1, 2, 2 end
M["sw.ops.pad"] = function(p) return p:floats { 4, 3 }, 2, 1, 1, 0 end
M["sw.ops.concat"] = function(p)
  local x = p:tensor { 2, 3 }
  return { x, x, x }, p:any_of { 1, 2, -1 }
end
M["sw.ops.gather"] = function(p) return p:floats { 4, 3 }, p:labels(5, 4) end
M["sw.ops.scatter"] = function(p) return p:floats { 5, 3 }, p:labels(5, 4), 4 end
M["sw.ops.one_hot"] = function(p) return p:labels(5, 4), 4 end
M["sw.ops.cast"] = function(p) return p:labels(5, 4) end
M["sw.ops.causal_softmax"] = function(p) return p:floats { 2, 4, 4 }, 0.5 end
M["sw.ops.cross_entropy"] = function(p) return p:floats { 5, 3 }, p:labels(5, 3) end
M["sw.ops.dropout"] = function(p) return p:object "node", 0.5 end

for _, name in ipairs { "clamp", "where", "matmul", "bmm", "conv2d", "max_pool2d", "avg_pool2d",
  "zero_pad2d", "reflect_pad2d", "upsample2d", "batch_norm", "layer_norm", "group_norm", "reshape",
  "broadcast", "slice", "pad", "gather", "scatter", "one_hot", "cast", "causal_softmax" } do
  M["tensor:" .. name] = M["sw.ops." .. name]
end

M["tensor:get"] = function() return sw.zeros { 2, 3 }, 1, 2 end
M["tensor:set"] = function() return sw.zeros { 2, 3 }, 1, 2, 5 end
M["tensor:table"] = function(p) return p:tensor() end
M["tensor:select"] = function(p) return p:tensor { 4, 3 }, 1, 2 end
M["tensor:narrow"] = function(p) return p:tensor { 4, 3 }, 1, 2, 2 end
M["tensor:transpose"] = function(p) return p:tensor { 4, 3 }, 1, 2 end
M["tensor:to"] = function(p) return p:tensor(), p:dtype() end
M["tensor:fill"] = function(p) return p:tensor(), p:number() end
M["tensor:copy"] = function(p)
  local shape = p:shape()
  return p:tensor(shape), p:tensor(shape)
end
M["tensor:add"] = function(p)
  local shape = p:shape()
  return p:tensor(shape, "float32"), 0.5, p:tensor(shape, "float32")
end
M["tensor:lerp"] = M["tensor:add"]
M["tensor:scale"] = function(p) return p:floats(), 2 end
M["tensor:dot"] = function(p) return p:tensor({ 5 }, "float32"), p:tensor({ 5 }, "float32") end

M["random:fill_uniform"] = function(p) return sw.random(1), p:floats(), 0, 1 end
M["random:fill_normal"] = M["random:fill_uniform"]
M["random:integer"] = function(p) return sw.random(1), p:whole(100) end
M["random:permutation"] = M["random:integer"]

for _, name in ipairs(sw.zoo.names()) do
  M["sw.zoo." .. name] = function() return { classes = 10, norm = "none", scale = 1 } end
end

-- ------------------------------------------------------------------ layers, losses, optimizers

M["sw.nn.Linear"] = function() return 4, 3, { bias = true, init = "kaiming_uniform",
  name = "a" } end
M["sw.nn.Conv2d"] = function() return 3, 4, 3, { stride = 1, padding = 1, groups = 1,
  bias = false } end
M["sw.nn.BatchNorm"] = function() return 4, { eps = 1e-5, momentum = 0.1, affine = true,
  ghost = 4 } end
M["sw.nn.GhostBatchNorm"] = M["sw.nn.BatchNorm"]
M["sw.nn.LayerNorm"] = function() return 4, { eps = 1e-5 } end
M["sw.nn.GroupNorm"] = function() return 2, 4, { eps = 1e-5 } end
M["sw.nn.Dropout"] = function() return 0.5, { name = "a" } end
M["sw.nn.MaxPool2d"] = function() return 2, { stride = 2, padding = 0 } end
M["sw.nn.AvgPool2d"] = M["sw.nn.MaxPool2d"]
M["sw.nn.ZeroPad2d"] = function() return { 1, 2 }, { name = "a" } end
M["sw.nn.ReflectionPad2d"], M["sw.nn.Upsample"] = M["sw.nn.ZeroPad2d"], M["sw.nn.ZeroPad2d"]
M["sw.nn.Embedding"] = function() return 5, 4, { init = { "normal", std = 0.02 } } end
M["sw.nn.Positions"] = M["sw.nn.Embedding"]
M["sw.nn.MultiHeadAttention"] = function() return 4, 2, { causal = true, dropout = 0 } end
M["sw.nn.TransformerBlock"] = M["sw.nn.MultiHeadAttention"]
M["sw.nn.LeakyReLU"] = function() return { slope = 0.1, name = "a" } end
M["sw.nn.Lambda"] = function() return function(x) return x end, { a = { 2 } }, { name = "a" } end
M["sw.nn.Sequential"] = function() return { sw.nn.Linear(4, 4), sw.nn.ReLU(), a = sw.nn.Linear(4,
  3) } end
M["sw.nn.Residual"] = function() return { sw.nn.Linear(4, 4), sw.nn.ReLU() } end
M["sw.nn.ShortcutA"] = function() return 3, 6, 2 end

for _, name in ipairs { "kaiming_uniform", "kaiming_normal", "xavier_uniform", "xavier_normal",
  "uniform",
  "normal", "constant", "orthogonal", "zeros", "ones" } do
  M["sw.nn.initializers." .. name] = function(p)
    return p:floats { 4, 3 }, sw.random(1), { fan_in = 4, fan_out = 3 }, {}
  end
end

M["sw.loss.cross_entropy"] = function(p)
  if p:one_in(2) then return p:object "node", p:object "node" end
  return p:floats { 5, 3 }, p:labels(5, 3)
end
M["sw.loss.hinge"] = M["sw.loss.cross_entropy"]
M["sw.loss.mse"] = function(p)
  return p:tensor({ 5, 2 }, "float32"), p:tensor({ 5, 2 }, "float32")
end
M["sw.loss.soft_cross_entropy"], M["sw.loss.logistic"] = M["sw.loss.mse"], M["sw.loss.mse"]
M["sw.loss.label_smoothing"] = function() return 0.1 end

M["sw.optim.SGD"] = function()
  return { lr = 0.1, momentum = 0.9, weight_decay = 1e-4, nesterov = true, dampening = 0,
    clip_norm = 1,
    groups = { { match = "bias", weight_decay = 0 } } }
end
M["sw.optim.Adam"] = function() return { lr = 1e-3, beta2 = 0.99, eps = 1e-8, weight_decay = 0 } end
M["sw.optim.AdamW"] = M["sw.optim.Adam"]
M["sw.optim.of"] = function() return function(w, g) w:add(-0.1, g) end end

-- ------------------------------------------------------------------ schedules, averages

local function period(p) return p:any_of { 2, p:duration(), { epochs = 1 } } end

M["sw.schedule.constant"] = function() return 0.1 end
M["sw.schedule.linear"] = function(p) return { from = 1, to = 0, period = period(p) } end
M["sw.schedule.step"] = function(p) return { value = 1, gamma = 0.1, period = period(p) } end
M["sw.schedule.multi_step"] = function() return { value = 1, at = { 1, 2, 3 }, gamma = 0.5 } end
M["sw.schedule.piecewise"] = function() return { values = { 1, 2, 3 }, at = { 1, 2 } } end
M["sw.schedule.exponential"] = function(p) return { value = 1, gamma = 0.5, period = period(p) } end
M["sw.schedule.polynomial"] = function(p) return { from = 1, to = 0, power = 2,
  period = period(p) } end
M["sw.schedule.cosine"] = M["sw.schedule.linear"]
M["sw.schedule.cosine_restarts"] = function(p) return { from = 1, to = 0, period = period(p),
  multiplier = 2 } end
M["sw.schedule.cyclic"] = function(p) return { max = 1, min = 0.1, period = period(p) } end
M["sw.schedule.triangular"] = function() return { max = 1, min = 0.1, period = 2, down = 3 } end
M["sw.schedule.triangular2"] = M["sw.schedule.triangular"]
M["sw.schedule.exp_range"] = function() return { max = 1, min = 0.1, period = 2, gamma = 0.9 } end
M["sw.schedule.one_cycle"] = function(p) return { max = 1, period = period(p), fraction = 0.3,
  three_phase = true } end
M["sw.schedule.warmup_stable_decay"] = function() return { max = 1, warmup = 1, stable = 2,
  decay = 3 } end
M["sw.schedule.inverse_sqrt"] = function(p) return { value = 1, from = 0, warmup = period(p) } end
M["sw.schedule.chain"] = function(p)
  return { { sw.schedule.constant(1), period(p) }, { p:object "swale.Schedule" } }
end
M["sw.schedule.scale"] = function(p) return p:object "swale.Schedule", 2 end
M["sw.schedule.product"] = function(p) return { p:object "swale.Schedule",
  sw.schedule.constant(2) } end
M["sw.schedule.clamp"] = function(p) return p:object "swale.Schedule", { min = 0, max = 1 } end
M["sw.schedule.anneal"] = function(p) return p:object "swale.Schedule", p:any_of { 2,
  { start = 1 } } end
M["sw.schedule.of"] = function() return function(s) return 0.1 * s.epoch end end
M["sw.schedule.values"] = function(p)
  return p:object "swale.Schedule", { epochs = 2, examples = 100, batch_size = 10 }
end
M["sw.schedule.tabulate"], M["sw.schedule.plot"] = M["sw.schedule.values"], M["sw.schedule.values"]
local function landscape_options(p)
  return { on = p:object "swale.Data", batch_size = 10, examples = 4, points = 2, grid = 2, n = 2,
    rise = 0.1, batch_norm = p:any_of { "pooled", "running", "train" } }
end
for _, name in ipairs { "line", "curve", "barrier" } do
  M["sw.landscape." .. name] = function(p)
    return p:object "swale.Model", p:object "swale.Trainer", landscape_options(p)
  end
end
for _, name in ipairs { "random_plane", "rays" } do
  M["sw.landscape." .. name] = function(p) return p:object "swale.Model", landscape_options(p) end
end
M["sw.landscape.trajectory"] = function(p)
  return { p:object "swale.Model", p:floats { 4 }, p:floats { 4 } }, landscape_options(p)
end
M["sw.landscape.plane"] = function(p)
  local o = landscape_options(p)
  o[1], o[2], o[3] = p:object "swale.Model", p:object "swale.Model", p:object "swale.Model"
  return o
end
M["sw.landscape.travel"] = function(p)
  return { p:floats { 4 }, p:floats { 4 } },
    { start = p:floats { 4 }, at = { 1, 2 }, unit = "steps" }
end
M["sw.landscape.angle"] = function(p) return p:floats { 4 }, p:floats { 4 }, p:floats { 4 } end
M["sw.plot"] = function(p)
  return { file = p:any_of { "a.svg", "a.png", "a.pdf" }, x = { 1, 2, 3 },
    y = p:tensor({ 3 }, "float32"), y_log = p:one_in(2), label = "a",
    { y = { 1, 2 }, low = { 0, 1 }, high = { 2, 3 }, as = "points" },
    { x = { 1, 2 }, y = { 3, 4 }, z = { { 1, 2 }, { 3, 4 } }, levels = p:whole(9) } }
end
M["sw.rule"] = function() return 0.1, function(s) return s.loss end end
M["sw.every"] = function(p) return p:duration() end
M["swale.Schedule:at"] = function(p)
  return p:object "swale.Schedule", { step = 3, examples = 30, epoch = 1.5, batch_size = 10,
    epoch_examples = 20 }
end

M["sw.average.SWA"] = function(p) return { start = p:duration(), every = p:duration(),
  keep = true } end
M["sw.average.EMA"] = function(p) return { decay = 0.9, start = p:duration(),
  every = p:duration() } end
M["sw.average.LastK"] = function(p) return { k = 3, start = p:duration(), every = p:duration() } end
M["swale.Averaging:update"] = function(p) return sw.average.SWA {}, p:floats { 4 } end

M["core.average"] = function() return 4, "float32", { kind = "ema", decay = 0.9 } end
M["average:update"] = function(p) return p:object "average", p:tensor({ 4 }, "float32") end
M["average:restore"] = function(p) return p:object "average", p:tensor({ 4 }, "float32"), 3 end
M["core.schedule"] = function(p)
  return { kind = p:any_of { "linear", "cosine", "polynomial" }, from = 1, to = 0, power = 1,
    period = { amount = 3, unit = "epochs" } }
end
M["schedule:at"] = function(p) return p:object "schedule", 3, 30, 40, 100 end

-- ------------------------------------------------------------------ data

M["sw.data.from_tensors"] = function(p)
  return { train = { x = p:tensor({ 6, 4 }, "float32"), y = p:labels(6, 3) },
    valid = { x = p:tensor({ 6, 4 }, "float32"), y = p:labels(6, 3) }, classes = 3,
    standardise = "feature", images = false }
end
M["sw.data.gaussian_mixture"] = function() return { classes = 2, features = 2, n = 20,
  spread = 0.5, seed = 1 } end
M["sw.data.noisy_quadratic"] = function() return { dimensions = 3, power = 1, sigma = 1, n = 10,
  seed = 1 } end
M["sw.data.linear_regression"] = function() return { features = 3, weights = { 1, 0, 2 },
  noise = 0.5, n = 20, seed = 1 } end
M["sw.data.teacher"] = function() return { sizes = { 3, 4, 2 }, n = 20, noise = 0.1, seed = 1 } end
M["sw.data.two_spirals"] = function() return { n = 20, turns = 1.5, noise = 0.02, seed = 1 } end
M["sw.data.text"] = function() return ("some text\n"):rep(50), { length = 5, stride = 2,
  valid = 0.1 } end
M["sw.data.csv"] = function() return { train = "good.csv", valid = 2, label = "c", classes = 2 } end
M["sw.data.load"] = function() return "digits", { standardise = true, images = true } end
M["sw.data.idx"] = function() return { train_images = "x.idx", train_labels = "y.idx", valid = 2,
  classes = 3 } end
M["swale.Data:subset"] = function(p) return p:object "swale.Data", { n = 3, stratified = true,
  seed = 1 } end
M["swale.Data:label_noise"] = function(p) return p:object "swale.Data", { rate = 0.5, on = "all",
  seed = 1 } end
M["swale.Data:random_labels"] = function(p) return p:object "swale.Data", { keep_counts = true,
  seed = 1 } end
M["swale.Data:standardise"] = function(p) return p:object "swale.Data", "feature" end
M["swale.Data:augment"] = function(p) return values.small_images(p), { crop = 1, flip = true } end
M["swale.Split:sample"] = function(p) return p:object "swale.Split", 3, 1 end
M["swale.Split:gather"] = function(p) return p:object "swale.Split", { 1, 2, 3 } end
M["swale.Split:batches"] = function(p) return p:object "swale.Split", { size = 4, epochs = 2,
  seed = 1 } end
M["core.source"] = function(p)
  return { x = p:tensor({ 6, 4 }, "float32"), y = p:labels(6, 3), classes = 3,
    scale = sw.ones { 4 }, shift = sw.zeros { 4 } }
end
M["source:gather"] = function(p) return p:object "source", p:labels(3, 2), 1, 5 end
M["sw.save"] = function(p)
  return p:any_of { "x.npy", "x.csv", "x.safetensors" }, p:any_of { p:tensor(), { a = p:tensor() } }
end
M["sw.load"] = function(p) return p:any_of { "x.npy", "x.csv", "good.csv", "x.safetensors" }, {} end
M["core.json_encode"] = function(p) return p:value(), 2 end
M["core.json_decode"] = function(p) return p:string() end
M["core.bytes"] = function(p) return p:string() end
M["core.sha256"] = function(p) return p:string() end
M["core.fieller"] = function() return { 1, 2, 3 }, { 1, 3, 2 }, 2 end
M["core.ratio"] = function()
  return { a = 1, b = 2, vaa = 0.1, vab = 0, vbb = 0.1, t = 2, signed = true }
end

-- ------------------------------------------------------------------ graphs

M["graph:input"] = function(p) return p:object "graph", p:whole(4), "real", { "batch", 3 } end
M["graph:param"] = function(p) return p:object "graph", p:whole(9), { 2, 3 }, 1 end
M["graph:gradient"] = function(p) return p:object "graph", p:object "node", { p:object "node" } end
M["core.program"] = function(p) return p:object "graph", { p:object "node" },
  { dtype = "float64" } end
M["core.apply"] = function(p)
  return p:any_of { "exp", "add", "matmul", "max", "slice" }, {}, p:floats { 3, 3 }, p:floats { 3,
    3 }
end
M["program:run"] = function(p)
  return p:object "program", { batch = 2, weights = p:tensor({ 12 }, "float32"),
    inputs = { p:tensor({ 2, 4 }, "float32"), p:labels(2, 3) } }
end
M["program:first_nan"] = M["program:run"]
M["core.evaluate"] = function(p)
  return p:object "program", p:tensor({ 12 }, "float32"), p:object "source", 3
end
M["core.loop"] = function(p)
  return { program = p:object "program", weights = p:tensor({ 12 }, "float32"),
    source = p:object "source",
    seed = 1, order = "shuffled", optimizer = p:any_of { "sgd", "adam" }, max_norm = 1,
      micro_batch = 2 }
end
M["loop:set"] = function(p) return p:object "loop", p:any_of { "lr", "batch_size", "momentum" },
  1 end
M["loop:advance"] = function(p) return p:object "loop", p:whole(5), p:whole(100), {} end
M["loop:stepper"] = function(p) return p:object "loop", "lr", "batch_size" end
M["loop:restore"] = function(p) return p:object "loop", { step = 3, examples = 30,
  vectors = {} } end

-- ------------------------------------------------------------------ training

M["sw.Trainer"] = function(p)
  return { model = values.small_layer(p), data = values.small_data(p), lr = 0.1, batch_size = 4,
    loss = sw.loss.cross_entropy, optimizer = sw.optim.SGD { momentum = 0.9 }, seed = 1,
    average = sw.average.SWA {}, eval_batch = 5, record = { steps = 2 }, micro_batch = 2,
    measure = { noise_scale = sw.every { steps = 2 } }, subset = { 1, 2, 3, 4, 5 } }
end
M["swale.Trainer:fit"] = function(p) return p:trainer(), p:duration() end
M["swale.Trainer:plan"] = function(p) return p:trainer(), p:duration() end
M["swale.Trainer:evaluate"] = function(p)
  return p:object "swale.Trainer", p:any_of { "last", "swa", "best" }, { on = "train" }
end
M["swale.Trainer:measure"] = function(p) return p:trainer(), "noise_scale",
  sw.every { steps = 2 } end
M["swale.Trainer:on"] = function(p)
  return p:object "swale.Trainer", p:any_of { "step", "epoch", "capture" }, function() end
end
M["swale.Trainer:restore"] = function(p)
  local trainer = p:trainer()
  local buffers = trainer.model:buffers()
  return trainer, { weights = trainer:weights():clone(), buffers = buffers and buffers:clone() },
    { step = "3", examples = "30" }
end
M["swale.Trainer:report"] = function(p) return p:object "swale.Trainer" end
M["swale.Model:forward"] = function(p) return p:object "swale.Model", p:tensor({ 2, 4 },
  "float32") end
M["swale.Model:predict"] = function(p) return p:object "swale.Model", p:object "swale.Split" end
M["swale.Model:parameter"] = function(p) return p:object "swale.Model", p:any_of { "weight",
  "1.weight" } end
M["swale.Model:loss_on"] = function(p)
  return p:object "swale.Model", p:object "swale.Split", sw.loss.cross_entropy, { mode = "eval" }
end
M["swale.Model:reestimate"] = function(p)
  return p:object "swale.Model", p:object "swale.Split", { method = "pooled" }
end
M["swale.Model:save"] = function(p) return p:object "swale.Model", "x.safetensors" end
M["swale.Model:load"] = M["swale.Model:save"]
M["swale.Model:load_state_dict"] = function(p)
  local model = p:object "swale.Model"
  return model, model:state_dict()
end
M["sw.compile"] = function(p) return sw.loss.cross_entropy, p:object "swale.Model",
  { mode = "train", seed = 1 } end
for _, name in ipairs { "value", "value_and_gradient", "squared_gradient_norm", "example_norms",
  "linearize", "hvp", "gauss_newton", "jvp", "along", "curvature_gradient", "full_hessian" } do
  M["swale.Compiled:" .. name] = function(p)
    local f = p:object "swale.Compiled"
    local w = f.model and f.model:weights() or p:floats { 15 }
    local batch = { x = p:tensor({ 2, 4 }, "float32"), y = p:labels(2, 3) }
    if name == "linearize" or name == "full_hessian" then return f, w, batch, {} end
    return f, w, batch, w
  end
end
M["sw.check_gradient"] = function(p)
  return p:object "swale.Compiled", { x = p:tensor({ 2, 4 }, "float32"), y = p:labels(2, 3) }, {}
end
M["sw.experiment"] = function() return { name = "a", params = { lr = 0.1, n = 3 },
  run = function() end } end
M["sw.choice"] = function() return { "a", "b" } end
M["swale.Experiment:resolve"] = function(p) return p:object "swale.Experiment", { lr = "0.2" },
  "a" end
M["sw.try"] = function() return function() return 1 end, 2 end
M["sw.set_threads"] = function(p) return p:whole(2) end
M["core.csv_read"] = function() return "good.csv", { label = "c" } end
M["core.csv_write"] = function(p) return p:tensor { 2, 3 }, "x.csv", { "a", "b", "c" } end
M["core.npy_write"] = function(p) return p:tensor(), "x.npy" end
M["core.idx_write"] = function(p) return p:tensor(), "x.idx" end
M["core.safetensors_write"] = function(p) return "x.safetensors", { a = p:tensor() },
  { b = "c" } end
M["core.safetensors_read"] = function() return "x.safetensors", true end

for name, recipe in pairs(require "measure_recipes") do M[name] = recipe end

return M
