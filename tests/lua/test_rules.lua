--- Ready-made rules: each against numbers worked out by hand, then in a training whose gradient
--- noise scale is known, and without the measurement that it needs.
local coverage = require "coverage"
local lu = require "luaunit"
local sw = require "swale"

TestRules = {}

local rules, scaling = sw.rules, sw.scaling

local function near(got, wanted, tolerance)
  lu.assert_true(math.abs(got - wanted) <= (tolerance or 1e-12) * math.abs(wanted),
    ("%.17g is not %.17g"):format(got, wanted))
end

-- A state as rules see it, with a noise scale of the interval low … high.
local function state(low, high, more)
  local s = { step = 5, epoch_examples = 100000, loss = 1, lr = 0.1, momentum = 0, batch_size = 32,
    noise_scale = sw.estimate { value = high < math.huge and (low + high) / 2 or math.huge,
      low = low, high = high } }
  for key, value in pairs(more or {}) do s[key] = value end
  return s
end

-- What a rule gives for states one after another.
local function follows(rule, states)
  local mem, list = {}, {}
  for i, s in ipairs(states) do list[i] = rule.f(s, mem) end
  return list
end

local PENDING = { step = 5, epoch_examples = 100000, loss = 1, lr = 0.1, momentum = 0,
  batch_size = 32, noise_scale = sw.estimate() }

-- ------------------------------------------------------------------ by hand

function TestRules:test_growth_by_the_noise_scale()
  local rule = rules.noise_scale { start = 32, most = 100 }
  lu.assert_equals(rule.initial, 32)
  lu.assert_equals(follows(rule, { PENDING, state(128, 900), state(129, math.huge),
    state(1000, 2000), state(1000, 2000), state(1, 2) }), { 32, 32, 64, 100, 100, 100 })
  -- 100000 // 10 is the largest batch by default
  lu.assert_equals(follows(rules.noise_scale { start = 8000 }, { state(1e6, 1e7) }), { 10000 })
end

function TestRules:test_shrinking_by_the_noise_scale()
  local rule = rules.noise_scale { start = 32, least = 10, ratio = 4, shrink = 2 }
  lu.assert_equals(follows(rule, { state(10, 63), state(10, 33), state(10, 31), state(41, 50) }),
    { 16, 16, 10, 20 })
  lu.assert_error_msg_contains("shrink 3 must be at most ratio / factor = 2", rules.noise_scale,
    { start = 32, shrink = 3 })
end

-- sqrt(64 * 100) = 80; changes by less than 1.5 are not made: 47 after 32, 54 after 80.
function TestRules:test_mccandlish()
  local rule = rules.mccandlish { start = 32, r = 64, least = 4 }
  lu.assert_equals(follows(rule, { PENDING, state(47 ^ 2 / 64, math.huge), state(100, math.huge),
    state(1, 54 ^ 2 / 64), state(1, 50 ^ 2 / 64), state(1, 1) }), { 32, 32, 80, 80, 50, 8 })
end

-- B = sqrt(r R) has the least cost r dS + dE of all batch sizes, by trying them.
function TestRules:test_mccandlish_is_the_least_cost()
  local r, noise = 50, 1250
  local best, least = nil, math.huge
  for batch = 1, 2000 do
    local cost = r * (1 + noise / batch) + batch + noise
    if cost < least then best, least = batch, cost end
  end
  local rule = rules.mccandlish { start = 1, r = r }
  lu.assert_equals(follows(rule, { state(noise, noise) }), { best })
end

-- Fails where 30 > 0.25 * 100, and 120 examples are needed; then 30 / 0.25 = 120 is enough.
function TestRules:test_norm_test()
  local rule = rules.norm_test { start = 100, theta = 0.5 }
  lu.assert_equals(follows(rule, { PENDING, state(25, 60), state(30, 60), state(30, 60),
    state(30.1, 60), state(1, 2) }), { 100, 100, 120, 120, 121, 121 })
end

-- lr 0.1 * trace 640 / loss 2 = 32, with the noise that the estimate has; losses weigh 1 and 0.5.
function TestRules:test_cabs()
  local function at(loss, trace)
    local s = state(10, 20, { loss = loss })
    s.noise_scale.noise = trace
    return s
  end
  local rule = rules.cabs { start = 8, least = 1, smoothing = 0.5 }
  lu.assert_equals(follows(rule, { PENDING }), { 8 })
  lu.assert_equals(follows(rule, { at(2, 640), at(5, 640) }), { 32, 16 }) -- (0.5*2 + 5) / 1.5 = 4
  lu.assert_equals(follows(rules.cabs { start = 8, hysteresis = 2 }, { at(2, 300), at(2, 400) }),
    { 8, 20 })
