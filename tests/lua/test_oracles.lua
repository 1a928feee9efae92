--- Problems with known answers: what they know is compared with loops over their examples in plain
--- Lua, with derivatives of their losses, and with fresh examples.
local lu = require "luaunit"
local sw = require "swale"

local H = { { 2, 0.6, -0.3 }, { 0.6, -0.5, 0.2 }, { -0.3, 0.2, 1 } } -- one negative eigenvalue
local SIGMA = { { 1, 0.4, 0 }, { 0.4, 0.8, -0.5 }, { 0, -0.5, 2 } }
local K = { { 0.5, 0.1, 0 }, { 0.1, 0, 0.4 }, { 0, 0.4, -1 } }
local C = { { 1, 0.3, 0 }, { 0.3, 0.5, -0.1 }, { 0, -0.1, 0.2 } }

-- ------------------------------------------------------------------ plain sums

local function times(m, v)
  local out = {}
  for i = 1, #m do
    out[i] = 0
    for j = 1, #v do out[i] = out[i] + m[i][j] * v[j] end
  end
  return out
end

local function inner(a, b)
  local sum = 0
  for j = 1, #a do sum = sum + a[j] * b[j] end
  return sum
end

local function outer(a, b)
  local m = {}
  for i = 1, #a do
    m[i] = {}
    for j = 1, #b do m[i][j] = a[i] * b[j] end
  end
  return m
end

local function mean_of(rows)
  local mean = {}
  for j = 1, #rows[1] do
    mean[j] = 0
    for i = 1, #rows do mean[j] = mean[j] + rows[i][j] / #rows end
  end
  return mean
end

