--- Scaling rules against numbers worked out by hand, and against simulated quadratics.
local lu = require "luaunit"
local sw = require "swale"

TestScaling = {}

local scaling, sch = sw.scaling, sw.schedule

local function near(got, wanted, tolerance)
  lu.assert_true(math.abs(got - wanted) <= (tolerance or 1e-12) * math.abs(wanted),
    ("%.17g is not %.17g"):format(got, wanted))
end

-- ------------------------------------------------------------------ noise and accumulation

-- 1000 / 10 - 1 = 99; lr 0.5; 1 - momentum = 0.1.
function TestScaling:test_the_noise_scale()
  near(scaling.sgd_noise { lr = 0.5, batch_size = 10, examples = 1000 }, 49.5)
  near(scaling.sgd_noise { lr = 0.5, batch_size = 10, examples = 1000, momentum = 0.9 }, 495)
  lu.assert_equals(scaling.sgd_noise { lr = 0.5, batch_size = 1000, examples = 1000 }, 0)
end

-- g F eps / N is the covariance of one step, eps^2 (1/B - 1/N) F (section 3 of Smith & Le).
function TestScaling:test_the_noise_of_one_step()
  local lr, batch, n = 0.3, 7, 91
  local g = scaling.sgd_noise { lr = lr, batch_size = batch, examples = n }
  near(g * lr / n, lr ^ 2 * (1 / batch - 1 / n))
end

-- 640 / (50000 * 0.1) epochs; a gradient's share in momentum falls by e over so many updates.
function TestScaling:test_accumulation()
  near(scaling.accumulation { batch_size = 640, examples = 50000, momentum = 0.9 }, 0.128)
  near(scaling.accumulation { batch_size = 3200, examples = 50000, momentum = 0.98 }, 3.2)
  local m, updates = 0.99, 100
  local epochs = scaling.accumulation { batch_size = 5, examples = 500, momentum = m }
  near(epochs * 500 / 5, updates)
  near(m ^ updates, math.exp(-1), 0.006)
end

-- ------------------------------------------------------------------ equivalent settings

local FROM = { lr = 0.1, batch_size = 128, momentum = 0.9, examples = 50000 }

-- Smith et al. 2018, section 5.2: lr 0.5 with 640, and momentum 0.98 with 3200.
function TestScaling:test_settings_of_the_paper()
  local new = scaling.equivalent(FROM, { batch_size = 640 })
  near(new.lr, 0.5)
  lu.assert_equals({ new.batch_size, new.momentum, new.factor, new.limits }, { 640, 0.9, 5, {} })
  near(new.noise.from, 0.1 / 0.1 * (50000 / 128 - 1))
  near(new.noise.to, 0.5 / 0.1 * (50000 / 640 - 1))
  lu.assert_equals(scaling.equivalent(FROM, { lr = 0.5 }).batch_size, 640)
  lu.assert_equals(scaling.equivalent(FROM, { lr = 0.5, momentum = 0.98 }).batch_size, 3200)
  lu.assert_equals(scaling.equivalent(FROM, { momentum = 0.98 }).batch_size, 640)
  near(scaling.equivalent(FROM, { momentum = 0.98, batch_size = 128 }).lr, 0.02)
  near(scaling.equivalent(FROM, { lr = 0.5, batch_size = 3200 }).momentum, 0.98)
  near(scaling.equivalent(FROM, { momentum = 0.98, batch_size = 3200 }).accumulation.to, 3.2)
end

