--- Forks: a fork without changes makes the bits that the original makes, and does not disturb it.
local harness = require "trainer_harness"
local lu = require "luaunit"
local sw = require "swale"
local tiny = require "tiny_zoo"

TestFork = {}

local new, outcome = harness.new, harness.outcome
local N = 23

-- changes: a function, for each trainer needs options of its own.
local function continues(changes, length)
  length = length or { steps = N }
  local whole, first = new(changes()), new(changes())
  whole:fit(length):fit(length)
  first:fit(length)
  local fork = first:fork()
  local second = fork:fork() -- of a fork
  fork:fit(length)
  lu.assert_equals(outcome(fork), outcome(whole))
  first:fit(length) -- the original, after its fork
  lu.assert_equals(outcome(first), outcome(whole))
  second:fit(length)
  lu.assert_equals(outcome(second), outcome(whole))
  lu.assert_not_is(fork.model, first.model)
  lu.assert_is(fork.data, first.data)
end

local function continues_with(o) continues(function() return o end) end

function TestFork:test_optimizers()
  continues_with { clip_norm = 0.5,
    optimizer = sw.optim.SGD { momentum = 0.9, nesterov = true, weight_decay = 1e-3 } }
  continues_with { optimizer = sw.optim.AdamW { weight_decay = 0.1 }, lr = 1e-3, micro_batch = 8 }
  continues_with { optimizer = sw.optim.Adam {}, lr = 1e-3, sampler = "independent",
    lr_scaling = "sqrt", reference_batch = 16 }
  continues_with { optimizer = function(w, g, state, hyper)
    state.m = state.m or sw.zeros { g:numel() }
    state.t = (state.t or 0) + 1
    w:add(-hyper.lr / math.sqrt(state.t), state.m:scale(0.9):add(1, g))
  end }
end

function TestFork:test_averages()
  continues(function()
    return { average = { sw.average.SWA { start = { steps = 10 }, every = { steps = 7 } },
      sw.average.EMA { decay = 0.9 }, sw.average.LastK { k = 4, every = { steps = 5 } },
      kept = sw.average.SWA { every = { steps = 9 }, keep = true } } }
  end)
end

-- Batch norm over ghosts and dropout, at the end of an epoch that a batch crosses.
function TestFork:test_ghosts_dropout_and_the_best_weights()
  continues(function()
    return { average = sw.average.EMA {}, model = sw.nn.Sequential { sw.nn.Linear(64, 8),
      sw.nn.GhostBatchNorm(16)(8), sw.nn.ReLU(), sw.nn.Dropout(0.2), sw.nn.BatchNorm(8),
      sw.nn.Linear(8, 10) } }
  end, { epochs = 1.5 })
end

function TestFork:test_augmented_images()
  local data = sw.data.from_tensors({ classes = 2, train = { x = sw.rand { 64, 8, 8, 1 },
    y = sw.zeros({ 64 }, "int32") } }):augment { crop = 2, flip = true }
  continues_with { data = data, batch_size = 8, model = sw.nn.Sequential {
    sw.nn.Conv2d(1, 2, 3), sw.nn.ReLU(), sw.nn.Flatten(), sw.nn.Linear(72, 2) } }
end

function TestFork:test_rules_with_memory_and_schedules()
  continues_with { optimizer = sw.optim.SGD {},
    lr = function(s, mem)
      mem.seen = mem.seen or { sum = 0 }
      mem.seen.sum = mem.seen.sum + (s.loss == s.loss and s.loss or 0)
      return 0.01 + 0.001 * (mem.seen.sum % 7)
    end,
    batch_size = sw.rule(16, function(_, mem)
      mem.n = (mem.n or 0) + 1
      return 16 + mem.n % 9
    end),
    momentum = sw.schedule.linear { from = 0, to = 0.9, period = { steps = 2 * N } } }
end

function TestFork:test_measurements_and_rules_that_read_them()
  continues_with(harness.measured(1.5, 1))
end

function TestFork:test_all_measurements()
  continues(function()
    local all = {}
    for _, name in ipairs(require("swale.measurements").NAMES) do
      all[name] = { every = { steps = 4 } }
    end
    return { measure = all }
  end)
end

