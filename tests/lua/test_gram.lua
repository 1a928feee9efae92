--- The Gram matrix of per-example gradients, against a loop over batches of one.
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

-- Layer norms have no rule; a convolution neither; a layer that is called twice is not its rule's.
function TestGram:test_of_parameters_without_a_rule()
  local norm = sw.nn.Sequential { sw.nn.Linear(64, 6), sw.nn.LayerNorm(6), sw.nn.ReLU(),
    sw.nn.Linear(6, 10) }
  check(norm:build { seed = 2 }, sample_of(30))
  local twice = sw.nn.shared(sw.nn.Linear(8, 8))
  check(sw.nn.Sequential { sw.nn.Linear(64, 8), twice, sw.nn.Tanh(), twice,
    sw.nn.Linear(8, 10) }:build { seed = 2 }, sample_of(30))
  check(sw.nn.Sequential { sw.nn.Conv2d(1, 2, 3), sw.nn.ReLU(), sw.nn.Flatten(),
    sw.nn.Linear(72, 10) }:build { seed = 2 }, sample_of(20))
end

-- Rows of tokens: each example has several rows of a linear layer.
function TestGram:test_of_several_rows_an_example()
  local x, y = sw.randn { 12, 3, 4 }, sw.tensor({ 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2 }, "int32")
  local model = sw.nn.Sequential { sw.nn.Linear(4, 5), sw.nn.Tanh(), sw.nn.Flatten(),
    sw.nn.Linear(15, 3) }:build { seed = 2 }
  check(model, { x = x, y = y })
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