end

-- (100 / 10 + 1) / (100 / 50 + 1) = 11 / 3
function TestRules:test_the_gain_of_adascale()
  near(scaling.adascale_gain { noise_scale = 100, reference = 10, batch_size = 50 }, 11 / 3)
  lu.assert_equals(scaling.adascale_gain { noise_scale = 0, reference = 10, batch_size = 50 }, 1)
  near(scaling.adascale_gain { noise_scale = 1e12, reference = 10, batch_size = 50 }, 5, 1e-9)
  local trace, signal, size, scale = 7, 0.3, 16, 6 -- as the paper writes it
  local s2, m2 = trace / size, signal
  near(scaling.adascale_gain { noise_scale = trace / signal, reference = size,
    batch_size = scale * size }, (s2 + m2) / (s2 / scale + m2))
end

-- The schedule 1 / (1 + step) goes on by the gains 1, 11/3, 11/3: at updates 0, 1, 4.67.
function TestRules:test_adascale_goes_on_by_its_gains()
  local lr = rules.adascale { lr = function(s) return 1 / (1 + s.step) end, reference = 10 }
  local mem, s = {}, state(100, 200, { batch_size = 50, step = 0 })
  near(lr.f(s, mem), 1)
  s.step = 1
  near(lr.f(s, mem), 11 / 3 / 2)
  near(lr.f(s, mem), 11 / 3 / 5)
  near(mem.updates, 1 + 22 / 3)
end

-- ------------------------------------------------------------------ constant noise, Seesaw

-- g = 0.1 (1000 / 50 - 1) / 0.1 = 19: with lr 0.2 the batch is 1000 / (1 + 1.9 / 0.2) = 95.2.
function TestRules:test_constant_noise_by_a_schedule()
  local lr = sw.schedule.piecewise { values = { 0.1, 0.2, 0.05 }, at = { 1, 2 } }
  local batch = rules.constant_noise { start = 50, lr = lr, momentum = 0.9 }
  local function at(epochs) return batch:at { epochs = epochs, epoch_examples = 1000 } end
  lu.assert_equals({ at(0), at(1), at(2) }, { 50, 95, 25 })
  for _, epochs in ipairs { 0, 1, 2 } do
    near(scaling.sgd_noise { lr = lr:at { epochs = epochs, epoch_examples = 1000 }, examples = 1000,
      batch_size = at(epochs), momentum = 0.9 }, 19, 0.03)
  end
  local count = sw.schedule.updates(batch, { epochs = 2, epoch_examples = 1000 })
  lu.assert_equals(count.updates, 20 + 11) -- 1000 / 50, then 1000 / 95
  batch = rules.constant_noise { start = 50, lr = 0.3, noise = 9 } -- 1000 / 31
  lu.assert_equals(batch:at { epochs = 0, epoch_examples = 1000 }, 32)
  batch = rules.constant_noise { start = 50, lr = 0.3, noise = 9, least = 40 }
  lu.assert_equals(batch:at { epochs = 0, epoch_examples = 1000 }, 40)
end

function TestRules:test_constant_noise_by_the_last_update()
  local function last(lr, momentum)
    return { step = 1, epoch_examples = 1000, lr = lr, momentum = momentum }
  end
  local rule = rules.constant_noise { start = 50 }
  lu.assert_equals(follows(rule, { last(0.1, 0.9), last(0.2, 0.9), last(0.05, 0.9), last(0.1, 0.8),
    last(0, 0.9) }), { 50, 95, 25, 25, 25 })
end

-- lr 1 -> 1/2 -> 1/4 -> 1/8 at epochs 1, 2, 3: the batch 8 -> 16 -> 32, and no further.
function TestRules:test_seesaw()
  local base = sw.schedule.step { value = 1, gamma = 0.5, period = 1 }
  local saw = sw.schedule.seesaw { lr = base, batch = 8, most = 40 }
  local wanted = { { 1, 8 }, { 2 ^ -0.5, 16 }, { 0.5, 32 }, { 0.25, 32 } }
  for k, pair in ipairs(wanted) do
    local p = { epochs = k - 1, epoch_examples = 1000 }
    near(saw.lr:at(p), pair[1])
    lu.assert_equals(saw.batch:at(p), pair[2])
  end
  -- what both keep, for Adam: lr / sqrt(B)
  near(saw.lr:at { epochs = 2, epoch_examples = 1000 } / math.sqrt(32), 0.25 / math.sqrt(8))
end