function TestScaling:test_the_limits_are_said()
  local new = scaling.equivalent(FROM, { batch_size = 5001 })
  lu.assert_equals(#new.limits, 1)
  lu.assert_str_contains(new.limits[1], "the batch of 5001 is above a tenth of the 50000 examples")
  lu.assert_equals(scaling.equivalent(FROM, { batch_size = 5000 }).limits, {})
  new = scaling.equivalent({ lr = 0.1, batch_size = 8 }, { lr = 0.03 })
  lu.assert_equals(new.batch_size, 2)
  lu.assert_str_contains(new.limits[1], "2.4 is rounded to 2")
  lu.assert_nil(new.noise)
end

function TestScaling:test_the_square_root_rule_of_adam()
  local new = scaling.equivalent({ optimizer = "adam", lr = 1e-3, batch_size = 32 },
    { batch_size = 128 })
  near(new.lr, 2e-3)
  near(1 - new.momentum, 0.4)
  near(1 - new.beta2, 0.004)
  near(new.eps, 5e-9)
  lu.assert_equals(scaling.equivalent({ optimizer = "adam", lr = 1e-3, batch_size = 32 },
    { lr = 2e-3 }).batch_size, 128)
  lu.assert_error_msg_contains("beta1 = 0.9 has no equivalent for a batch 16 times as large: at"
    .. " most 10 times", scaling.equivalent, { optimizer = "adam", lr = 1e-3, batch_size = 32 },
    { batch_size = 512 })
end

-- A decay of 0.99 at each of 4 updates is one of 0.99^4 at one.
function TestScaling:test_an_average_forgets_as_fast_per_example()
  near(scaling.equivalent({ lr = 0.1, batch_size = 32, ema = 0.99 }, { batch_size = 128 }).ema,
    0.99 * 0.99 * 0.99 * 0.99)
end

-- The stationary variance of SGD with momentum on h w^2 / 2 with noise of variance s^2 / B, by
-- iterating the exact second moments of (w, v): settings that are called equivalent have the same
-- one for small rates.
function TestScaling:test_equivalent_settings_have_the_same_stationary_variance()
  local function variance(o)
    local h, m, lr, s2 = 1, o.momentum, o.lr, 1 / o.batch_size
    local ww, wv, vv = 0, 0, 0
    for _ = 1, 200000 do -- v' = m v + h w + noise, w' = w - lr v'
      local vv1 = m * m * vv + 2 * m * h * wv + h * h * ww + s2
      local wv1 = m * wv + h * ww -- E[w v']
      ww, wv, vv = ww - 2 * lr * wv1 + lr * lr * vv1, wv1 - lr * vv1, vv1
    end
    return ww
  end
  local from = { lr = 1e-3, batch_size = 10, momentum = 0.5 }
  for _, to in ipairs { { batch_size = 40 }, { momentum = 0.9 }, { lr = 3e-3, momentum = 0 } } do
    near(variance(scaling.equivalent(from, to)), variance(from), 0.01)
  end
end

function TestScaling:test_refused()
  local function refuses(words, o, to)
    lu.assert_error_msg_contains(words, scaling.equivalent, o, to)
  end
  refuses("one or two of lr, batch_size and momentum", FROM, {})
  refuses("one or two of", FROM, { lr = 1, batch_size = 1, momentum = 0 })
  refuses("has more noise at any momentum", FROM, { lr = 0.1, batch_size = 12 })
  refuses("less than one example", FROM, { lr = 1e-5 })
  refuses("momentum must be below 1, not 1", FROM, { momentum = 1 })
  refuses("lr or batch_size alone", { optimizer = "adam", lr = 1, batch_size = 2 },
    { momentum = 0.5 })
  lu.assert_error_msg_contains("a batch of 11 is larger than the training set of 10",
    scaling.sgd_noise, { lr = 1, batch_size = 11, examples = 10 })
  lu.assert_error_msg_contains("needs examples", scaling.sgd_noise, { lr = 1, batch_size = 2 })
end

-- ------------------------------------------------------------------ counting updates

local function anneal(lr, batch, cap, by)
  return sch.anneal { lr = lr, batch = batch, at = { 60, 120, 160 }, factor = 5, by = by,
    cap = cap }.batch
end

-- The four schedules of Smith et al. 2018, section 5.2: about 80,000, 29,000, below 6,500 and
-- below 2,500 updates. A Trainer makes its update across a change with the size before it.
function TestScaling:test_updates_without_end_are_refused()
  lu.assert_error_msg_contains("schedule.updates: more than 10000000 updates", sw.schedule.updates,
    256, { epochs = 2 ^ 32 })
end

function TestScaling:test_updates_of_the_paper()
  local function counts(batch_size)
    local function of(crossing)
      return sch.updates(batch_size, { epochs = 200, crossing = crossing }).updates
    end
    return { of "before", of "after" }
  end
  lu.assert_equals(counts(anneal(0.1, 128, nil, "lr")), { 78125, 78125 })
  lu.assert_equals(counts(anneal(0.1, 128, 5120, "batch")), { 29140, 29142 })
  lu.assert_equals(counts(anneal(0.5, 640, 5120, "batch")), { 6406, 6407 })
  lu.assert_equals(counts(anneal(0.5, 3200, 5120, "batch")), { 2305, 2305 })
end

function TestScaling:test_a_count_has_its_batch_sizes()
  local found = sch.updates(sch.piecewise { values = { 4, 10 }, at = { { examples = 10 } } },
    { examples = 30, epoch_examples = 100 })
  -- 4 4 4 | 10 10: the third crosses the mark
  lu.assert_equals(found, { updates = 5, examples = 32, batch_sizes = { [4] = 3, [10] = 2 },
    last_batch = 10 })
  lu.assert_equals(sch.updates(32, { steps = 7 }).examples, 224)
  lu.assert_equals(sch.updates(function(s) return 1 + s.step end, { steps = 4 }).examples, 10)
end

-- What a Trainer makes, as its hook counts.
function TestScaling:test_a_trainer_makes_as_many()
  local x = sw.randn { 50, 2 }
  local data = sw.data.from_tensors { train = { x = x, y = sw.zeros { 50, 1 } } }
  local sizes = sch.step { value = 4, gamma = 2, period = 1 }
  local made, trainer = 0, sw.Trainer { model = sw.nn.Linear(2, 1), loss = sw.loss.mse, data = data,
    lr = 0.01, batch_size = sizes }
  trainer:on("step", function() made = made + 1 end):fit { epochs = 3.5 }
  lu.assert_equals(sch.updates(sizes, { epochs = 3.5, epoch_examples = 50 }).updates, made)
end

function TestScaling:test_a_live_batch_size_cannot_be_counted()
  lu.assert_error_msg_contains("depends on the live state", sch.updates,
    function(s) return s.loss end, { steps = 3 })
  lu.assert_error_msg_contains("depends on the live state", sch.updates,
    sw.rule(8, function() return 8 end), { steps = 3 })
  lu.assert_error_msg_contains("how far?", sch.updates, 8, {})
end
