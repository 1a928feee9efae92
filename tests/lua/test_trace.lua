-- Trace and diagonal against whole Hessians: exact where nothing is drawn, covered over seeds where
-- signs are.
local coverage = require "coverage"
local lu = require "luaunit"
local sw = require "swale"

local nn = sw.nn

TestTrace = {}

local EPSILON <const> = 2 ^ -52

-- A network of 39 weights and its Hessian, in double.
local function network(kind)
  local layer = nn.Sequential { nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3) }
  local sample = sw.data.gaussian_mixture { n = 23, features = 5, classes = 3 }.train
  local model = layer:build { seed = 3 }
  local h = model:loss_on(sample):full_hessian(model:weights():to "float64", { kind = kind })
  return model, sample, h
end

-- A dense quadratic with negative eigenvalues: weights, loss, H.
local function quadratic(d)
  local h = sw.zeros({ d, d }, "float64")
  for i = 1, d do
    for j = 1, d do h:set(i, j, math.cos(i * j) / math.sqrt(d) + (i == j and 5 / i - 0.5 or 0)) end
  end
  local c = sw.zeros({ d, d }, "float64")
  for i = 1, d do c:set(i, i, 1) end
  local problem = sw.data.noisy_quadratic { hessian = h, covariance = c, n = 30 }
  return problem:model():build(), problem.data.train, problem.hessian:to("float32"):to "float64",
    problem.loss
end

local function trace_of(h)
  local sum = 0
  for i = 1, #h do sum = sum + h:get(i, i) end
  return sum
end

-- sum of h_ij^2 over j but i, of each i
local function off_diagonal(h)
  local sums = {}
  for i = 1, #h do sums[i] = h:select(1, i):norm() ^ 2 - h:get(i, i) ^ 2 end
  return sums
end

