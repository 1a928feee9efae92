--- The Gram matrix of per-example gradients, against a loop over batches of one.
local factors = require "swale.measure.gram_factors"
local lu = require "luaunit"
local sw = require "swale"

TestGram = {}

local function near(got, want, tolerance)
  lu.assert_almost_equals(got, want, tolerance * math.max(1e-3, math.abs(want)))
end

-- The gradients' inner products by enumeration, and what follows from them.
local function check(model, sample, o)
  local exact, rows = sw.measure.exact(model, sample, o)
  local gram = sw.measure.gram(model, sample, o)
  local wanted = sw.ops.matmul(rows, rows, { transpose_b = true })
  lu.assert_true((gram.matrix - wanted):norm() < 1e-6 * wanted:norm())
  near(gram.signal, exact.signal, 1e-5)
  near(gram.noise, exact.noise, 1e-5)
  near(gram.b_simple, exact.b_simple, 1e-5)
  local sigma = exact.covariance
  near(gram.square, sw.ops.sum(sigma * sigma):item(), 1e-5)
  local values, n = sw.linalg.eigvalsh(sigma), #sigma
  local spectrum = gram:spectrum()
  for i = 1, math.min(5, #spectrum, n) do
    near(spectrum:get(i), values:get(n + 1 - i), 1e-5)
  end
  near(sw.ops.sum(spectrum):item(), exact.noise, 1e-5)
  return gram
end

local function sample_of(n) return sw.data.load("digits").train:sample(n) end

function TestGram:test_of_an_mlp()
  local model = sw.nn.Sequential { sw.nn.Linear(64, 8), sw.nn.ReLU(), sw.nn.Linear(8, 6,
    { bias = false }), sw.nn.Tanh(), sw.nn.Linear(6, 10) }:build { seed = 2 }
  check(model, sample_of(40))
  check(model, sample_of(40), { batch_size = 7 })
  check(model, sample_of(40), { over = "^0%.bias$" })
  check(model, sample_of(40), { over = "weight$" })
end

-- A layer that is called twice has no rule; an embedding neither.
function TestGram:test_of_parameters_without_a_rule()
  local twice = sw.nn.shared(sw.nn.Linear(8, 8))
  check(sw.nn.Sequential { sw.nn.Linear(64, 8), twice, sw.nn.Tanh(), twice,
    sw.nn.Linear(8, 10) }:build { seed = 2 }, sample_of(30))
  local x = sw.tensor({ { 0, 1, 2 }, { 2, 2, 4 }, { 3, 0, 1 }, { 4, 4, 4 } }, "int32")
  local words = sw.nn.Sequential { sw.nn.Embedding(5, 4), sw.nn.Flatten(), sw.nn.Linear(12, 3) }
  check(words:build { seed = 2 }, { x = x, y = sw.tensor({ 0, 1, 2, 0 }, "int32") })
end

--- The gradients of examples alone, (n, weights).
local function gradients_of(model, sample, loss)
  local list, w = {}, model:weights():to "float64"
  for i = 1, #sample.x do
    local one = { x = sample.x:narrow(1, i, 1), y = sample.y:narrow(1, i, 1), shape = sample.shape }
    local _, gradient = model:loss_on(one, loss):value_and_gradient(w)
    list[i] = gradient:table()
  end
  return sw.tensor(list, "float64")
end

-- In float64 to rounding; no gradient of one example alone is computed.
local function by_rules(model, sample, o)
  local add_rest = factors.add_rest
  factors.add_rest = function(_, list) lu.assert_equals(#list, 0) end
  o = o or {}
  o.dtype = "float64"
  local ok, gram = pcall(sw.measure.gram, model, sample, o)
  factors.add_rest = add_rest
  if not ok then error(gram, 0) end
  local rows = gradients_of(model, sample.source and { x = sample.x, y = sample.y,
    shape = sample.shape } or sample)
  local wanted = sw.ops.matmul(rows, rows, { transpose_b = true })
  local off = (gram.matrix - wanted):norm() / wanted:norm()
  lu.assert_true(off < 1e-13, ("%.3g"):format(off))
end

local function images(layers, features)
  layers[#layers + 1] = sw.nn.Flatten()
  layers[#layers + 1] = sw.nn.Linear(features, 10)
  return sw.nn.Sequential(layers):build { seed = 2 }
end

--- With many positions by gradients, with few by pairs of them: both forms of several kernels.
function TestGram:test_of_convolutions()
  local nn = sw.nn
  by_rules(images({ nn.Conv2d(1, 2, 3), nn.ReLU() }, 72), sample_of(20))
  by_rules(images({ nn.Conv2d(1, 2, 3), nn.ReLU() }, 72), sample_of(20), { batch_size = 7 })
  by_rules(images({ nn.Conv2d(1, 4, { 2, 3 }, { stride = { 1, 2 }, padding = 1, dilation = 2 }),
    nn.ReLU(), nn.Conv2d(4, 6, { 3, 2 }, { groups = 2, padding_mode = "reflect", padding = 1,
      bias = false }), nn.Tanh() }, 192), sample_of(12))
  by_rules(images({ nn.MaxPool2d(4), nn.Conv2d(1, 7, 2, { padding = "same" }), nn.Tanh(),
    nn.Conv2d(7, 8, 2, { padding = "same" }), nn.Tanh(), nn.Conv2d(8, 9, 2) }, 9), sample_of(20))
  by_rules(images({ nn.MaxPool2d(4), nn.Conv2d(1, 16, 1), nn.Tanh(), nn.Conv2d(16, 32, 2,
    { padding = "same" }), nn.Conv2d(32, 64, 2, { padding = "same", groups = 2 }) }, 256),
    sample_of(8))
  check(images({ nn.Conv2d(1, 3, 3, { padding = 1 }), nn.ReLU() }, 192), sample_of(12),
    { over = "bias$" })
  check(images({ nn.MaxPool2d(4), nn.Conv2d(1, 2, 2), nn.ReLU() }, 2), sample_of(12))
end

function TestGram:test_of_norms()
  local nn = sw.nn
  for _, norm in ipairs { nn.LayerNorm(6), nn.BatchNorm(6) } do
    by_rules(nn.Sequential { nn.Linear(64, 6), norm, nn.ReLU(), nn.Linear(6, 10) }
      :build { seed = 2 }, sample_of(30))
  end
  for _, norm in ipairs { nn.GroupNorm(2, 4), nn.BatchNorm(4) } do
    local model = images({ nn.Conv2d(1, 4, 3), norm, nn.ReLU() }, 144)
    local weight = model.segments[3]
    lu.assert_equals(weight.path, "1.weight")
    model:weights():narrow(1, weight.offset, 1):fill(0) -- a channel that is scaled to 0
    by_rules(model, sample_of(12))
  end
end

-- Rows of tokens: each example has several rows of a linear layer.
function TestGram:test_of_several_rows_an_example()
  local x, y = sw.randn { 12, 3, 4 }, sw.tensor({ 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2 }, "int32")
  local model = sw.nn.Sequential { sw.nn.Linear(4, 5), sw.nn.Tanh(), sw.nn.Flatten(),
    sw.nn.Linear(15, 3) }:build { seed = 2 }
  by_rules(model, { x = x, y = y })
  local wide = sw.nn.Sequential { sw.nn.Linear(4, 30), sw.nn.Tanh(), sw.nn.Linear(30, 40,
    { bias = false }), sw.nn.Flatten(), sw.nn.Linear(120, 3) }:build { seed = 2 }
  by_rules(wide, { x = x, y = y }) -- by pairs of positions
  local attention = sw.nn.Sequential { sw.nn.TransformerBlock(4, 2), sw.nn.Flatten(),
    sw.nn.Linear(12, 3) }:build { seed = 2 }
  check(attention, { x = x, y = y })
end

-- Of a linear layer, each output's derivatives are the inputs and 1.
function TestGram:test_tangent_kernel()
  local sample, o = sample_of(12), { dtype = "float64" }
  local x = sample.x:reshape({ 12, 64 }):to "float64"
  local linear = sw.nn.Linear(64, 10):build { seed = 1 }
  local wanted = (x:matmul(x:t()) + 1) * 10
  local off = sw.measure.tangent_kernel(linear, sample, o) - wanted
  lu.assert_true(off:norm() < 1e-13 * wanted:norm())

  local model = images({ sw.nn.Conv2d(1, 3, 3), sw.nn.BatchNorm(3), sw.nn.Tanh() }, 108)
  local sum = sw.zeros({ 12, 12 }, "float64")
  for c = 1, 10 do
    local rows = gradients_of(model, { x = sample.x, y = sample.y, shape = sample.shape },
      function(output) return output:slice(2, c, 1):reshape { "batch" } end)
    local kernel = rows:matmul(rows:t())
    sum:add(1, kernel)
    local one = sw.measure.tangent_kernel(model, sample, { output = c, dtype = "float64" })
    lu.assert_true((one - kernel):norm() < 1e-12 * kernel:norm())
  end
  local all = sw.measure.tangent_kernel(model, sample, o)
  lu.assert_true((all - sum):norm() < 1e-12 * sum:norm())
  lu.assert_error_msg_contains("the network has 10", sw.measure.tangent_kernel, model, sample,
    { output = 11 })
  lu.assert_error_msg_contains("loss is not taken", sw.measure.tangent_kernel, model, sample,
    { loss = sw.loss.mse })
end

function TestGram:test_memorised_by_label()
  local data = sw.data.load("digits"):label_noise { rate = 0.3 }
  local sample = data.train:sample(60)
  local model = sw.nn.Sequential { sw.nn.Linear(64, 64), sw.nn.ReLU(), sw.nn.Linear(64, 10) }
  local trainer = sw.Trainer { data = data, model = model, lr = 0.1, batch_size = 16,
    optimizer = sw.optim.SGD { momentum = 0.9 } }
  trainer:fit { epochs = 1 }
  local groups = sw.measure.gram(trainer.model, sample):memorised()
  local predicted, wanted = select(2, trainer.model:predict(sample)), { clean = 0, noisy = 0 }
  for i = 1, 60 do
    local name = sample.y:get(i) == sample.clean_y:get(i) and "clean" or "noisy"
    local hit = predicted:get(i) == sample.y:get(i)
    wanted[name] = wanted[name] + (hit and 1 or 0)
  end
  lu.assert_equals(groups.clean.examples + groups.noisy.examples, 60)
  for name, count in pairs(wanted) do
    near(groups[name].fitted * groups[name].examples, count, 1e-9)
  end
  near(groups.clean.noise + groups.noisy.noise, 1, 1e-9)
  lu.assert_true(groups.clean.fitted > groups.noisy.fitted)
end

function TestGram:test_refuses_what_has_no_gradients_of_examples()
  local model = sw.nn.Sequential { sw.nn.Linear(64, 4), sw.nn.Linear(4, 10) }:build()
  lu.assert_error_msg_contains("2 are needed", sw.measure.gram, model, sample_of(1))
  lu.assert_error_msg_contains("leave it out", sw.measure.gram, model, sample_of(5),
    { weight_decay = 0.1 })
  local gram = sw.measure.gram(model, { x = sw.randn { 9, 64 }, y = sw.randn { 9, 10 } },
    { loss = sw.loss.mse })
  lu.assert_error_msg_contains("no class labels", gram.memorised, gram)
end
