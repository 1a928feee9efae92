--- When measurements are made: marks at even and at growing distances, changes in the training.
local harness = require "trainer_harness"
local lu = require "luaunit"
local snapshot = require "swale.trainer.snapshot"
local sw = require "swale"

TestMeasureTimes = {}

local new, fake_run = harness.new, harness.fake_run

local function step_of(o)
  o[1] = function(m) return m.state.step end
  return sw.measurement(o)
end

-- The steps at which a measurement was made, and after which change.
local function made(changes, length, o)
  local run = fake_run()
  changes.measure = { mine = step_of(o) }
  length.run = run
  local trainer = new(changes):fit(length)
  local steps, after = {}, {}
  for i, line in ipairs(run:of "measurement") do
    lu.assert_nil(line.error)
    steps[i], after[i] = line.step, line.at or "-"
    lu.assert_equals(line.mine, line.step)
  end
  return steps, table.concat(after, " "), trainer
end

-- ------------------------------------------------------------------ marks

function TestMeasureTimes:test_marks_with_a_factor()
  lu.assert_equals(made({}, { steps = 100 }, { every = { steps = 10, factor = 2 } }),
    { 10, 20, 40, 80 })
  lu.assert_equals(made({}, { steps = 20 }, { every = sw.every { steps = 1, factor = 1.5 } }),
    { 1, 2, 3, 4, 6, 8, 12, 18 }) -- 1, 1.5, 2.25, 3.375, 5.0625, 7.59, 11.4, 17.1, rounded up
  lu.assert_equals(made({}, { steps = 14 }, { every = { examples = 100, factor = 2 } }),
    { 4, 7, 13 }) -- of 32
end

function TestMeasureTimes:test_marks_do_not_depend_on_how_fits_are_cut()
  local o = { every = { steps = 3, factor = 1.3 } }
  local whole = made({}, { steps = 60 }, o)
  local run, cut = fake_run(), {}
  local trainer = new { measure = { mine = step_of(o) } }
  for _, n in ipairs { 2, 1, 1, 9, 20, 27 } do trainer:fit { steps = n, run = run } end
  for i, line in ipairs(run:of "measurement") do cut[i] = line.step end
  lu.assert_equals(cut, whole)
end

function TestMeasureTimes:test_factors_that_cannot_be()
  lu.assert_equals(tostring(sw.every { steps = 10, factor = 2 }), "10, 20, … steps")
  lu.assert_error_msg_contains("every: factor must be a number above 1, not 1", sw.every,
    { steps = 2, factor = 1 })
  lu.assert_error_msg_contains("a factor is for measurements", sw.average.SWA,
    { start = 0, every = sw.every { steps = 2, factor = 2 } })
  lu.assert_error_msg_contains('no unit "factor"', sw.average.SWA,
    { start = 0, every = { steps = 2, factor = 2 } })
end

-- ------------------------------------------------------------------ changes

function TestMeasureTimes:test_the_start_and_the_end()
  local steps, after = made({}, { steps = 8 }, { at = { "start", "end" } })
  lu.assert_equals({ steps, after }, { { 0, 8 }, "start end" })
  steps, after = made({}, { steps = 8 }, { every = { steps = 4 }, at = "end" })
  lu.assert_equals({ steps, after }, { { 4, 8 }, "- -" }) -- once at a step
end

function TestMeasureTimes:test_a_change_of_batch_size()
  local schedule = sw.schedule.piecewise { values = { 16, 32, 64 },
    at = { { steps = 5 }, { steps = 9 } } }
  local steps, after = made({ batch_size = schedule }, { steps = 20 }, { at = "batch_size" })
  lu.assert_equals({ steps, after }, { { 6, 10 }, "batch_size batch_size" })
end

function TestMeasureTimes:test_drops_and_restarts_of_the_rate()
  local function at(lr) return made({ lr = lr }, { steps = 30 }, { at = "lr" }) end
  lu.assert_equals(at(sw.schedule.multi_step { value = 0.1, gamma = 0.5,
    at = { { steps = 10 }, { steps = 20 } } }), { 11, 21 })
  lu.assert_equals(at(sw.schedule.step { value = 0.1, gamma = 0.9, steps = 12 }), { 13, 25 })
  lu.assert_equals(at(sw.schedule.cyclic { max = 0.1, min = 0.01, steps = 10 }), { 11, 21 })
  lu.assert_equals(at(sw.schedule.cosine_restarts { from = 0.1, steps = 15 }), { 16 })
  lu.assert_equals(at(function(s) return s.step < 7 and 0.1 or 0.02 end), { 8 })
  lu.assert_equals(at(0.1), {})
end

function TestMeasureTimes:test_gradual_rates_do_not_jump()
  local function at(lr) return made({ lr = lr }, { steps = 40 }, { at = "lr" }) end
  lu.assert_equals(at(sw.schedule.linear { from = 0.001, to = 0.1, steps = 20 }), {})
  lu.assert_equals(at(sw.schedule.cosine { from = 0.1, steps = 40 }), {})
  lu.assert_equals(at(sw.schedule.exponential { value = 0.1, gamma = 0.5, steps = 5 }), {})
  lu.assert_equals(at(sw.schedule.warmup_stable_decay { max = 0.1, warmup = { steps = 10 },
    stable = { steps = 5 }, decay = { steps = 25 }, shape = "linear" }), {})
  lu.assert_equals(at(sw.schedule.triangular { max = 0.1, min = 0.01, steps = 10 }), {})
