-- Batch sharpness and its relatives on linear regression, against all batches by dense algebra.
local coverage = require "coverage"
local folders = require "swale.folders"
local lu = require "luaunit"
local sw = require "swale"
local temporary = require "temporary"

TestEdge = {}

local N, D, BATCH, MOMENTUM = 7, 3, 2, 0.7

-- Numbers of no pattern in -1 … 1.
local function number(i) return math.sin(7.3 * i * i + i) end

local function problem()
  local x, y = sw.zeros({ N, D }), sw.zeros({ N, 1 })
  for i = 1, N do
    for j = 1, D do x:set(i, j, number(D * i + j) * j) end
    y:set(i, 1, number(100 + i))
  end
  local model = sw.nn.Linear(D, 1, { bias = false }):build { seed = 2 }
  return model, { x = x, y = y }
end

local function product(h, v)
  local out = {}
  for i = 1, D do
    out[i] = 0
    for j = 1, D do out[i] = out[i] + h[i][j] * v[j] end
  end
  return out
end

local function dot(a, b)
  local sum = 0
  for i = 1, D do sum = sum + a[i] * b[i] end
  return sum
end

-- Gradient and Hessian of mean (x'w - y)^2 over the examples of a list, plus decay / 2 |w|^2.
local function dense(model, sample, list, decay)
  local w, g, h = model:weights():table(), {}, {}
  for i = 1, D do
    g[i], h[i] = decay * w[i], {}
    for j = 1, D do h[i][j] = i == j and decay or 0 end
  end
  for _, example in ipairs(list) do
    local x = sample.x:select(1, example):table()
    local error = dot(x, w) - sample.y:get(example, 1)
    for i = 1, D do
      g[i] = g[i] + 2 * error * x[i] / #list
      for j = 1, D do h[i][j] = h[i][j] + 2 * x[i] * x[j] / #list end
    end
  end
  return g, h
end

local function velocity() return sw.tensor { 0.3, -0.2, 0.4 } end

local function everything()
  local all = {}
  for i = 1, N do all[i] = i end
  return all
end

-- The means over all pairs of examples.
local function answers(model, sample, decay)
  local a = { ratio = 0, curvature = 0, square = 0, momentum = 0, interaction = 0 }
  local mean, whole = dense(model, sample, everything(), decay)
  local pairs_of, v = N * (N - 1) / 2, velocity():table()
  for i = 1, N do
    for j = i + 1, N do
      local g, h = dense(model, sample, { i, j }, decay)
      local s = {}
      for k = 1, D do s[k] = MOMENTUM * v[k] + g[k] end
      a.ratio = a.ratio + dot(g, product(h, g)) / dot(g, g) / pairs_of
      a.curvature = a.curvature + dot(g, product(h, g)) / pairs_of
      a.square = a.square + dot(g, g) / pairs_of
      a.momentum = a.momentum + dot(s, product(h, s)) / dot(s, g) / pairs_of
      a.interaction = a.interaction + dot(g, product(whole, g)) / dot(mean, mean) / pairs_of
    end
  end
  return a
end

local function edge(model, sample, o)
  o.loss, o.batch_size, o.dtype = sw.loss.mse, o.batch_size or BATCH, "float64"
  return sw.measure.edge(model, sample, o)
end

function TestEdge:test_covers_the_mean_over_all_batches()
  local model, sample = problem()
  for _, decay in ipairs { 0, 0.3 } do
    local a = answers(model, sample, decay)
    coverage.check(coverage.replicates(30), { a.ratio, a.curvature / a.square, a.interaction },
      function(seed)
        local e = edge(model, sample, { seed = seed, draws = 250, relative_error = 1e-3,
          interaction = true, top = false, weight_decay = decay })
        return { e.batch_sharpness, e.ratio_of_means, e.interaction }
      end, "sharpness, ratio, interaction")
  end
end

function TestEdge:test_covers_with_draws_until_a_relative_error()
  local model, sample = problem()
  local a = answers(model, sample, 0)
  coverage.check(coverage.replicates(30), { a.ratio, a.curvature / a.square }, function(seed)
    local e = edge(model, sample, { seed = seed, relative_error = 0.2, draws = 5000, top = false })
    for _, name in ipairs { "batch_sharpness", "ratio_of_means" } do
      lu.assert_true(e[name].high - e[name].low <= 0.4 * e[name].value)
    end
    lu.assert_true(e.draws < 5000)
    return { e.batch_sharpness, e.ratio_of_means }
  end, "until 20 %")
end

-- Nearly interpolated but for one example of 60, so that few batches have nearly all of E[g'Hg].
local function few_large_gradients()
  local n = 60
  local x, y = sw.zeros({ n, D }), sw.zeros({ n, 1 })
  local model = sw.nn.Linear(D, 1, { bias = false }):build { seed = 2 }
  local w = model:weights():table()
  for i = 1, n do
    local fit = 0
    for j = 1, D do
      x:set(i, j, number(D * i + j))
      fit = fit + w[j] * x:get(i, j)
    end
    y:set(i, 1, fit + (i == 7 and 3 or 0.05 * number(500 + i)))
  end
  return model, { x = x, y = y }, n
end

function TestEdge:test_interaction_covers_where_few_gradients_are_large()
  local model, sample, n = few_large_gradients()
  local all, truth = {}, 0
  for i = 1, n do all[i] = i end
  local mean, whole = dense(model, sample, all, 0)
  for i = 1, n do
    local g = dense(model, sample, { i }, 0)
    truth = truth + dot(g, product(whole, g)) / dot(mean, mean) / n
  end
  coverage.check(coverage.replicates(40), truth, function(seed)
    local e = edge(model, sample, { batch_size = 1, seed = seed, draws = 60, interaction = true,
      top = false }).interaction
    lu.assert_true(e.high - e.low < 0.4 * truth)
    return e
  end, "few large gradients")
end

function TestEdge:test_with_momentum_covers()
  local model, sample = problem()
  local truth = answers(model, sample, 0).momentum
  coverage.check(coverage.replicates(30), truth, function(seed)
    local m = edge(model, sample, { seed = seed, velocity = velocity(), momentum = MOMENTUM,
      draws = 100, relative_error = 1e-3, top = false }).with_momentum
    lu.assert_equals(m.status, "resolved")
    return m
  end, "with momentum")
end

-- Momentum against the gradient: s'g has both signs.
function TestEdge:test_steps_at_a_right_angle_to_gradients_are_unresolved()
  local model, sample = problem()
  local v = dense(model, sample, everything(), 0)
  for k = 1, D do v[k] = -1.2 * v[k] end
  local m = edge(model, sample, { velocity = sw.tensor(v), momentum = MOMENTUM, top = false,
    draws = 100 }).with_momentum
  lu.assert_equals({ m.status, m.low, m.high }, { "unresolved", -math.huge, math.huge })
  lu.assert_str_contains(m.reason, "s'g is near 0 or below for some batches")
end

function TestEdge:test_the_whole_sample_as_a_batch_is_exact()
  local model, sample = problem()
  local g, h = dense(model, sample, everything(), 0)
  local e = edge(model, sample, { batch_size = N, lr = 0.1, velocity = velocity(),
    momentum = MOMENTUM })
  local want = dot(g, product(h, g)) / dot(g, g)
  for _, name in ipairs { "batch_sharpness", "ratio_of_means" } do
    lu.assert_almost_equals(e[name].value, want, 1e-12 * want)
    lu.assert_equals({ e[name].low, e[name].high }, { e[name].value, e[name].value })
  end
  local s, v = {}, velocity():table()
  for k = 1, D do s[k] = MOMENTUM * v[k] + g[k] end
  lu.assert_almost_equals(e.with_momentum.value, dot(s, product(h, s)) / dot(s, g), 1e-6)
  local exact = sw.linalg.eigvalsh(sw.tensor(h, "float64"))
  lu.assert_almost_equals(e.top.value, exact:get(D), 1e-12)
  lu.assert_almost_equals(e.thresholds.plain, 20, 1e-12)
  lu.assert_almost_equals(e.thresholds.small_batch, 6, 1e-12)
  lu.assert_almost_equals(e.thresholds.large_batch, 34, 1e-12)
end

function TestEdge:test_batch_norm_in_training_mode()
  local nn = sw.nn
  local sample = sw.data.gaussian_mixture { n = 20, features = 5, classes = 3 }.train
  local model = nn.Sequential { nn.Linear(5, 4), nn.BatchNorm(4), nn.ReLU(), nn.Linear(4, 3) }
    :build()
  local e = sw.measure.edge(model, sample, { batch_size = 8, mode = "train", draws = 30 })
  lu.assert_equals(e.batch_sharpness.status, "resolved")
  lu.assert_error_msg_contains("examples of a batch are coupled", sw.measure.edge, model, sample,
    { batch_size = 8, mode = "train", interaction = true })
end

function TestEdge:test_what_is_refused()
  local model, sample = problem()
  local function refused(words, o)
    lu.assert_error_msg_contains(words, edge, model, sample, o)
  end
  refused("batch_size must be at most the 7 examples", { batch_size = 8 })
  refused("momentum must be below 1", { momentum = 1 })
  refused("draws must be at least 2", { draws = 1 })
  refused("velocity has 2 elements, the model has 3", { velocity = sw.tensor { 1, 2 } })
end

function TestEdge:test_plot()
  local model, sample = problem()
  local folder = temporary.folder()
  edge(model, sample, { draws = 30, lr = 0.1, momentum = 0.5 }):plot(folder .. "/edge.svg")
  lu.assert_str_contains(folders.read(folder .. "/edge.svg"), "batch sharpness")
  folders.remove(folder)
end

--- Of 300 examples with log-normal inputs and residuals 96 are drawn one by one: the ratio of
--- means, known from all of them, is open where few of the draws hold it. Of all 300 it is not.
function TestEdge:test_the_ratio_is_open_where_few_batches_hold_it()
  local seeds, held, resolved = coverage.replicates(40), 0, 0
  local model = sw.nn.Linear(1, 1, { bias = false }):build { seed = 1 }
  model:weights():fill(0)
  local function measured(x, y, seed, most)
    return sw.measure.edge(model, { x = x, y = y }, { loss = sw.loss.mse, batch_size = 1,
      draws = most, top = false, seed = seed }).ratio_of_means
  end
  for seed = 1, seeds do
    local stream, above, below = require("swale.core").random(seed, "heavy"), 0, 0
    local x, y = sw.zeros { 300, 1 }, sw.zeros { 300, 1 }
    for i = 1, 300 do
      local sign = stream:integer(2) == 1 and 1 or -1
      x:set(i, 1, math.exp(0.5 * stream:normal()))
      y:set(i, 1, sign * math.exp(0.5 * stream:normal()))
      local square = (2 * x:get(i, 1) * y:get(i, 1)) ^ 2
      above, below = above + square * 2 * x:get(i, 1) ^ 2, below + square
    end
    local e = measured(x, y, seed, 96)
    if e.low <= above / below and above / below <= e.high then held = held + 1 end
    if e.status == "resolved" then
      resolved = resolved + 1
    else
      lu.assert_str_contains(e.reason, "of 96 batches hold the means")
    end
    if seed == 1 then lu.assert_equals(measured(x, y, seed, 300).status, "resolved") end
  end
  local text = ("of %d %d cover, %d are resolved"):format(seeds, held, resolved)
  if coverage.LONG then print(text) end
  lu.assert_true(held >= coverage.least(seeds, 0.95), text)
  lu.assert_true(resolved <= 0.25 * seeds, text)
end