-- The zoo's networks, in bits of weights and running statistics.
function TestFork:test_the_zoo()
  local function data_of(features)
    local random, shape = sw.random(1, "test"), { 12, table.unpack(features) }
    local x = features == "words" and sw.zeros({ 12, tiny.LENGTH }, "int32")
      or random:fill_normal(sw.zeros(shape), 0, 1)
    local y = features == "words" and sw.ones({ 12, tiny.LENGTH }, "int32")
      or sw.tensor({ 0, 3, 1, 4, 2, 0, 3, 1, 4, 2, 0, 1 }, "int32")
    return sw.data.from_tensors { train = { x = x, y = y }, classes = tiny.CLASSES,
      vocabulary = features == "words" and tiny.WORDS or nil }
  end
  for _, name in ipairs { "mlp_small", "F1", "C1", "lenet5", "resnet20", "wrn",
    "char_transformer" } do
    local layer, features = tiny.network(name)
    local function made()
      return sw.Trainer { model = layer, data = data_of(features), lr = 1e-3, batch_size = 5,
        optimizer = sw.optim.Adam {}, seed = 2 }
    end
    local trainer = made():fit { steps = 2 }
    local fork = trainer:fork():fit { steps = 2 }
    trainer:fit { steps = 2 }
    local whole = made():fit { steps = 4 }
    for _, one in ipairs { fork, trainer } do
      lu.assert_equals(one:weights():distance(whole:weights()), 0, name)
      local buffers = one.model:buffers()
      if buffers then lu.assert_equals(buffers:distance(whole.model:buffers()), 0, name) end
    end
  end
end

-- ------------------------------------------------------------------ where

function TestFork:test_before_the_first_step()
  local o = { lr = sw.rule(0.2, function(s) return 0.01 / (1 + s.loss) end) }
  local trainer = new(o)
  local fork = trainer:fork()
  lu.assert_equals(outcome(fork:fit { steps = 5 }), outcome(new(o):fit { steps = 5 }))
  lu.assert_equals(outcome(trainer:fit { steps = 5 }), outcome(fork))
end

-- In the hook of a step, of an epoch (between strides), and in a rule.
function TestFork:test_inside_a_fit()
  local function forked(event, o)
    local trainer, fork = new(o), nil
    trainer:on(event, function(s, t) if s.epoch < 1.2 then fork = t:fork() end end)
    trainer:fit { epochs = 2 }
    fork:fit { steps = trainer:state().step - fork:state().step }
    lu.assert_equals(fork:weights():table(), trainer:weights():table())
    lu.assert_equals(trainer:weights():table(), harness.weights_after({}, { epochs = 2 }))
  end
  forked "step"
  forked "epoch"
  local trainer, loss
  trainer = new { lr = function(s)
    if s.step == 10 and not loss then
      loss = 0
      loss = trainer:fork():fit({ steps = 3 }):state().loss
    end
    return 0.05
  end }
  trainer:fit { steps = 13 }
  lu.assert_equals(trainer:state().loss, loss)
end

-- Measurements at marks, of which one makes the fork, are not made in it.
function TestFork:test_inside_a_measurement()
  local trainer, forks, o = nil, 0, { measure = { noise_scale = { steps = 2 } } }
  o.measure.ahead = sw.measurement { every = { steps = 10 }, function()
    forks = forks + 1
    return trainer:fork():fit({ steps = 15 }):state().loss
  end }
  trainer = new(o)
  trainer:fit { steps = 25 }
  lu.assert_equals(forks, 2)
  lu.assert_equals(trainer:weights():table(), harness.weights_after({}, { steps = 25 }))
  local at = new():fit { steps = 35 }
  lu.assert_equals(trainer:state().ahead, at:state().loss)
end

-- ------------------------------------------------------------------ other settings

function TestFork:test_settings_are_replaced_and_the_rest_goes_on()
  local function made() return new { average = sw.average.EMA { decay = 0.9 } } end
  local trainer = made():fit { steps = N }
  local fork = trainer:fork { lr = 0.01, batch_size = 64, momentum = 0.5, weight_decay = 1e-3 }
  local other = made():fit { steps = N }
  other.lr, other.batch_size, other.momentum, other.weight_decay = 0.01, 64, 0.5, 1e-3
  lu.assert_equals(outcome(fork:fit { steps = N }), outcome(other:fit { steps = N }))
  lu.assert_equals({ trainer.lr, trainer.batch_size, fork.batch_size }, { 0.05, 32, 64 })
end

