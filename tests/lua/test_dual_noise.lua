--- Noise scales in dual norms, and measured line searches, on problems with known answers.
local coverage = require "coverage"
local lu = require "luaunit"
local sw = require "swale"

TestDualNoise = {}
TestLineSearch = {}

local function near(got, want, tolerance)
  lu.assert_almost_equals(got, want, tolerance * math.max(1e-3, math.abs(want)))
end

local function quadratic(n)
  local h = { { 1, 0.3, 0.1 }, { 0.3, 0.4, 0.2 }, { 0.1, 0.2, 0.8 } }
  local c = { { 2, -0.7, 0.3 }, { -0.7, 1, 0.2 }, { 0.3, 0.2, 0.5 } }
  return sw.data.noisy_quadratic { hessian = h, covariance = c, n = n, seed = 4 }
end

-- ------------------------------------------------------------------ dual norms

function TestDualNoise:test_sign_of_a_quadratic()
  local p = quadratic(300)
  local model = p:model({ 1.2, 0.4, -0.6 }):build()
  local exact, deviations, sum = p:exact(model:weights(), "train"), 0, 0
  for j = 1, 3 do
    deviations = deviations + math.sqrt(exact.covariance:get(j, j))
    sum = sum + math.abs(exact.gradient:get(j))
  end
  local noise = sw.measure.dual_noise(model, p.data.train, { loss = p.loss })
  near(noise.value, (deviations / sum) ^ 2, 1e-5)
  near(noise.noise, deviations, 1e-5)
  near(noise.signal, sum, 1e-5)
end

-- A matrix of one row: C is tr(Sigma), and the sum of singular values is the length, so that the
-- spectral scale is B_simple. Of a matrix of one column it is not.
function TestDualNoise:test_spectral_of_a_row_is_the_simple_one()
  local p = sw.data.linear_regression { features = 6, n = 200, seed = 3 }
  local model = p:model(0):build()
  local exact = p:exact(model:weights(), "train")
  local noise = sw.measure.dual_noise(model, p.data.train, { loss = p.loss, norm = "spectral" })
  near(noise.value, exact.b_simple, 1e-5)
  near(noise.parameters.weight, exact.b_simple, 1e-5)
end

-- Gradients (row j of the matrix)_i = +-a_j in one column: C is diagonal, known by hand.
function TestDualNoise:test_spectral_of_independent_rows_by_hand()
  local x, y = {}, {}
  for i = 1, 4 do
    x[i] = { 1 }
    y[i] = { i % 2 == 0 and 2 or 0, i > 2 and 5 or 1 }
  end
  local model = sw.nn.Linear(1, 2, { bias = false, init = 0 }):build()
  local function half_square(output, target)
    local difference = output - target
    return (difference * difference):sum(-1) * 0.5
  end
  -- g = -y: mean (-1, -3), deviations with n - 1: sqrt(4/3), sqrt(16/3), uncorrelated
  local noise = sw.measure.dual_noise(model, { x = sw.tensor(x), y = sw.tensor(y) },
    { loss = half_square, norm = "spectral" })
  near(noise.noise, math.sqrt(4 / 3) + math.sqrt(16 / 3), 1e-6)
  near(noise.signal, math.sqrt(10), 1e-6)
end

function TestDualNoise:test_a_part_of_the_set_is_refused()
  local p = quadratic(300)
  local model = p:model(1):build()
  local function refused(text, sample, o)
    o.loss = p.loss
    lu.assert_error_msg_contains(text, sw.measure.dual_noise, model, sample, o)
  end
  refused("the sample has 50 of 300 examples", p.data.train:sample(50), {})
  refused("the sample has 300 of 900 examples", p.data.train, { of = 900 })
  refused("2 are needed", p.data.train:sample(1), { of = 1 })
  refused("the spectral norm is of matrices", p.data.train, { norm = "spectral" })
  lu.assert_true(sw.measure.dual_noise(model, p.data.train:sample(50), { loss = p.loss, of = 50 })
    .value > 0)
end

-- ------------------------------------------------------------------ line search

-- Batches with replacement: their noise is Sigma with n in its denominator.
function TestLineSearch:test_covers_eps_opt_of_a_quadratic()
  local p = quadratic(200)
  local model = p:model({ 1.2, 0.4, -0.6 }):build()
  local e, before = p:exact(model:weights(), "train"), model:weights():table()
  for _, batch in ipairs { 4, 64 } do
    local exact = e.signal / (e.curvature + e.noise_curvature * 199 / 200 / batch)
    local covered, count = 0, coverage.replicates(20)
    for seed = 1, count do
      local found = sw.measure.line_search(model, p.data.train, { loss = p.loss, batch_size = batch,
        seed = seed, dtype = "float64" })
      covered = covered + (found.low <= exact and exact <= found.high and 1 or 0)
      lu.assert_equals(found.status, "resolved")
      lu.assert_true(found.high < 4 * found.low)
    end
    lu.assert_true(covered >= coverage.least(count, 0.95),
      ("batch %d: covered %d of %d"):format(batch, covered, count))
  end
  lu.assert_equals(model:weights():table(), before)
end

-- Each example has a Hessian and a scale of its own: the curvatures are skewed.
function TestLineSearch:test_covers_eps_opt_of_a_regression()
  local p = sw.data.linear_regression { features = 6, n = 200, seed = 3 }
  local model = p:model(0):build()
  local e = p:exact(model:weights(), "train")
  for _, batch in ipairs { 1, 8 } do
    local exact = e.signal / (e.curvature + e.noise_curvature * 199 / 200 / batch)
    coverage.check(coverage.replicates(40), exact, function(seed)
      return sw.measure.line_search(model, p.data.train, { loss = p.loss, batch_size = batch,
        seed = seed, dtype = "float64" })
    end, "line search, batch " .. batch)
  end
end

function TestLineSearch:test_negative_curvature_has_no_best_rate()
  local p = sw.data.noisy_quadratic { hessian = { { -1, 0 }, { 0, -0.5 } },
    covariance = { { 1, 0 }, { 0, 1 } }, n = 50 }
  local found = sw.measure.line_search(p:model({ 1, 1 }):build(), p.data.train, { loss = p.loss,
    batch_size = 10, dtype = "float64", eps = 0.1 })
  lu.assert_equals({ found.status, found.low, found.high }, { "unresolved", 0, math.huge })
  lu.assert_str_contains(found.reason, "is negative")
end

function TestLineSearch:test_of_a_network_agrees_with_the_noise()
  local data = sw.data.gaussian_mixture { classes = 3, features = 4, n = 200, seed = 2, spread = 1 }
  local model = sw.nn.Sequential { sw.nn.Linear(4, 5), sw.nn.Tanh(), sw.nn.Linear(5, 3) }
    :build { seed = 3 }
  local found = sw.measure.line_search(model, data.train, { batch_size = 16, draws = 64, eps = 0.02,
    dtype = "float64" })
  local predicted = sw.measure.noise(model, data.train, { hessian = true, probes = 4 }):eps_opt(16)
  lu.assert_true(found.low < predicted.high and predicted.low < found.high,
    ("%s, %s"):format(found, predicted))
end

function TestLineSearch:test_refusals()
  local p = quadratic(20)
  local model = p:model(1):build()
  lu.assert_error_msg_contains("needs batch_size", sw.measure.line_search, model, p.data.train,
    { loss = p.loss })
  lu.assert_error_msg_contains("draws must be at least 2", sw.measure.line_search, model,
    p.data.train, { loss = p.loss, batch_size = 4, draws = 1 })
end