function TestRules:test_seesaw_after_a_warm_up()
  local base = sw.schedule.chain { sw.schedule.linear { from = 0, to = 1, period = 1 },
    sw.schedule.cosine { from = 1, to = 0, period = 4 } }
  local saw = sw.schedule.seesaw { lr = base, batch = 10, after = 1 }
  local function at(epochs)
    local p = { epochs = epochs, epoch_examples = 1000 }
    return { saw.lr:at(p), saw.batch:at(p) }
  end
  lu.assert_equals(at(0.5), { 0.5, 10 })
  lu.assert_equals(at(2.9), { 1, 10 }) -- half is reached at epoch 3
  lu.assert_equals(at(3.1), { math.sqrt(0.5), 20 })
  lu.assert_equals(at(4.99)[2], 80) -- a tenth of 1000 is 100
  lu.assert_equals(at(5), { 0, 80 })
end

-- ------------------------------------------------------------------ in a training

-- A noisy quadratic whose weights do not move: |G|^2 and tr(Sigma) stay exact.
local function frozen(batch_size, o)
  local problem = sw.data.noisy_quadratic { h = { 1, 0.5, 2 }, sigma = { 3, 2, 6 }, n = 4000 }
  local options = { data = problem.data, model = problem:model(1), loss = problem.loss, lr = 0,
    batch_size = batch_size, measure = { noise_scale = sw.every { steps = 1 } } }
  for key, value in pairs(o or {}) do options[key] = value end
  return sw.Trainer(options), problem
end

-- R = 49 / 5.25 = 9.33, r = 900: the batch wanted is sqrt(900 R) = 91.7; it grows by 1.5 at least.
function TestRules:test_mccandlish_in_a_training()
  local trainer, problem = frozen(rules.mccandlish { start = 8, r = 900 })
  local R = problem:noise_scale { 1, 1, 1 }
  near(R, 49 / 5.25, 1e-6)
  trainer:fit { steps = 600 }
  local batch = trainer:state().batch_size
  lu.assert_true(batch <= 1.05 * math.sqrt(900 * R), "above the batch wanted: " .. batch)
  lu.assert_true(batch >= 0.6 * math.sqrt(900 * R), "far below the batch wanted: " .. batch)
end

-- The largest batch of a run of 600 steps over the one wanted, which an interval's lower end, asked
-- at each step, exceeds in about 300 of 400.
local function largest(rule, wanted, seed, window)
  local top = 0
  local trainer, problem = frozen(sw.rule(8, function(s, mem)
    local batch = rule.f(s, mem)
    top = math.max(top, batch)
    return batch
  end), { seed = seed, sampler = "independent",
    measure = { noise_scale = { every = { steps = 1 }, window = { examples = window } } } })
  trainer:fit { steps = 600 }
  return top / wanted(problem:noise_scale { 1, 1, 1 })
end

