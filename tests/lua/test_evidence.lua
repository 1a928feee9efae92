-- The evidence against ridge regression, where it is exact, and against integrals over two weights.
local coverage = require "coverage"
local kinks = require "swale.measure.kinks"
local lu = require "luaunit"
local subject = require "swale.measure.subject"
local sw = require "swale"

local nn = sw.nn

TestEvidence = {}

-- Numbers of no pattern in -1 … 1.
local function number(i) return math.sin(7.3 * i * i + i) end

-- n examples of d features, and the targets of a rule f(features of an example, its number).
local function sample_of(n, d, f)
  local x, y = sw.zeros({ n, d }), sw.zeros({ n, 1 })
  for i = 1, n do
    for j = 1, d do x:set(i, j, number(d * i + j) + 0.3 * number(i + 7 * j)) end
    y:set(i, 1, f(x:select(1, i):table(), i))
  end
  return { x = x, y = y }
end

local function linear(d) return nn.Linear(d, 1, { bias = false }):build { seed = 2 } end

-- ------------------------------------------------------------------ ridge regression

-- log N(y; 0, sigma^2 I + X X' / lambda)
local function marginal(sample, sigma, lambda)
  local n, x, y = #sample.x, sample.x:to "float64", sample.y:to "float64"
  local k = x:matmul(x:t()) * (1 / lambda)
  for i = 1, n do k:set(i, i, k:get(i, i) + sigma ^ 2) end
  local _, log = sw.linalg.slogdet(k)
  local fit = y:reshape({ n }):dot(sw.linalg.solve(k, y:reshape { n }))
  return -0.5 * fit - 0.5 * log - n / 2 * math.log(2 * math.pi)
end

function TestEvidence:test_ridge_is_exact()
  for _, lambda in ipairs { 0.01, 1, 30 } do
    local sample = sample_of(12, 4, function(x, i)
      return x[1] - 2 * x[2] + 0.3 * number(50 + i)
    end)
    local want = marginal(sample, 0.4, lambda)
    local e = sw.measure.evidence(linear(4), sample, { lambda = lambda, sigma = 0.4 })
    lu.assert_almost_equals(e.log_evidence.value, want, 1e-10 * math.abs(want))
    lu.assert_equals(e.log_evidence.status, "resolved")
    lu.assert_almost_equals(e.log_evidence.value, -e.cost - e.occam.value, 1e-12)
    lu.assert_true(e.excess < 1e-3)
    local null = marginal({ x = sample.x * 0, y = sample.y }, 0.4, 1)
    lu.assert_almost_equals(e.log_ratio.value, want - null, 1e-9 * math.abs(want))
  end
end

function TestEvidence:test_ridge_of_several_outputs()
  local model = nn.Linear(3, 2, { bias = false }):build { seed = 2 }
  local one = sample_of(9, 3, function(x) return x[1] end)
  local two = sample_of(9, 3, function(x, i) return number(i) - x[2] end)
  local y = sw.zeros { 9, 2 }
  y:select(2, 1):copy(one.y:reshape { 9 })
  y:select(2, 2):copy(two.y:reshape { 9 })
  local want = marginal(one, 0.5, 2) + marginal(two, 0.5, 2)
  local e = sw.measure.evidence(model, { x = one.x, y = y }, { weight_decay = 2 / 9, sigma = 0.5 })
  lu.assert_almost_equals(e.log_evidence.value, want, 1e-10 * math.abs(want))
  lu.assert_almost_equals(e.lambda, 2, 1e-12)
end

-- ------------------------------------------------------------------ logistic regression

-- Normal features; the label is 1 with probability 1 / (1 + exp(-x'(1, -1))).
local function logistic_sample(n)
  local random = sw.random(3, "test")
  local x, y = sw.zeros { n, 2 }, sw.zeros { n, 1 }
  for i = 1, n do
    local a, b = random:normal(), random:normal()
    x:set(i, 1, a)
    x:set(i, 2, b)
    y:set(i, 1, random:uniform() < 1 / (1 + math.exp(b - a)) and 1 or 0)
  end
  return { x = x, y = y }
end

-- log of the integral of exp(-C) times the prior, by the trapezoidal rule over a wide square about
-- the minimum, whose axes are the Hessian's. C in double from the definition.
local function integral(sample, lambda, centre, h)
  local n, x, y = #sample.x, {}, {}
  for i = 1, n do x[i], y[i] = sample.x:select(1, i):table(), sample.y:get(i, 1) end
  local function cost(a, b)
    local sum = lambda / 2 * (a * a + b * b)
    for i = 1, n do
      local z = x[i][1] * a + x[i][2] * b
      sum = sum + math.max(z, 0) - y[i] * z + math.log(1 + math.exp(-math.abs(z)))
    end
    return sum
  end
  local w, v = sw.linalg.eigh(h)
  local s1, s2 = w:get(1) ^ -0.5, w:get(2) ^ -0.5
  local steps, reach, total = 30, 8, 0
  local least = cost(centre:get(1), centre:get(2))
  for i = -steps, steps do
    for j = -steps, steps do
      local p, q = s1 * reach * i / steps, s2 * reach * j / steps
      local a = centre:get(1) + p * v:get(1, 1) + q * v:get(1, 2)
      local b = centre:get(2) + p * v:get(2, 1) + q * v:get(2, 2)
      total = total + math.exp(least - cost(a, b))
    end
  end
  return math.log(total * s1 * s2 * (reach / steps) ^ 2 * lambda / (2 * math.pi)) - least
end

-- C's Hessian: sum p (1 - p) x x' + lambda.
local function logistic_hessian(sample, lambda, w)
  local h = sw.tensor({ { lambda, 0 }, { 0, lambda } }, "float64")
  for i = 1, #sample.x do
    local x = sample.x:select(1, i):table()
    local p = 1 / (1 + math.exp(-x[1] * w:get(1) - x[2] * w:get(2)))
    for j = 1, 2 do
      for k = 1, 2 do h:set(j, k, h:get(j, k) + p * (1 - p) * x[j] * x[k]) end
    end
  end
  return h
end

function TestEvidence:test_logistic_regression_against_the_integral()
  local worst = 0
  for _, n in ipairs { 50, 100, 200, 400, 800 } do
    local sample = logistic_sample(n)
    local labels = { x = sample.x, y = sample.y:reshape({ n }):to "int32" }
    local e = sw.measure.evidence(linear(2), labels, { lambda = 0.5, loss = sw.loss.logistic,
      tolerance = 1e-9 })
    local h = logistic_hessian(sample, 0.5, e.weights)
    local exact = integral(sample, 0.5, e.weights, h)
    local off = math.abs(e.log_evidence.value - exact) * n
    worst = math.max(worst, off)
    lu.assert_true(off < 2.5, ("N = %d: N times the error is %.3g"):format(n, off))
    lu.assert_almost_equals(e.log_ratio.value, e.log_evidence.value + n * math.log(2), 1e-9 * n)
  end
  lu.assert_true(worst > 1) -- where it is not exact, the integral tells
end

-- ------------------------------------------------------------------ networks

local function network(norm)
  local layer = nn.Sequential { nn.Linear(5, 4), norm or nn.Tanh(), nn.Linear(4, 3) }
  return layer:build { seed = 3 }, sw.data.gaussian_mixture { n = 40, features = 5,
    classes = 3 }.train
end

-- The Occam factor moves with the square root of what C lies above its minimum.
function TestEvidence:test_the_occam_factor_is_that_of_the_minimum()
  local data = sw.data.load "digits"
  local model = nn.Linear(data.features, data.classes):build { seed = 1 }
  local sample = data.train:sample(60)
  local e = sw.measure.evidence(model, sample, { lambda = 1 })
  local best = sw.measure.evidence(model, sample, { lambda = 1, tolerance = 1e-10 })
  lu.assert_almost_equals(e.occam.value, best.occam.value, 1e-4)
  local coarse = sw.measure.evidence(model, sample, { lambda = 1, tolerance = 1 })
  lu.assert_almost_equals(coarse.occam.value, best.occam.value, 1e-2)
end

function TestEvidence:test_lanczos_covers_the_exact_one()
  local model, sample = network()
  local exact = sw.measure.evidence(model, sample, { lambda = 1, iterations = 200 })
  lu.assert_equals(exact.log_evidence.status, "resolved")
  lu.assert_equals(exact.negative, 0)
  coverage.check(coverage.replicates(25), { exact.occam.value, exact.log_evidence.value,
    exact.log_ratio.value }, function(seed)
    local e = sw.measure.evidence(model, sample, { lambda = 1, method = "lanczos", steps = 20,
      weights = exact.weights, minimise = false, seed = seed })
    return { e.occam, e.log_evidence, e.log_ratio }
  end, "occam, evidence, ratio")
end

function TestEvidence:test_the_model_is_left_alone()
  local model, sample = network()
  local before = model:weights():table()
  sw.measure.evidence(model, sample, { lambda = 1 })
  lu.assert_equals(model:weights():table(), before)
end

function TestEvidence:test_above_the_minimum_is_unresolved()
  local model, sample = network()
  local e = sw.measure.evidence(model, sample, { lambda = 1, minimise = false,
    negative = "gauss_newton" })
  lu.assert_equals(e.log_evidence.status, "unresolved")
  lu.assert_str_contains(tostring(e.log_evidence), "nats above its minimum")
  e = sw.measure.evidence(model, sample, { lambda = 1, iterations = 1, negative = "gauss_newton" })
  lu.assert_str_contains(tostring(e.log_ratio), "number of iterations is used up")
end

-- 1/4 (w^2 - 1)^2 a example at w = 0: a maximum, with lambda below its curvature.
local function double_well()
  local layer = nn.Lambda(function(x, p) return p.w + x * 0 end, { w = sw.zeros { 2 } })
  local loss = function(output) return ((output * output - 1):square() * 0.25):sum(-1) end
  return layer:build(), { x = sw.ones { 5, 2 }, y = sw.zeros { 5, 1 } }, loss
end

function TestEvidence:test_negative_eigenvalues_are_counted()
  local model, sample, loss = double_well()
  for _, method in ipairs { "exact", "lanczos" } do
    local e = sw.measure.evidence(model, sample, { lambda = 1, loss = loss, method = method })
    lu.assert_equals(e.log_evidence.status, "unresolved")
    lu.assert_equals({ e.log_evidence.low, e.log_evidence.high }, { -math.huge, math.huge })
    lu.assert_equals(e.negative, method == "exact" and 2 or 1)
    lu.assert_str_contains(e.occam.reason, ("%s of the eigenvalues of C's Hessian %s not positive")
      :format(method == "exact" and "2" or "at least 1", method == "exact" and "are" or "is"))
    lu.assert_nil(e.log_ratio)
    e = sw.measure.evidence(model, sample, { lambda = 1, loss = loss, method = method,
      negative = "gauss_newton" })
    lu.assert_equals(e.log_evidence.status, "resolved")
  end
end

-- (relu(w) + 1)^2 + (relu(-w) + 1)^2 is a V about w = 0.
function TestEvidence:test_a_kink_is_named()
  local model = nn.Sequential { nn.Linear(1, 1, { bias = false }), nn.ReLU() }:build { seed = 1 }
  local sample = { x = sw.tensor { { 1 }, { -1 } }, y = sw.tensor { { -1 }, { -1 } } }
  for _, method in ipairs { "exact", "lanczos" } do
    local e = sw.measure.evidence(model, sample, { lambda = 0.3, sigma = 1, method = method,
      weights = sw.tensor { 0.7 } })
    lu.assert_equals(e.log_evidence.status, "unresolved")
    lu.assert_equals({ e.log_evidence.low, e.log_evidence.high }, { -math.huge, math.huge })
    lu.assert_str_contains(e.log_evidence.reason,
      "ended at kinks, where C has no parabola: 2 of 2 rectified values")
    lu.assert_almost_equals(e.weights:item(), 0, 1e-6)
    lu.assert_almost_equals(e.cost, 1 + math.log(2 * math.pi), 1e-6)
  end
end

-- Where no value changes its sign near the minimum, rectifiers do not matter.
function TestEvidence:test_a_minimum_between_kinks_is_exact()
  local sample = sample_of(12, 1, function(x) return 2 + x[1] end)
  local x = sample.x
  for i = 1, 12 do x:set(i, 1, 2 + x:get(i, 1)) end -- outputs w x > 0
  local relu = nn.Sequential { nn.Linear(1, 1, { bias = false }), nn.ReLU() }:build { seed = 1 }
  local e = sw.measure.evidence(relu, sample, { lambda = 1, sigma = 0.4, weights = sw.ones { 1 } })
  lu.assert_almost_equals(e.log_evidence.value, marginal(sample, 0.4, 1), 1e-9)
end

function TestEvidence:test_changed_signs_are_counted()
  local model = nn.Sequential { nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3) }:build { seed = 3 }
  local sample = sw.data.gaussian_mixture { n = 40, features = 5, classes = 3 }.train
  local s = subject.of("measure.test", model, sample, { dtype = "float64", mode = "eval",
    weight_decay = 0, batch_size = 7, seed = 1 })
  local a = model:weights():to "float64"
  local b = a + sw.randn({ #a }, "float64") * 0.5
  local function is_on(w, example, unit)
    local sum = w:get(20 + unit)
    for j = 1, 5 do sum = sum + w:get(5 * (unit - 1) + j) * example:get(j) end
    return sum > 0
  end
  local want = 0
  for i = 1, s.n do
    local example = s:batch(sw.tensor({ i - 1 }, "int32")).x:reshape { 5 }
    for unit = 1, 4 do
      if is_on(a, example, unit) ~= is_on(b, example, unit) then want = want + 1 end
    end
  end
  lu.assert_equals({ kinks.between(s, a, b) }, { want, 4 * s.n })
  lu.assert_true(want > 5 and want < 4 * s.n)
  lu.assert_equals({ kinks.between(s, a, a) }, { 0, 4 * s.n })
end

function TestEvidence:test_what_is_refused()
  local model, sample = network(nn.BatchNorm(4))
  local function refused(words, o)
    lu.assert_error_msg_contains(words, sw.measure.evidence, model, sample, o)
  end
  refused("batch norm in training mode couples them", { lambda = 1, mode = "train" })
  refused("needs lambda", {})
  refused("needs lambda", { lambda = 1, weight_decay = 0.1 })
  refused("the prior is one of all weights", { lambda = 1, over = "^0%." })
  refused("sigma or a loss, not both", { lambda = 1, sigma = 1, loss = sw.loss.mse })
  refused("probes must be at least 2", { lambda = 1, probes = 1 })
end