end

function TestMeasureTimes:test_a_rate_that_a_hook_sets()
  local run = fake_run()
  local trainer = new { measure = { mine = step_of { at = "lr" } } }
  trainer:on("step", function(s) if s.step == 6 then trainer.lr = 0.01 end end)
  trainer:fit { steps = 12, run = run }
  lu.assert_equals(run:of "measurement"[1].step, 7)
  lu.assert_equals(#run:of "measurement", 1)
end

function TestMeasureTimes:test_the_first_capture_of_an_average()
  local steps, after = made({ average = { sw.average.SWA { start = { steps = 6 },
    every = { steps = 3 } }, sw.average.EMA { start = { steps = 4 }, decay = 0.9 } } },
    { steps = 20 }, { at = "average" })
  lu.assert_equals({ steps, after }, { { 5, 9 }, "average average" })
end

function TestMeasureTimes:test_the_end_of_an_epoch()
  local data = harness.new().data.train
  local steps, after = made({ batch_size = 256 }, { epochs = 2 }, { at = "epoch" })
  local n = math.ceil(#data / 256)
  lu.assert_equals({ steps, after }, { { n, math.ceil(2 * #data / 256) }, "epoch epoch" })
end

function TestMeasureTimes:test_names_and_times_that_are_missing()
  lu.assert_error_msg_contains('measurement: at: nothing is called "lrs"; did you mean "lr"?',
    sw.measurement, { at = "lrs", print })
  lu.assert_error_msg_contains("measurement: needs every or at", sw.measurement, { print })
  lu.assert_error_msg_contains("measurement: at has no names", sw.measurement, { at = {}, print })
  lu.assert_error_msg_contains('measure: noise_scale: at: "end": it is made of the step that'
    .. " follows", new, { measure = { noise_scale = { at = "end" } } })
  lu.assert_equals(tostring(step_of { every = { steps = 3 }, at = { "lr", "end" } }),
    "measurement every 3 steps, at end, lr")
end

-- ------------------------------------------------------------------ along measured steps

-- The steps that the row of measured steps was given.
local function taken(changes, length, times)
  local row, steps = require("swale.measurements").row "noise_scale", {}
  local take = row.take
  row.take = function(kept, seen)
    steps[#steps + 1] = seen.step
    return take(kept, seen)
  end
  changes.measure = { noise_scale = times }
  local trainer = new(changes)
  local ok, fault = pcall(function()
    for _, n in ipairs(type(length) == "table" and length or { length }) do
      trainer:fit { steps = n }
    end
  end)
  row.take = take
  lu.assert_true(ok, fault)
  return steps
end

function TestMeasureTimes:test_measured_steps_with_a_factor()
  local function at(length) return taken({}, length, { every = { steps = 1, factor = 2 } }) end
  lu.assert_equals(at(40), { 1, 2, 4, 8, 16, 32 })
  lu.assert_equals(at { 1, 2, 1, 3, 1, 32 }, { 1, 2, 4, 8, 16, 32 })
  lu.assert_equals(taken({}, 70, { every = { steps = 20, factor = 1.7 } }), { 20, 34, 58 })
end

function TestMeasureTimes:test_measured_steps_after_changes()
  local batch_size = sw.schedule.piecewise { values = { 16, 32 }, at = { { steps = 5 } } }
  lu.assert_equals(taken({ batch_size = batch_size }, 20, { at = { "start", "batch_size" } }),
    { 1, 7 })
  lu.assert_equals(taken({ batch_size = batch_size }, { 6, 4 }, { at = "batch_size" }), { 7 })
  lu.assert_equals(taken({ batch_size = batch_size }, 20,
    { every = { steps = 8 }, at = "batch_size" }), { 7, 8, 16 })
end

-- A change of the last step before a snapshot asks for the first one after it.
function TestMeasureTimes:test_what_was_asked_for_is_in_a_snapshot()
  local function make()
    return new { batch_size = sw.schedule.piecewise { values = { 16, 32 }, at = { { steps = 5 } } },
      measure = { noise_scale = { at = "batch_size" }, mine = step_of { at = { "lr", "end" } } } }
  end
  local first, second = make():fit { steps = 6 }, make()
  snapshot.restore(second.engine, snapshot.take(first.engine))
  for _, trainer in ipairs { first, second } do trainer:fit { steps = 3 } end
  local wanted, found = first.engine.measurements:state(), second.engine.measurements:state()
  lu.assert_equals(found.rate, wanted.rate)
  for name, calls in pairs { noise_scale = 1, mine = 2 } do
    local a, b = wanted.values[name], found.values[name]
    lu.assert_equals({ a.calls, a.step, a.kept }, { b.calls, b.step, b.kept })
    lu.assert_equals(a.calls, calls)
  end
end
