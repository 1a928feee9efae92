--- What measurements cost: seconds in the record, apart from those of the training.
local estimate = require "swale.estimate"
local harness = require "trainer_harness"
local lu = require "luaunit"
local luv = require "luv"
local snapshot = require "swale.trainer.snapshot"
local sw = require "swale"
local values = require "swale.measurements.values"

TestMeasureCost = {}

local new, fake_run = harness.new, harness.fake_run

local SLOW <const> = 40 -- milliseconds

local function slow(o)
  o[1] = function()
    luv.sleep(SLOW)
    return 1
  end
  return sw.measurement(o)
end

function TestMeasureCost:test_seconds_of_the_training_are_without_those_of_measurements()
  local run = fake_run()
  new({ record = { steps = 1 }, lr = function() return 0.01 end, measure = {
    often = slow { every = { steps = 2 } }, changes = slow { at = { "start", "lr", "end" } } } })
    :fit { steps = 10, run = run }
  local measured, before = 0, 0
  for _, line in ipairs(run:of "measurement") do measured = measured + line.seconds end
  lu.assert_true(measured >= 7 * SLOW / 1000)
  for _, line in ipairs(run:of "step") do
    lu.assert_true(line.seconds > before)
    before = line.seconds
  end
  lu.assert_true(before < 2 * SLOW / 1000) -- ten small steps
  lu.assert_equals(#run:of "cost", 0)
end

function TestMeasureCost:test_a_walk_that_measures_does_not_count_it()
  local run = fake_run()
  new({ batch_size = sw.schedule.piecewise { values = { 16, 32 }, at = { { steps = 3 } } },
    measure = { mine = slow { at = "batch_size" } } }):fit { steps = 10, run = run }
  local lines = run:of "step"
  lu.assert_true(run:of "measurement"[1].seconds >= SLOW / 1000)
  lu.assert_true(lines[#lines].seconds < SLOW / 1000)
end

-- Norms at every step, and at every fourth, which plain steps follow.
function TestMeasureCost:test_measured_steps_have_a_line()
  for _, every in ipairs { 1, 4 } do
    local run = fake_run()
    local trainer = new { measure = { noise_scale = { every = { steps = every } } } }
    trainer:fit { steps = 200, run = run }
    local measured, paired, plain = trainer.engine.loop:cost()
    lu.assert_true(measured > 0)
    lu.assert_equals(paired > 0 and plain > 0, every > 1)
    local clock = trainer.engine.clock
    local along = every > 1 and math.max(0, measured * (1 - plain / paired))
      or measured * clock.share
    lu.assert_equals(clock:along(trainer.engine.loop), along)
    lu.assert_equals(clock:training(trainer.engine.loop), clock.steps - along)
    local lines = run:of "cost"
    lu.assert_equals(#lines, 1) -- whatever the steps took
    lu.assert_equals({ lines[1].name, lines[1].seconds }, { "noise_scale", along })
  end
end

function TestMeasureCost:test_the_loop_pairs_steps_of_one_batch_size()
  local trainer = new { batch_size = sw.schedule.step { value = 64, gamma = 0.5, steps = 1 },
    measure = { noise_scale = { every = { steps = 2 } } } }
  trainer:fit { steps = 5 }
  local measured, paired = trainer.engine.loop:cost()
  lu.assert_true(measured > 0)
  lu.assert_equals(paired, 0)
end

function TestMeasureCost:test_a_snapshot_has_the_seconds()
  local first, second, run = new(), new(), fake_run()
  first:fit { steps = 50 }
  snapshot.restore(second.engine, snapshot.take(first.engine))
  local before = first.engine.clock:training(first.engine.loop)
  lu.assert_true(before > 0)
  lu.assert_equals(second.engine.clock:training(second.engine.loop), before)
  second:fit { steps = 5, run = run }
  lu.assert_true(run:of "step"[1].seconds > before)
end

-- ------------------------------------------------------------------ targets and reasons

-- A pending estimate, then resolved ones, as often as the record has lines.
function TestMeasureCost:test_targets_and_reasons_are_recorded_where_they_change()
  local n, run = 0, fake_run()
  local own = sw.measurement { every = { steps = 1 }, estimate = "signed", function()
    n = n + 1
    if n < 3 then return estimate.new { signed = true, target = "this", reason = "wait" } end
    return estimate.new { value = -1, low = -2, high = 0, target = n < 6 and "this" or "that" }
  end }
  local trainer = new { measure = { mine = own } }
  lu.assert_equals(trainer:state().mine.low, -math.huge)
  lu.assert_false(trainer:state().mine:above(-1))
  trainer:fit { steps = 7, run = run }
  local texts = {}
  for i, line in ipairs(run:of "measurement") do
    texts[i] = ("%s/%s"):format(line.mine_target, line.mine_reason)
  end
  lu.assert_equals(table.concat(texts, " "), "this/wait nil/nil this/nil nil/nil nil/nil that/nil"
    .. " nil/nil")
  local again = fake_run()
  trainer:fit { steps = 1, run = again }
  lu.assert_equals(again:of "measurement"[1].mine_target, "that")
end

-- Lines of steps are one table, written again and again.
function TestMeasureCost:test_a_reason_does_not_stay_in_the_next_line()
  local run = fake_run()
  new({ record = { steps = 1 }, measure = { noise_scale = { every = { steps = 1 } } } })
    :fit { steps = 3, run = run }
  local lines = run:of "step"
  lu.assert_not_nil(lines[1].noise_scale_reason)
  lu.assert_nil(lines[2].noise_scale_reason)
end

function TestMeasureCost:test_texts_and_ends_of_intervals_are_no_values()
  for _, ending in ipairs { "_low", "_high", "_status", "_target", "_reason" } do
    lu.assert_false(values.is_value_of("mine", "mine" .. ending))
    lu.assert_false(values.is_value_of("mine", "mine.part" .. ending))
  end
  lu.assert_true(values.is_value_of("mine", "mine.part"))
end

function TestMeasureCost:test_names_do_not_end_as_these_columns()
  for _, name in ipairs { "a_target", "a_reason" } do
    lu.assert_error_msg_contains("names do not end in", new, { measure = { [name] =
      slow { every = 1 } } })
  end
  lu.assert_error_msg_contains('estimate must be one of false, true, "signed", not "yes"',
    sw.measurement, { every = 1, estimate = "yes", print })
end