local function median(list)
  table.sort(list)
  return list[#list // 2 + 1]
end

-- In 400 runs at most 21 are ever above the truth; the batch comes near it all the same.
function TestRules:test_covers_a_whole_run()
  local n = coverage.replicates(24)
  for _, case in ipairs {
    { "mccandlish", 1000, { r = 900, hysteresis = 1 }, function(R) return 30 * math.sqrt(R) end },
    { "mccandlish", 10000, { r = 900 }, function(R) return 30 * math.sqrt(R) end },
    { "norm_test", 4000, { theta = 0.25 }, function(R) return math.ceil(R / 0.25 ^ 2) end },
  } do
    local name, window, o, wanted = table.unpack(case)
    local above, sizes = 0, {}
    o.start = 8
    for seed = 1, n do
      sizes[seed] = largest(rules[name](o), wanted, seed, window)
      if sizes[seed] > 1 then above = above + 1 end
    end
    local text = ("%s, window %d: of %d %d are above, median %.2f"):format(name, window, n, above,
      median(sizes))
    if coverage.LONG then print(text) end
    lu.assert_true(above <= n - coverage.least(n, 0.975), text)
    lu.assert_true(median(sizes) > 0.75, text)
  end
end

-- Both are functions of the progress: a plan is what is made.
function TestRules:test_seesaw_and_constant_noise_in_a_training()
  local problem = sw.data.noisy_quadratic { dimensions = 3, n = 400 }
  local cosine = sw.schedule.cosine { from = 0.1, to = 0.001, period = 4 }
  local saw = sw.schedule.seesaw { lr = cosine, batch = 4 }
  local steady = { lr = cosine, batch = rules.constant_noise { start = 20, lr = cosine } }
  for _, pair in ipairs { saw, steady } do
    local trainer = sw.Trainer { data = problem.data, model = problem:model(1), loss = problem.loss,
      lr = pair.lr, batch_size = pair.batch }
    local plan, counted, sizes = trainer:plan { epochs = 4 }, sw.schedule.updates(pair.batch,
      { epochs = 4, epoch_examples = 400 }), {}
    trainer:on("batch_size", function(s) sizes[#sizes + 1] = s.batch_size end)
    trainer:fit { epochs = 4 }
    lu.assert_equals({ plan.updates, counted.updates }, { trainer:state().step,
      trainer:state().step })
    lu.assert_true(#sizes > 2)
    if pair == saw then lu.assert_equals(sizes, { 8, 16, 32 }) end -- a tenth of 400 is 40
  end
end

-- By the noise scale of the weights at each mark, which is exact on the whole set.
function TestRules:test_mccandlish_by_the_noise_at_the_weights()
  local trainer, problem = frozen(rules.mccandlish { start = 8, r = 900, by = "noise_at_weights" },
    { measure = { noise_at_weights = { every = { steps = 1 }, sample = 4000 } } })
  trainer:fit { steps = 3 }
  lu.assert_equals(trainer:state().batch_size,
    math.floor(math.sqrt(900 * problem:noise_scale { 1, 1, 1 })))
end

-- theta = 0.25: 9.33 / 0.0625 = 149 examples.
function TestRules:test_norm_test_in_a_training()
  local trainer, problem = frozen(rules.norm_test { start = 8, theta = 0.25 })
  trainer:fit { steps = 600 }
  local batch, wanted = trainer:state().batch_size, problem:noise_scale { 1, 1, 1 } / 0.25 ^ 2
  lu.assert_true(batch <= 1.1 * wanted and batch >= 0.6 * wanted, "not about 149: " .. batch)
end

-- The batch goes to the first of 8, 16, 32 … that is above R / 0.1 = 93 at 128, never beyond.
function TestRules:test_growth_in_a_training()
  local trainer = frozen(rules.noise_scale { start = 8, ratio = 0.1 })
  trainer:fit { steps = 600 }
  lu.assert_true(trainer:state().batch_size <= 128)
  lu.assert_true(trainer:state().batch_size >= 64)
end

-- lr tr(Sigma) / loss = 50 * 49 / 19.25 = 127, where an optimizer that does nothing holds still.
function TestRules:test_cabs_in_a_training()
  local trainer, problem = frozen(rules.cabs { start = 8, smoothing = 0.99, hysteresis = 1.1 },
    { lr = 50, optimizer = function() end })
  trainer:fit { steps = 600 }
  near(trainer:state().batch_size, 50 * problem.trace / problem:loss_at { 1, 1, 1 }, 0.12)
  near(trainer:state().noise_scale.noise, problem.trace, 0.1)
  near(trainer:state().noise_scale.signal, problem:gradient_squared { 1, 1, 1 }, 0.5)
end

-- The rate of AdaScale is at most S times the base rate, and at least the base rate.
function TestRules:test_adascale_in_a_training()
  local trainer, problem = frozen(64, { lr = rules.adascale { lr = 1e-6, reference = 8 } })
  trainer:fit { steps = 400 }
  local R = problem:noise_scale { 1, 1, 1 }
  local gain = scaling.adascale_gain { noise_scale = R, reference = 8, batch_size = 64 }
  local found = trainer:state().lr / 1e-6
  lu.assert_true(found > 1 and found <= 1.05 * gain and found > 0.6 * gain,
    ("gain %g, exact %g"):format(found, gain))
end

function TestRules:test_each_names_the_measurement_that_it_needs()
  for name, o in pairs { noise_scale = {}, mccandlish = { r = 10 }, norm_test = {}, cabs = {} } do
    o.start = 8
    local trainer = frozen(rules[name](o), { measure = {} })
    lu.assert_error_msg_contains("s.noise_scale is not measured; ask for it", trainer.fit, trainer,
      { steps = 3 })
  end
  local trainer = frozen(8, { measure = {}, lr = rules.adascale { lr = 0.1, reference = 8 } })
  lu.assert_error_msg_contains("s.noise_scale is not measured", trainer.fit, trainer, { steps = 3 })
end

function TestRules:test_bounds_are_checked()
  lu.assert_error_msg_contains("start 8 is not between least 9", rules.norm_test,
    { start = 8, least = 9 })
  lu.assert_error_msg_contains("start 8 is not between least 4 and most 4", rules.norm_test,
    { start = 8, most = 4 })
  lu.assert_error_msg_contains("hysteresis must be 1 or more", rules.mccandlish,
    { start = 8, r = 1, hysteresis = 0.5 })
  lu.assert_error_msg_contains("needs start", rules.norm_test, {})
end