function TestTrace:test_exact()
  for _, kind in ipairs { "hvp", "gauss_newton" } do
    local model, sample, h = network(kind)
    local o = { method = "exact", kind = kind, dtype = "float64" }
    local t = sw.measure.trace(model, sample, o)
    lu.assert_almost_equals(t.value, trace_of(h), 100 * EPSILON * #h)
    lu.assert_equals({ t.low, t.high, t.products }, { t.value, t.value, 39 })
    o.over, o.weight_decay = "^2%.", 0.5
    local last = h:narrow(1, 25, 15):narrow(2, 25, 15)
    lu.assert_almost_equals(sw.measure.trace(model, sample, o).value, trace_of(last) + 7.5,
      100 * EPSILON * #h)
  end
end

function TestTrace:test_a_sketch_of_the_whole_space_leaves_nothing()
  local model, sample, h = network()
  local t = sw.measure.trace(model, sample, { sketch = 39, probes = 90, dtype = "float64" })
  lu.assert_almost_equals(t.value, trace_of(h), 1e-10)
  lu.assert_true(t.high - t.low < 1e-8)
end

function TestTrace:test_covers()
  local n = coverage.replicates(40)
  for _, kind in ipairs { "hvp", "gauss_newton" } do
    local model, sample, h = network(kind)
    for _, method in ipairs { "hutchinson", "hutch++" } do
      coverage.check(n, trace_of(h), function(seed)
        return sw.measure.trace(model, sample, { method = method, probes = 24, sketch = 4,
          seed = seed, kind = kind, dtype = "float64" })
      end, method .. " of a network, " .. kind)
    end
  end
  local model, sample, h, loss = quadratic(16)
  for _, method in ipairs { "hutchinson", "hutch++" } do
    coverage.check(n, trace_of(h), function(seed)
      return sw.measure.trace(model, sample, { method = method, probes = 24, sketch = 4,
        seed = seed, loss = loss, dtype = "float64" })
    end, method .. " of a quadratic")
  end
end

function TestTrace:test_covers_with_draws_until_a_relative_error()
  local model, sample, h = network()
  coverage.check(coverage.replicates(40), trace_of(h), function(seed)
    local t = sw.measure.trace(model, sample, { relative_error = 0.15, seed = seed, sketch = 2,
      dtype = "float64" })
    lu.assert_true(t.high - t.low <= 0.3 * t.value)
    lu.assert_true(t.products < 1000)
    return t
  end, "until 15 %")
end

-- sqrt(2 (|H|_F^2 - sum h_ii^2) / m)
function TestTrace:test_the_standard_error()
  local model, sample, h, loss = quadratic(16)
  local off, squares, n, probes = 0, 0, 40, 20
  for _, x in ipairs(off_diagonal(h)) do off = off + x end
  for seed = 1, n do
    local t = sw.measure.trace(model, sample, { method = "hutchinson", probes = probes,
      loss = loss, seed = seed })
    squares = squares + t.standard_error ^ 2 / n
  end
  local ratio = math.sqrt(squares / (2 * off / probes))
  lu.assert_true(ratio < 1.2 and ratio > 1 / 1.2, ("off by a factor of %.3f"):format(ratio))
end

function TestTrace:test_signs_of_a_diagonal_matrix_have_no_variance()
  local problem = sw.data.noisy_quadratic { dimensions = 6, n = 20 }
  local model = problem:model():build()
  local t = sw.measure.trace(model, problem.data.train, { loss = problem.loss, probes = 5,
    method = "hutchinson" })
  lu.assert_almost_equals(t.value, 2.45, 1e-5)
  lu.assert_almost_equals(t.standard_error, 0, 1e-6)
end

function TestTrace:test_nothing_else_changes()
  local model, sample = network()
  local before = model:weights():table()
  local stream = sw.random(1)
  local first = sw.measure.trace(model, sample, { seed = 4 })
  lu.assert_equals(sw.measure.trace(model, sample, { seed = 4 }).value, first.value)
  lu.assert_not_equals(sw.measure.trace(model, sample, { seed = 5 }).value, first.value)
  lu.assert_equals(model:weights():table(), before)
  lu.assert_equals(stream:uniform(), sw.random(1):uniform())
  lu.assert_str_contains(tostring(first), "trace of the Hessian on 23 examples")
end

function TestTrace:test_too_few_probes_are_refused()
  local model, sample = network()
  lu.assert_error_msg_contains("needs probes = 2, two beside the 0 products of the sketch, not 1",
    sw.measure.trace, model, sample, { probes = 1 })
  lu.assert_error_msg_contains("probes must be at least 2", sw.measure.diagonal, model, sample,
    { probes = 1 })
end

-- Of h_12 = 1 alone v'Hv is -2 or 2, half the time: few draws are often all alike.
function TestTrace:test_few_draws_cover_or_give_no_interval()
  local problem = sw.data.noisy_quadratic { hessian = { { 0, 1 }, { 1, 0 } },
    covariance = { { 1, 0 }, { 0, 1 } }, n = 20 }
  local model, sample = problem:model():build(), problem.data.train
  local function both(probes, seed)
    local o = { loss = problem.loss, probes = probes, seed = seed, dtype = "float64" }
    local d = sw.measure.diagonal(model, sample, o):estimate(1)
    o.method = "hutchinson"
    return { sw.measure.trace(model, sample, o), d }
  end
  coverage.check(coverage.replicates(100), { 0, 0 }, function(seed) return both(6, seed) end,
    "two values")
  for _, e in ipairs(both(5, 1)) do
    lu.assert_equals({ e.status, e.low, e.high }, { "unresolved", -math.huge, math.huge })
    lu.assert_str_contains(e.reason, "5 draws give no interval: 6 are needed")
  end
end

function TestTrace:test_covers_the_diagonal()
  for _, kind in ipairs { "hvp", "gauss_newton" } do
    local model, sample, h = network(kind)
    local truths = {}
    for i = 1, 39, 6 do truths[#truths + 1] = h:get(i, i) end
    coverage.check(coverage.replicates(40), truths, function(seed)
      local d = sw.measure.diagonal(model, sample, { probes = 24, seed = seed, kind = kind,
        dtype = "float64" })
      local list = {}
      for i = 1, 39, 6 do list[#list + 1] = d:estimate(i) end
      return list
    end, "diagonal, " .. kind)
  end
end

function TestTrace:test_standard_errors_of_a_diagonal()
  local model, sample, h, loss = quadratic(16)
  local d = sw.measure.diagonal(model, sample, { probes = 400, loss = loss })
  for i, off in ipairs(off_diagonal(h)) do
    local ratio = d.standard_errors:get(i) / math.sqrt(off / 400)
    lu.assert_true(ratio < 1.25 and ratio > 0.8, ("element %d: factor %.3f"):format(i, ratio))
    lu.assert_almost_equals(d.values:get(i), h:get(i, i), 5 * math.sqrt(off / 400))
  end
end