local function covariance_of(rows)
  local mean, c, d = mean_of(rows), {}, #rows[1]
  for a = 1, d do
    c[a] = {}
    for b = 1, d do
      c[a][b] = 0
      for i = 1, #rows do
        c[a][b] = c[a][b] + (rows[i][a] - mean[a]) * (rows[i][b] - mean[b]) / (#rows - 1)
      end
    end
  end
  return c
end

local function trace_of_product(a, b)
  local sum = 0
  for i = 1, #a do for j = 1, #a do sum = sum + a[i][j] * b[j][i] end end
  return sum
end

local function trace(a)
  local sum = 0
  for i = 1, #a do sum = sum + a[i][i] end
  return sum
end

local function near_vector(got, want, tolerance)
  lu.assert_equals(#got, #want)
  for j = 1, #want do lu.assert_almost_equals(got[j], want[j], tolerance) end
end

local function near_matrix(got, want, tolerance)
  lu.assert_equals(#got, #want)
  for i = 1, #want do near_vector(got[i], want[i], tolerance) end
end

--- Everything that follows from G, H and Sigma.
local function check_answers(known, g, h, sigma, tolerance)
  near_vector(known.gradient:table(), g, tolerance)
  near_matrix(known.hessian:table(), h, tolerance)
  near_matrix(known.covariance:table(), sigma, tolerance)
  local signal, curvature = inner(g, g), inner(g, times(h, g))
  local noise, noise_curvature = trace(sigma), trace_of_product(h, sigma)
  lu.assert_almost_equals(known.signal, signal, tolerance * signal)
  lu.assert_almost_equals(known.noise, noise, tolerance * noise)
  lu.assert_almost_equals(known.b_simple, noise / signal, tolerance * noise / signal)
  lu.assert_almost_equals(known.curvature, curvature, tolerance * math.abs(curvature))
  lu.assert_almost_equals(known.noise_curvature, noise_curvature, tolerance * noise)
  lu.assert_almost_equals(known.b_noise, noise_curvature / curvature,
    tolerance * math.abs(noise_curvature / curvature))
  lu.assert_almost_equals(known.eps_max, signal / curvature,
    tolerance * math.abs(signal / curvature))
end

-- ------------------------------------------------------------------ derivatives of the losses

--- Loss, gradient and Hessian of the training split and the examples' gradients, by the compiler.
local function derivatives(problem, start)
  local model = problem:model(start):build { seed = 1 }
  local f, d = sw.compile(problem.loss, model), #start
  local w, x, y = sw.tensor(start, "float64"), problem.data.train.x, problem.data.train.y
  local function batch(first, n)
    return { x = x:narrow(1, first, n):to "float64", y = y:narrow(1, first, n):to "float64" }
  end
  local whole, gradients, hessian = batch(1, #x), {}, {}
  for i = 1, #x do gradients[i] = select(2, f:value_and_gradient(w, batch(i, 1))):table() end
  for j = 1, d do
    local v = sw.zeros({ d }, "float64")
    v:set(j, 1)
    hessian[j] = f:hvp(w, whole, v):table()
  end
  return f:value(w, whole), gradients, hessian
end

local function check_train(problem, w)
  local loss, gradients, hessian = derivatives(problem, w)
  local known = problem:exact(w)
  check_answers(known, mean_of(gradients), hessian, covariance_of(gradients), 1e-9)
  lu.assert_almost_equals(known.loss, loss, 1e-9)
end

-- ------------------------------------------------------------------ the quadratic with matrices

TestDenseQuadratic = {}

function TestDenseQuadratic:test_derivatives()
  check_train(sw.data.noisy_quadratic { hessian = H, covariance = SIGMA, n = 20 }, { 1, -2, 0.5 })
  check_train(sw.data.noisy_quadratic { hessian = H, covariance = SIGMA, spread = K, n = 20 },
    { 1, -2, 0.5 })
end

--- The examples have the moments that the formulas need; H and Sigma do not commute.
function TestDenseQuadratic:test_formulas_hold_for_the_examples()
  local w = { 0.7, 1, -1 }
  local problem = sw.data.noisy_quadratic { hessian = H, covariance = SIGMA, spread = K, n = 50,
    seed = 3 }
  local kw, sigma = times(K, w), {}
  for i, row in ipairs(outer(kw, kw)) do
    sigma[i] = {}
    for j, value in ipairs(row) do sigma[i][j] = SIGMA[i][j] + value end
  end
  for _, target in ipairs { "train", "population" } do
    check_answers(problem:exact(w, target), times(H, w), H, sigma, 3e-6) -- float32 examples
  end
  lu.assert_true(math.abs(inner(H[1], SIGMA[2]) - inner(H[2], SIGMA[1])) > 0.1)
end

function TestDenseQuadratic:test_a_covariance_may_be_singular()
  local flat = outer({ 1, 2, 0 }, { 1, 2, 0 })
  local problem = sw.data.noisy_quadratic { hessian = H, covariance = flat, n = 30 }
  near_matrix(problem:exact({ 0, 0, 0 }).covariance:table(), flat, 1e-5)
end

local function refuses(message, o)
  lu.assert_error_msg_contains(message, sw.data.noisy_quadratic, o)
end

function TestDenseQuadratic:test_what_is_refused()
  refuses("needs covariance", { hessian = H })
  refuses("hessian: must be symmetric", { hessian = { { 1, 2 }, { 3, 4 } }, covariance = C })
  refuses("covariance: must be a matrix of shape (3, 3)", { hessian = H, covariance = { { 1 } } })
  refuses("covariance: must be positive semidefinite", { hessian = H, covariance = H })
  refuses("n must be above 3", { hessian = H, covariance = SIGMA, n = 3 })
  local problem = sw.data.noisy_quadratic { hessian = H, covariance = SIGMA, n = 5 }
  lu.assert_error_msg_contains('must be "train" or "population", not "test"', problem.exact,
    problem, { 1, 1, 1 }, "test")
end

-- ------------------------------------------------------------------ linear regression

TestRegression = {}

function TestRegression:test_derivatives()
  check_train(sw.data.linear_regression { covariance = C, weights = { 1, -1, 2 }, noise = 0.7,
    n = 20 }, { 0.5, 0, 1 })
end

--- Gradients of fresh examples, drawn here by another factor of C: C = sum of its columns' squares.
function TestRegression:test_population_formulas()
  local problem = sw.data.linear_regression { covariance = C, weights = { 1, -1, 2 }, noise = 0.7,
    n = 5 }
  local w, stream, n = { 0.5, 0, 1 }, sw.random(4, "test"), 40000
  local rows, losses = {}, 0
  for i = 1, n do
    -- x3 first, then x2 and x1 by their conditional laws: a triangle from the other end
    local x3 = math.sqrt(0.2) * stream:normal()
    local x2 = -0.5 * x3 + math.sqrt(0.5 - 0.05) * stream:normal()
    local x1 = 0.3 / 0.45 * (x2 + 0.5 * x3) + math.sqrt(1 - 0.2) * stream:normal()
    local x = { x1, x2, x3 }
    local r = inner(x, w) - inner(x, { 1, -1, 2 }) - 0.7 * stream:normal()
    rows[i] = { r * x1, r * x2, r * x3 }
    losses = losses + r * r / 2 / n
  end
  local known = problem:exact(w, "population")
  near_vector(known.gradient:table(), mean_of(rows), 5 * math.sqrt(known.noise / n))
  near_matrix(known.covariance:table(), covariance_of(rows), 0.12)
  near_matrix(known.hessian:table(), C, 1e-7)
  lu.assert_almost_equals(known.loss, losses, 5 * 1.42 * known.loss / math.sqrt(n))
end

--- The sample's answers tend to the formulas: each part of |G|^2 and tr(Sigma) within its error.
function TestRegression:test_a_large_sample_has_the_formulas()
  local problem = sw.data.linear_regression { features = 4, noise = 2, n = 20000 }
  local w = { 0, 0.5, 1, 2 }
  local sample, formula = problem:exact(w), problem:exact(w, "population")
  lu.assert_almost_equals(sample.noise / formula.noise, 1, 0.06)
  lu.assert_almost_equals(sample.b_noise / formula.b_noise, 1, 0.15)
  near_matrix(sample.hessian:table(), formula.hessian:table(), 0.04)
end

function TestRegression:test_what_is_refused()
  local function no(message, o)
    lu.assert_error_msg_contains(message, sw.data.linear_regression, o)
  end
  no("needs features", {})
  no("covariance: must be positive semidefinite", { covariance = H })
  no("w must be a list or a tensor of 3 numbers", { covariance = C, weights = { 1 } })
  no('weights: w[2] must be a number, got "a"', { features = 2, weights = { 1, "a" } })
end

-- ------------------------------------------------------------------ moving weights

TestStationary = {}

--- The law of one coordinate by iterating its second moments: w <- w + u, u <- m u - eps g,
--- g = h w + z, z of variance c.
local function iterated(eps, m, h, c)
  local ww, wu, uu = 0, 0, 0
  for _ = 1, 20000 do
    local uu2 = m * m * uu - 2 * m * eps * h * wu + eps * eps * (h * h * ww + c)
    local wu2 = m * wu - eps * h * ww
    ww, wu, uu = ww + 2 * wu2 + uu2, wu2 + uu2, uu2
  end
  return ww
end

function TestStationary:test_is_the_fixed_point_of_the_moments()
  local problem = sw.data.noisy_quadratic { h = { 3, 0.5 }, sigma = { 2, 0.7 }, n = 50 }
  for _, m in ipairs { 0, 0.9 } do
    local known = problem:stationary { lr = 0.2, batch_size = 4, momentum = m }
    local signal = 0
    for j, h in ipairs { 3, 0.5 } do
      local c = problem.sigma[j] ^ 2 * 49 / 50 / 4
      local v = iterated(0.2, m, h, c)
      lu.assert_almost_equals(known.deviations[j] ^ 2, v, 1e-9)
      signal = signal + h * h * v
    end
    lu.assert_almost_equals(known.signal, signal, 1e-9)
  end
  local plain, sum = problem:stationary { lr = 0.2, batch_size = 4 }, 0
  for j, h in ipairs { 3, 0.5 } do
    sum = sum + 0.2 * h * problem.sigma[j] ^ 2 * 49 / 50 / (4 * (2 - 0.2 * h))
  end
  lu.assert_almost_equals(plain.signal, sum, 1e-12)
  lu.assert_error_msg_contains("SGD diverges: lr must be below 0.666667", problem.stationary,
    problem, { lr = 0.7, batch_size = 4 })
end

--- Training itself: the mean of |G|^2 over many steps, within five standard errors of 40 parts.
function TestStationary:test_a_trainer_has_it()
  local problem = sw.data.noisy_quadratic { h = { 3, 0.5 }, sigma = { 2, 0.7 }, n = 200 }
  local trainer = sw.Trainer { model = problem:model(0), data = problem.data, loss = problem.loss,
    lr = 0.2, batch_size = 4, sampler = "independent" }
  trainer:fit { steps = 200 }
  local means = {}
  for part = 1, 40 do
    means[part] = 0
    for _ = 1, 100 do
      trainer:fit { steps = 1 }
      means[part] = means[part] + problem:gradient_squared(trainer:weights()) / 100
    end
  end
  local mean, squares = 0, 0
  for _, value in ipairs(means) do mean = mean + value / 40 end
  for _, value in ipairs(means) do squares = squares + (value - mean) ^ 2 end
  local known = problem:stationary { lr = 0.2, batch_size = 4 }
  lu.assert_almost_equals(mean, known.signal, 5 * math.sqrt(squares / 39 / 40))
end
