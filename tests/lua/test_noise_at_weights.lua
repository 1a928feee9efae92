--- Gradient noise at frozen weights: exact answers, enumeration of draws, coverage of intervals.
local coverage = require "coverage"
local core = require "swale.core"
local lu = require "luaunit"
local ops = require "swale.ops"
local statistics = require "swale.measure.noise_statistics"
local sw = require "swale"

TestNoiseAtWeights = {}


local function near(got, want, tolerance)
  lu.assert_almost_equals(got, want, tolerance * math.max(1e-3, math.abs(want)))
end

-- ------------------------------------------------------------------ estimators, by enumeration

local VECTORS = { { 1, 2 }, { -1, 0.5 }, { 3, -1 }, { 0.2, 0.1 }, { -2, 1 }, { 0.5, -3 } }

local function dot(a, b) return a[1] * b[1] + a[2] * b[2] end

-- Mean, covariance with `divisor`, of all vectors.
local function facts(divisor)
  local n, g, s = #VECTORS, { 0, 0 }, { { 0, 0 }, { 0, 0 } }
  for _, v in ipairs(VECTORS) do for j = 1, 2 do g[j] = g[j] + v[j] / n end end
  for _, v in ipairs(VECTORS) do
    for i = 1, 2 do
      for j = 1, 2 do s[i][j] = s[i][j] + (v[i] - g[i]) * (v[j] - g[j]) / divisor end
    end
  end
  local along = dot(g, { dot(s[1], g), dot(s[2], g) })
  return { signal = dot(g, g), trace = s[1][1] + s[2][2], along = along,
    square = s[1][1] ^ 2 + s[2][2] ^ 2 + 2 * s[1][2] ^ 2 }
end

-- The blocks of one example each that `places` names.
local function blocks_of(places)
  local gram, squares, units = {}, {}, {}
  for i, p in ipairs(places) do
    gram[i], squares[i], units[i] = {}, dot(VECTORS[p], VECTORS[p]), 1
    for j, q in ipairs(places) do gram[i][j] = dot(VECTORS[p], VECTORS[q]) end
  end
  return { gram = core.tensor(gram, "float64"), squares = squares, units = units, weights = 2 }
end

-- Calls f for all draws of four, with or without replacement.
local function each_draw(replacement, f)
  local places, count = {}, 0
  local function draw(k)
    if k > 4 then
      f(places)
      count = count + 1
      return
    end
    for p = 1, #VECTORS do
      local seen = false
      for i = 1, k - 1 do seen = seen or places[i] == p end
      if replacement or not seen then
        places[k] = p
        draw(k + 1)
        places[k] = nil
      end
    end
  end
  draw(1)
  return count
end

local function mean_over_draws(drawn)
  local a, b = 0, 0
  local count = each_draw(drawn.replacement, function(places)
    local s = statistics.signal_and_noise(statistics.moments(blocks_of(places)), drawn)
    a, b = a + s.a, b + s.b
  end)
  return a / count, b / count
end

local function drawn(target, replacement)
  return { size = 1, n = 4, of = #VECTORS, replacement = replacement, target = target,
    by_examples = true }
end

-- "population": the vectors are themselves drawn from one, so |G|^2 of it is |G_N|^2 - S / N.
function TestNoiseAtWeights:test_signal_and_noise_are_unbiased_for_each_target_and_each_draw()
  local n = #VECTORS
  local f = facts(n - 1)
  local wanted = { train = f.signal, population = f.signal - f.trace / n }
  for target, signal in pairs(wanted) do
    for _, replacement in ipairs { false, true } do
      local a, b = mean_over_draws(drawn(target, replacement))
      near(b, signal, 1e-12)
      local shift = replacement and target == "train" and (n - 1) / n or 1
      near(a, f.trace * shift, 1e-12)
    end
  end
end

