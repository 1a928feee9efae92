--- Snapshots: 2 n steps in one go are n steps, a snapshot, and n steps of a fresh trainer, bit for
--- bit, part by part.
local core = require "swale.core"
local harness = require "trainer_harness"
local lu = require "luaunit"
local snapshot = require "swale.trainer.snapshot"
local sw = require "swale"

TestSnapshot = {}

local fake_run, outcome = harness.fake_run, harness.outcome
local N = 37

--- changes: a function, for each trainer needs options of its own.
local function continues(changes, length)
  length = length or { steps = N }
  local whole, first, second = harness.new(changes()), harness.new(changes()),
    harness.new(changes())
  whole:fit(length):fit(length)
  first:fit(length)
  local taken = snapshot.take(first.engine)
  first:fit { steps = 3 } -- what is taken does not follow
  snapshot.restore(second.engine, taken)
  second:fit(length)
  lu.assert_equals(outcome(second), outcome(whole))
  snapshot.restore(first.engine, taken) -- a second use, and into one that has gone on
  first:fit(length)
  lu.assert_equals(outcome(first), outcome(whole))
end

local function continues_with(o) continues(function() return o end) end

function TestSnapshot:test_optimizers()
  continues_with {}
  continues_with { clip_norm = 0.5,
    optimizer = sw.optim.SGD { momentum = 0.9, nesterov = true, weight_decay = 1e-3 } }
  continues_with { optimizer = sw.optim.Adam {}, lr = 1e-3 }
  continues_with { optimizer = sw.optim.AdamW { weight_decay = 0.1 }, lr = 1e-3, micro_batch = 8 }
  continues_with { sampler = "independent", lr_scaling = "linear", reference_batch = 16 }
end

function TestSnapshot:test_schedules_of_momentum()
  continues_with { optimizer = sw.optim.SGD {}, lr = sw.schedule.one_cycle { max = 0.1,
    period = { steps = 2 * N } }, momentum = sw.schedule.linear { from = 0, to = 0.9,
      period = { steps = 2 * N } } }
  continues_with { optimizer = sw.optim.SGD {}, momentum = function(s) return s.step % 5 / 10 end }
end

function TestSnapshot:test_rules_and_their_memory()
  local function lr(s, mem)
    mem.seen = mem.seen or { sum = 0 }
    mem.seen.sum = mem.seen.sum + (s.loss == s.loss and s.loss or 0)
    return 0.01 + 0.001 * (mem.seen.sum % 7)
  end
  continues_with { lr = lr }
  -- a rule of what was used last, and one of the batch that begins with a value of its own
  continues_with { lr = function(s) return s.lr == s.lr and 0.99 * s.lr or 0.05 end,
    batch_size = sw.rule(16, function(_, mem)
      mem.n = (mem.n or 0) + 1
      return 16 + mem.n % 9
    end) }
end