-- Common random numbers: other rates see the same examples, for any batch size.
function TestFork:test_a_rate_of_zero_sees_the_batches_of_the_original()
  local trainer = new { lr = 0 }:fit { steps = N }
  local losses = {}
  local function watch(t) t:on("step", function(s) losses[#losses + 1] = s.loss end) end
  local fork = trainer:fork { batch_size = 16 }
  watch(fork)
  fork:fit { steps = 2 }
  watch(trainer)
  trainer:fit { steps = 1 }
  lu.assert_almost_equals((losses[1] + losses[2]) / 2, losses[3], 1e-6)
  local elsewhere = trainer:fork { seed = 7 }:fit { steps = 1 }
  lu.assert_not_equals(elsewhere:state().loss, trainer:fork():fit({ steps = 1 }):state().loss)
end

function TestFork:test_a_replaced_rule_begins_without_memory()
  local function count(s, mem)
    mem.n = (mem.n or 0) + 1
    return s.step >= 0 and 0.01 * mem.n
  end
  local trainer = new { lr = count }:fit { steps = 4 }
  lu.assert_almost_equals(trainer:fork():fit({ steps = 1 }):state().lr, 0.05, 1e-12)
  lu.assert_almost_equals(trainer:fork({ lr = count }):fit({ steps = 1 }):state().lr, 0.01, 1e-12)
end

function TestFork:test_another_average_starts_empty()
  local trainer = new { average = sw.average.EMA { decay = 0.9 } }:fit { steps = 5 }
  local ema = sw.average.EMA { decay = 0.5 }
  local fork = trainer:fork { average = ema }:fit { steps = 2 }
  lu.assert_is(fork.average, ema)
  lu.assert_equals({ ema.count, trainer.average.count }, { 2, 5 })
  lu.assert_equals(trainer:fork({ average = {} }).average, {})
  lu.assert_error_msg_contains("ema is the original's own", trainer.fork, trainer,
    { average = trainer.average })
end

function TestFork:test_other_measurements()
  local function drift() return sw.measurement { every = { steps = 1 },
    function(m) return m.weights:distance(m.start) end } end
  local trainer = new { measure = { noise_scale = { steps = 1 } } }:fit { steps = 40 }
  local fork = trainer:fork { measure = { drift = drift() } }
  local at = fork:weights():clone()
  fork:fit { steps = 3 }
  lu.assert_equals(fork:state().drift, fork:weights():distance(at))
  lu.assert_error_msg_contains("s.noise_scale is not measured", function()
    return fork:state().noise_scale
  end)
  local same = trainer:fork { measure = { noise_scale = { steps = 2 } } } -- keeps its estimate
  lu.assert_equals(same:state().noise_scale.measurements, 40)
  local another = trainer:fork { measure = { noise_scale = { every = { steps = 1 },
    target = "population" } } }
  lu.assert_nil(rawget(another:state().noise_scale, "first"))
end

function TestFork:test_hooks_and_the_record_stay_behind()
  local run, calls, trainer = harness.fake_run(), 0, new()
  trainer:on("step", function() calls = calls + 1 end)
  trainer:fit { steps = 4, run = run }
  local lines, fork = #run.lines, trainer:fork()
  fork:fit { steps = 4 }
  lu.assert_equals({ calls, #run.lines }, { 4, lines })
  local own = harness.fake_run()
  fork:fit { steps = 4, run = own }
  lu.assert_equals(own:of("step")[1].step, 10)
  lu.assert_equals(#run.lines, lines)
end

-- The mean loss of an epoch is that of the fork's own steps, not of those that the original made.
function TestFork:test_a_record_of_a_fork_begins_at_the_fork()
  local trainer = new():fit { steps = 20, run = harness.fake_run() }
  local fork, own, losses = trainer:fork(), harness.fake_run(), {}
  fork:on("step", function(s) losses[#losses + 1] = s.loss end)
  fork:fit { steps = 18, run = own } -- to the end of the epoch
  local sum = 0
  for _, loss in ipairs(losses) do sum = sum + loss end
  lu.assert_almost_equals(own:of("epoch")[1].loss, sum / 18, 1e-6)
end

-- ------------------------------------------------------------------ what is refused

function TestFork:test_refused()
  local trainer = new { micro_batch = 8, model = sw.nn.Sequential { sw.nn.Linear(64, 8),
    sw.nn.GhostBatchNorm(8)(8), sw.nn.Linear(8, 10) } }
  lu.assert_error_msg_contains('unknown option "optimizer"', trainer.fork, trainer,
    { optimizer = sw.optim.Adam {} })
  lu.assert_error_msg_contains("lr is -1", trainer.fork, trainer, { lr = -1 })
  lu.assert_error_msg_contains("leaves one example of a batch of 33 alone", trainer.fork, trainer,
    { batch_size = 33 })
  trainer.lr = 1e300
  lu.assert_error(trainer.fit, trainer, { steps = 3 })
  lu.assert_error_msg_contains("its last weights must not be used", trainer.fork, trainer)
end