function TestNoiseAtWeights:test_second_order_moments_are_unbiased()
  local f, square, along = facts(#VECTORS), 0, 0
  local count = each_draw(true, function(places)
    local s, l = statistics.second_order(blocks_of(places))
    square, along = square + s, along + l
  end)
  near(square / count, f.square, 1e-12)
  near(along / count, f.along, 1e-12)
end

-- ------------------------------------------------------------------ exact answers

local function dense_quadratic(n)
  local h = { { 1, 0.3, 0.1 }, { 0.3, -0.4, 0.2 }, { 0.1, 0.2, 0.8 } }
  local c = { { 2, -0.7, 0.3 }, { -0.7, 1, 0.2 }, { 0.3, 0.2, 0.5 } }
  return sw.data.noisy_quadratic { hessian = h, covariance = c, n = n, seed = 4 }
end

function TestNoiseAtWeights:test_the_whole_set_gives_its_own_exactly()
  local p = dense_quadratic(500)
  local model = p:model({ 0.5, -0.2, 0.1 }):build()
  local exact = p:exact(model:weights(), "train")
  local noise = sw.measure.noise(model, p.data.train, { loss = p.loss })
  near(noise.signal.value, exact.signal, 1e-5)
  near(noise.noise.value, exact.noise, 1e-5)
  near(noise.b_simple.value, exact.b_simple, 1e-5)
  for _, e in ipairs { noise.signal, noise.noise, noise.b_simple } do
    lu.assert_equals({ e.low, e.high, e.interval }, { e.value, e.value, "exact" })
  end
  lu.assert_str_contains(noise.b_simple.target, "the 500 examples given")
end

local function small_net(mode)
  local data = sw.data.gaussian_mixture { classes = 3, features = 4, n = 90, seed = 2 }
  local layers = { sw.nn.Linear(4, 5), sw.nn.LayerNorm(5), sw.nn.Tanh(), sw.nn.Linear(5, 3) }
  if mode == "ghosts" then layers[2] = sw.nn.BatchNorm(5, { ghost = 6 }) end
  return sw.nn.Sequential(layers):build { seed = 3 }, data.train
end

-- Gradients of batches, by batches of that size; of 1: of each example.
local function gradients(model, x, y, size, mode)
  local f, w, list = sw.compile(sw.loss.cross_entropy, model, { mode = mode or "eval" }),
    model:weights():to "float64", {}
  for first = 1, #x - size + 1, size do
    local _, g = f:value_and_gradient(w, { x = x:narrow(1, first, size):contiguous(),
      y = y:narrow(1, first, size):contiguous() })
    list[#list + 1] = g
  end
  return list
end

local function direct(list)
  local sum, squares, n = core.zeros({ #list[1] }, "float64"), 0, #list
  for _, g in ipairs(list) do
    sum:add(1, g)
    squares = squares + g:dot(g)
  end
  local mean = sum:dot(sum) / n ^ 2
  return mean, (squares - n * mean) / (n - 1)
end

function TestNoiseAtWeights:test_of_a_network_equals_a_loop_over_its_examples()
  local model, split = small_net()
  local x, y = split.source:gather(core.random(1, "any"):permutation(#split))
  local signal, trace = direct(gradients(model, x, y, 1))
  for _, o in ipairs { {}, { dtype = "float64" }, { chunk = 7 } } do
    local noise = sw.measure.noise(model, split, o)
    near(noise.signal.value, signal, 1e-5)
    near(noise.noise.value, trace, 1e-5)
  end
  local batch = sw.measure.noise(model, { x = x, y = y }, { target = "population" })
  near(batch.signal.value, signal - trace / #split, 1e-4)
  lu.assert_true(batch.signal.low < batch.signal.value and batch.signal.value < batch.signal.high)
end

function TestNoiseAtWeights:test_by_batches_of_any_size_the_whole_set_has_the_same_signal()
  local model, split = small_net()
  local exact = sw.measure.noise(model, split)
  for _, by in ipairs { "micro", "two_batches" } do
    for _, size in ipairs { 2, 9 } do
      local noise = sw.measure.noise(model, split, { by = by, batch_size = size })
      near(noise.signal.value, exact.signal.value, 1e-5)
      lu.assert_equals(noise.signal.interval, "exact")
      local ratio = noise.noise.value / exact.noise.value
      lu.assert_true(ratio > 0.5 and ratio < 2 and noise.noise.low < noise.noise.high)
    end
  end
end

-- A.1 with the batches that were read and the sample.
function TestNoiseAtWeights:test_two_batches_is_mccandlishs_equation()
  local model, split = small_net()
  local size, n = 9, #split
  local order = core.random(7, "measure/measure.noise", 0):permutation(n)
  local x, y = split.source:gather(order)
  local small, large = gradients(model, x, y, size), gradients(model, x, y, n)[1]
  local squares = 0
  for _, g in ipairs(small) do squares = squares + g:dot(g) / #small end
  local big = large:dot(large)
  local noise = sw.measure.noise(model, split, { by = "two_batches", batch_size = size, seed = 7,
    target = "population" })
  near(noise.signal.value, (n * big - size * squares) / (n - size), 1e-4)
  near(noise.noise.value, (squares - big) / (1 / size - 1 / n), 1e-4)
end

function TestNoiseAtWeights:test_ghosts_are_the_unit_under_batch_norm()
  local model, split = small_net "ghosts"
  local order = core.random(1, "measure/measure.noise", 0):permutation(#split)
  local x, y = split.source:gather(order)
  local signal, trace = direct(gradients(model, x, y, 6, "train"))
  local before = model:buffers():clone()
  local noise = sw.measure.noise(model, split, { mode = "train", target = "population" })
  lu.assert_equals({ noise.by, noise.examples }, { "ghosts", 90 })
  near(noise.signal.value, signal - trace / 15, 1e-4) -- the mean product of two of 15
  near(noise.noise.value, 6 * trace, 1e-4)
  lu.assert_equals(model:buffers():table(), before:table())
  lu.assert_str_contains(noise.noise.target, "a batch of 6")
  lu.assert_error_msg_contains('by = "ghosts" takes batches', sw.measure.noise, model, split,
    { mode = "train", by = "examples" })
end

-- |G|^2 and tr(Sigma) of ghosts of 3 of all examples, by each such ghost.
local function enumerated(model, split)
  local n, f, w = #split, sw.compile(sw.loss.cross_entropy, model, { mode = "train" }),
    model:weights():to "float64"
  local sum, squares, count = core.zeros({ #w }, "float64"), 0, 0
  for a = 1, n do
    for b = a + 1, n do
      for c = b + 1, n do
        local x, y = split:gather { a, b, c }
        local _, g = f:value_and_gradient(w, { x = x, y = y })
        sum:add(1, g)
        squares, count = squares + g:dot(g), count + 1
      end
    end
  end
  local signal = sum:dot(sum) / count ^ 2
  return signal, (squares / count - signal) / (1 / 3 - 1 / n)
end

-- A normalised example acts through its neighbours, so that a partition into ghosts knows less of
-- the set than a partition into means of independent examples.
function TestNoiseAtWeights:test_ghosts_of_the_whole_set_cover_the_expected_gradient()
  local data = sw.data.gaussian_mixture { classes = 3, features = 4, n = 40, seed = 2 }
  local layers = { sw.nn.Linear(4, 5), sw.nn.BatchNorm(5, { ghost = 3, eps = 1 }), sw.nn.Tanh(),
    sw.nn.Linear(5, 3) } -- a small eps makes rare ghosts of equal examples outweigh all others
  local model = sw.nn.Sequential(layers):build { seed = 3 }
  local signal, noise = enumerated(model, data.train)
  local cases, means = coverage.replicates(100), { 0, 0 }
  coverage.check(cases, { signal, noise, noise / signal }, function(seed)
    local e = sw.measure.noise(model, data.train, { mode = "train", seed = seed })
    means[1], means[2] = means[1] + e.signal.value / cases, means[2] + e.noise.value / cases
    return { e.signal, e.noise, e.b_simple }
  end, "ghosts of the whole set")
  near(means[1], signal, 0.1)
  near(means[2], noise, 0.05)
end

function TestNoiseAtWeights:test_weight_decay_changes_the_signal_alone()
  local model, split = small_net()
  local data = sw.measure.noise(model, split, { target = "population" })
  local both = sw.measure.noise(model, split, { target = "population", weight_decay = 0.1 })
  local _, g = sw.compile(sw.loss.cross_entropy, model, { mode = "eval" }):value_and_gradient(
    model:weights(), { x = select(1, split.source:gather(core.random(1, "x"):permutation(90))),
      y = select(2, split.source:gather(core.random(1, "x"):permutation(90))) })
  local decayed = g + model:weights() * 0.1
  near(both.noise.value, data.noise.value, 1e-5)
  near(both.signal.value - data.signal.value, decayed:dot(decayed) - g:dot(g), 1e-3)
  lu.assert_str_contains(both.signal.target, "regularised objective")
  lu.assert_error_msg_contains('objective = "regularised" needs weight_decay', sw.measure.noise,
    model, split, { objective = "regularised" })
end

-- ------------------------------------------------------------------ what cannot be measured

function TestNoiseAtWeights:test_too_few_examples_are_pending_and_say_why()
  local model, split = small_net()
  local one = sw.measure.noise(model, split:sample(1))
  lu.assert_equals(one.b_simple.status, "pending")
  lu.assert_str_contains(one.b_simple.reason, "2 are needed")
  lu.assert_equals(one.signal.low, -math.huge)
  local few = sw.measure.noise(model, split, { by = "micro", batch_size = 20 })
  lu.assert_str_contains(few.b_simple.reason, "4 units of 20 examples: at least 8 are needed")
end

function TestNoiseAtWeights:test_gradients_that_are_not_finite_are_pending()
  local p = sw.data.linear_regression { features = 3, n = 50, seed = 3 }
  local x, y = p.data.train.x:clone(), p.data.train.y
  x:set(7, 2, 1e30)
  local noise = sw.measure.noise(p:model(1):build(), { x = x, y = y }, { loss = p.loss })
  lu.assert_equals({ noise.b_simple.status, noise.b_simple.reason }, { "pending",
    "a gradient at these weights is not finite" })
end

function TestNoiseAtWeights:test_refuses_what_has_no_meaning()
  local model, split = small_net()
  local function refused(text, o) lu.assert_error_msg_contains(text, sw.measure.noise, model, split,
    o) end
  refused('by = "micro" needs batch_size', { by = "micro" })
  refused("how many examples are computed at a time is chunk", { batch_size = 4 })
  refused('here by = "examples" tells more', { by = "ghosts" })
  refused("of = 10, the number of examples that the sample was drawn from", { of = 10 })
  refused("replacement needs of", { replacement = true })
end

function TestNoiseAtWeights:test_the_same_call_gives_the_same_bits_and_leaves_the_model_alone()
  local model, split = small_net()
  local before = model:weights():table()
  local o = { target = "population", seed = 5 }
  lu.assert_equals(tostring(sw.measure.noise(model, split, o)),
    tostring(sw.measure.noise(model, split, o)))
  lu.assert_equals(model:weights():table(), before)
end

-- ------------------------------------------------------------------ coverage

local SEEDS = coverage.replicates(60)

-- Fields of noise to count over seeds; make(seed): model, sample, options, exact answers.
local function over_seeds(make)
  local n = { covered = 0, low = 0, resolved = 0, signal = 0, noise = 0 }
  local squares, ideal, lows = 0, nil, {}
  for seed = 1, SEEDS do
    local model, sample, o, exact = make(seed)
    o.seed = seed
    local noise = sw.measure.noise(model, sample, o)
    local b, truth = noise.b_simple, exact.b_simple
    local function count(name, yes) n[name] = n[name] + (yes and 1 or 0) end
    count("covered", b.low <= truth and truth <= b.high)
    count("low", b.low > truth)
    count("resolved", b.status == "resolved")
    count("signal", noise.signal.low <= exact.signal and exact.signal <= noise.signal.high)
    count("noise", noise.noise.low <= exact.noise and exact.noise <= noise.noise.high)
    squares = squares + (noise.signal.value - exact.signal) ^ 2 / SEEDS
    local g, s, m = exact.gradient, exact.covariance, noise.examples
    local sg = ops.matmul(s, g:reshape { #g, 1 }):reshape { #g }
    ideal = math.sqrt(4 * g:dot(sg) / m + 2 * ops.sum(s * s):item() / (m * (m - 1)))
    lows[seed] = exact.noise / (exact.signal + 1.96 * ideal) / b.low
  end
  table.sort(lows)
  n.deviation, n.strength, n.length = math.sqrt(squares) / ideal, 0, lows[#lows // 2]
  return n
end

local function check_coverage(where, n)
  local fewest, most = coverage.least(SEEDS, 0.95), coverage.most(SEEDS, 0.025)
  local text = ("%s: of %d covered %d, low above %d, resolved %d, signal %d, noise %d, deviation"
    .. " %.3f of the ideal, lower end %.2f times too far"):format(where, SEEDS, n.covered, n.low,
    n.resolved, n.signal, n.noise, n.deviation, n.length)
  if coverage.LONG then print(text) end
  lu.assert_true(n.covered >= fewest, text)
  lu.assert_true(n.signal >= fewest, text)
  lu.assert_true(n.noise >= fewest, text)
  lu.assert_true(n.low <= most, text)
  lu.assert_true(n.deviation < 1.2, text)
end

-- (a): a Hessian with a negative eigenvalue, noise that does not commute with it
local FINITE = dense_quadratic(20000)

local function quadratic_case(scale, n, o)
  local model = FINITE:model({ scale, -scale, 0.5 * scale }):build()
  local exact = FINITE:exact(model:weights(), "population")
  return function(seed)
    local options = { loss = FINITE.loss }
    for key, value in pairs(o or {}) do options[key] = value end
    return model, FINITE.data.train:sample(n, seed), options, exact
  end
end

-- (b): noise that depends on the weights
local function regression_case(start, n, o, covariance)
  return function(seed)
    local p = sw.data.linear_regression { features = not covariance and 10 or nil, n = n,
      covariance = covariance, seed = seed }
    local model = p:model(start):build()
    local options = { loss = p.loss, target = "population" }
    for key, value in pairs(o or {}) do options[key] = value end
    return model, p.data.train, options, p:exact(model:weights(), "population")
  end
end

function TestNoiseAtWeights:test_coverage_of_a_strong_signal()
  local n = over_seeds(quadratic_case(1.2, 200))
  check_coverage("quadratic, 200 examples", n)
  lu.assert_true(n.resolved >= 0.95 * SEEDS)
  lu.assert_true(n.length < 1.5)
  n = over_seeds(regression_case(0, 320))
  check_coverage("regression, 320 examples", n)
  lu.assert_true(n.resolved >= 0.95 * SEEDS)
  lu.assert_true(n.length < 1.5)
end

--- Of 300 examples a few have most of the noise: its upper end is open, and says why. At w = 0 the
--- loss (w - y)^2 has the gradient -2 y, y of either sign and log-normal: E y^2 = exp(sigma^2 / 2).
function TestNoiseAtWeights:test_coverage_where_few_hold_the_noise()
  local sigma, held, closed = 2.5, 0, 0
  local truth = 4 * math.exp(sigma ^ 2 / 2)
  local model = sw.nn.Linear(1, 1, { bias = false }):build { seed = 1 }
  model:weights():fill(0)
  for seed = 1, SEEDS do
    local stream, y = core.random(seed, "heavy"), core.zeros { 300, 1 }
    for i = 1, 300 do
      local sign = stream:integer(2) == 1 and 1 or -1
      y:set(i, 1, sign * math.exp(sigma * stream:normal() / 2))
    end
    local noise = sw.measure.noise(model, { x = core.zeros({ 300, 1 }):fill(1), y = y },
      { target = "population", loss = sw.loss.mse }).noise
    if noise.low <= truth and truth <= noise.high then held = held + 1 end
    if noise.status == "resolved" then
      closed = closed + 1
    else
      lu.assert_str_contains(noise.reason, "of 300 examples hold the noise")
    end
  end
  local text = ("few: of %d %d cover, %d are resolved"):format(SEEDS, held, closed)
  if coverage.LONG then print(text) end
  lu.assert_true(held >= coverage.least(SEEDS, 0.92), text)
  lu.assert_true(closed <= 0.5 * SEEDS, text)
end

function TestNoiseAtWeights:test_coverage_of_a_weak_signal()
  local n = over_seeds(regression_case(0.8, 320))
  check_coverage("regression near the minimum", n)
  lu.assert_true(n.length < 1.5)
  check_coverage("quadratic near the minimum", over_seeds(quadratic_case(0.4, 200)))
end

function TestNoiseAtWeights:test_coverage_by_batches()
  local n = over_seeds(quadratic_case(1.2, 800, { by = "micro", batch_size = 8 }))
  check_coverage("quadratic, batches of 8", n)
  lu.assert_true(n.length < 1.5)
end

local function identity(d)
  local c = core.zeros { d, d }
  for i = 1, d do c:set(i, i, 1) end
  return c
end

-- In many dimensions the variance of |G|^2 is that of pairs alone.
function TestNoiseAtWeights:test_pure_noise_is_unresolved()
  for where, make in pairs { quadratic = quadratic_case(0, 200),
    regression = regression_case(1, 320),
    ["200 dimensions"] = regression_case(1, 160, nil, identity(200)) } do
    local n = over_seeds(make)
    check_coverage(where .. " at the minimum", n)
    lu.assert_true(n.resolved <= 0.05 * SEEDS)
  end
end

-- ------------------------------------------------------------------ in a Trainer

function TestNoiseAtWeights:test_a_trainer_measures_it_on_a_sample_of_its_own()
  local data = sw.data.gaussian_mixture { classes = 3, features = 4, n = 90, seed = 2 }
  local trainer = sw.Trainer { data = data, lr = 0.05, batch_size = 8,
    model = sw.nn.Sequential { sw.nn.Linear(4, 5), sw.nn.Tanh(), sw.nn.Linear(5, 3) },
    measure = { noise_at_weights = { every = { steps = 4 }, sample = 90 } } }
  local measured = trainer:fit({ steps = 4 }):state().noise_at_weights
  local exact = sw.measure.noise(trainer.model, data.train)
  near(measured.value, exact.b_simple.value, 1e-5)
  lu.assert_equals(measured.interval, "exact")
  trainer = sw.Trainer { data = data, lr = 0.05, batch_size = 8, model = trainer.model,
    measure = { noise_at_weights = { every = { steps = 4 }, sample = 40 } } }
  lu.assert_str_contains(trainer:fit({ steps = 4 }):state().noise_at_weights.target,
    "the 90 examples that 40 were drawn from")
end