--- A checkpoint has the values that rules read, but not their memories.
function TestSnapshot:test_rules_that_read_the_last_values_go_on_from_a_checkpoint()
  local o = { optimizer = sw.optim.SGD {},
    lr = function(s) return s.step > 0 and 0.99 * s.lr or 0.1 end,
    momentum = sw.rule(0.9, function(s) return math.min(0.99, s.momentum * 1.001) end),
    batch_size = sw.rule(8, function(s)
      return s.step % 20 == 0 and math.min(64, 2 * s.batch_size) or s.batch_size
    end) }
  local run, whole, second = fake_run(), harness.new(o), harness.new(o)
  whole:fit { steps = 30, run = run }
  local saved = run.checkpoints[#run.checkpoints]
  local tensors = {}
  for name, t in pairs(saved.tensors) do tensors[name] = t:clone() end
  second:restore(tensors, saved.metadata)
  lu.assert_equals(outcome(second), outcome(whole))
  lu.assert_equals(second:state().batch_size, 16)
  whole:fit { steps = 30 }
  second:fit { steps = 30 }
  lu.assert_equals(outcome(second), outcome(whole))
end

function TestSnapshot:test_before_the_first_step()
  local o = { lr = sw.rule(0.2, function(s) return 0.01 / (1 + s.loss) end) }
  local whole, first, second = harness.new(o), harness.new(o), harness.new(o)
  whole:fit { steps = 5 }
  snapshot.restore(second.engine, snapshot.take(first.engine))
  second:fit { steps = 5 }
  lu.assert_equals(outcome(second), outcome(whole))
end

function TestSnapshot:test_averages()
  continues(function()
    return { average = { sw.average.SWA { start = { steps = 10 }, every = { steps = 7 } },
      sw.average.EMA { decay = 0.9 }, sw.average.LastK { k = 4, every = { steps = 5 } },
      kept = sw.average.SWA { every = { steps = 9 }, keep = true } } }
  end)
end

function TestSnapshot:test_best_and_buffers()
  local o = { model = sw.nn.Sequential { sw.nn.Linear(64, 8), sw.nn.BatchNorm(8), sw.nn.ReLU(),
    sw.nn.Dropout(0.2), sw.nn.Linear(8, 10) }, average = sw.average.EMA {} }
  continues(function()
    o.average = sw.average.EMA {}
    return o
  end, { epochs = 1.5 })
end

function TestSnapshot:test_optimizers_in_lua()
  local function heavy_ball(w, g, state, hyper)
    state.m = state.m or sw.zeros { g:numel() }
    state.t = (state.t or 0) + 1
    state.m:scale(0.9):add(1, g)
    w:add(-hyper.lr / math.sqrt(state.t), state.m)
  end
  continues_with { optimizer = heavy_ball }
  continues_with { optimizer = heavy_ball,
    lr = function(s) return s.lr == s.lr and s.lr or 0.05 end }
end

function TestSnapshot:test_measurements()
  continues_with(harness.measured(4, 2))
end

function TestSnapshot:test_noise_by_micro_batches()
  continues_with { optimizer = sw.optim.SGD {}, measure = { noise_scale = { every = { steps = 1 },
    by = "micro", batch_size = 4, units = 3 } } }
end

function TestSnapshot:test_the_record_goes_on()
  local function lines_after(run, step)
    local list = {}
    for _, line in ipairs(run.lines) do
      if line.step > step then list[#list + 1] = { line.kind, line.step, line.loss, line.lr } end
    end
    return list
  end
  local run1, run2, run3 = fake_run(), fake_run(), fake_run()
  harness.new():fit { steps = 75, run = run1 }
  local first, second = harness.new(), harness.new()
  first:fit { steps = 30, run = run2 }
  first:fit { steps = 7 }
  snapshot.restore(second.engine, snapshot.take(first.engine))
  second:fit { steps = 38, run = run3 }
  lu.assert_equals(#lines_after(run3, 40), #lines_after(run1, 40))
  local a, b = harness.new(), harness.new()
  a:fit { steps = 33, run = run2 }
  local taken = snapshot.take(a.engine)
  local before = #run2.lines
  a:fit { steps = 44, run = run2 }
  snapshot.restore(b.engine, taken)
  local run4, rest = fake_run(), {}
  b:fit { steps = 44, run = run4 }
  for i = before + 1, #run2.lines do rest[#rest + 1] = run2.lines[i] end
  for i, line in ipairs(rest) do
    for _, name in ipairs { "kind", "step", "loss", "grad_norm", "lr", "valid_loss" } do
      lu.assert_equals(run4.lines[i][name], line[name], name)
    end
  end
end

function TestSnapshot:test_behind_a_fault()
  local trainer = harness.new()
  trainer:fit { steps = N }
  local taken = snapshot.take(trainer.engine)
  trainer:weights():fill(0 / 0)
  lu.assert_error(trainer.fit, trainer, { steps = 3 })
  snapshot.restore(trainer.engine, taken)
  lu.assert_equals(trainer:state().fault, false)
  trainer:fit { steps = N }
  lu.assert_equals(outcome(trainer), outcome(harness.new():fit { steps = N }:fit { steps = N }))
end

-- A part that restore leaves out is missed: what the tests above compare is made of all of them.
function TestSnapshot:test_each_part_is_needed()
  local function make()
    return harness.new { average = sw.average.EMA {}, measure = { noise_scale = { steps = 1 } },
      lr = function(_, mem)
        mem.n = (mem.n or 0) + 1
        return 0.05 / mem.n
      end }
  end
  local first = make():fit { epochs = 1 }
  local function restored(without)
    local second, taken = make(), snapshot.take(first.engine)
    taken[without] = nil
    snapshot.restore(second.engine, taken)
    local found = outcome(second)
    found.memory = second.engine.rules[1].mem.n
    return found
  end
  local wanted = outcome(first)
  wanted.memory = first.engine.rules[1].mem.n
  lu.assert_equals(restored "nothing", wanted)
  for _, part in ipairs { "rules", "averages", "measurements", "evaluator" } do
    lu.assert_not_equals(restored(part), wanted, part)
  end
end

function TestSnapshot:test_another_order_is_refused()
  local taken = snapshot.take(harness.new().engine)
  lu.assert_error_msg_contains("seed was 1, this trainer's is 2", snapshot.restore,
    harness.new({ seed = 2 }).engine, taken)
  lu.assert_error_msg_contains('order was "shuffled"', snapshot.restore,
    harness.new({ sampler = "independent" }).engine, taken)
end

-- restore copies: neither side sees the other's later steps.
function TestSnapshot:test_nothing_is_shared()
  local trainer = harness.new { average = sw.average.EMA {}, lr = function(_, mem)
    mem.n = (mem.n or 0) + 1
    return 0.01
  end }
  trainer:fit { steps = 3 }
  local taken = snapshot.take(trainer.engine)
  local text = core.json_encode { taken.vectors.weights:table(), taken.rules.lr.mem,
    taken.averages.ema.state:table(), taken.loop.vectors.momentum:table() }
  snapshot.restore(trainer.engine, taken)
  trainer:fit { steps = 3 }
  lu.assert_equals(core.json_encode { taken.vectors.weights:table(), taken.rules.lr.mem,
    taken.averages.ema.state:table(), taken.loop.vectors.momentum:table() }, text)
end

-- ------------------------------------------------------------------ checkpoints that do not fit

local function averaged(optimizer)
  return harness.new { optimizer = optimizer, average = sw.average.EMA { decay = 0.9 } }
end

local function with(t, changes)
  local changed = {}
  for key, value in pairs(t) do changed[key] = value end
  for key, value in pairs(changes) do changed[key] = value end
  return changed
end

function TestSnapshot:test_a_checkpoint_that_is_refused_changes_nothing()
  local run, sgd = fake_run(), sw.optim.SGD { momentum = 0.9 }
  averaged(sgd):fit { steps = 3, run = run }
  local saved = run.checkpoints[#run.checkpoints]
  local function refuses(words, optimizer, tensors, metadata)
    local trainer = averaged(optimizer):fit { steps = 2 }
    local before = outcome(trainer)
    lu.assert_error_msg_contains(words, trainer.restore, trainer, with(saved.tensors, tensors),
      with(saved.metadata, metadata))
    lu.assert_equals(outcome(trainer), before)
  end
  refuses("the checkpoint's optimizer is sgd, this trainer's adam", sw.optim.Adam {}, {}, {})
  refuses("momentum is (1)", sgd, { momentum = sw.zeros { 1 } }, {})
  refuses("the average ema has 1 float32 weights, the model has 1210 float32", sgd,
    { average_carry = sw.zeros { 1 }, average = sw.zeros { 1 } }, {})
  saved.metadata.state = nil -- as in files of older versions
  refuses("average_count must be a whole number from 1, not \"1e300\"", sgd, {},
    { average_count = "1e300" })
  refuses("step must be a whole number from 0, not \"x\"", sgd, {}, { step = "x" })
end
