--- What an update costs in examples: from times that are made up, and of a training.
local coverage = require "coverage"
local harness = require "trainer_harness"
local line = require "swale.measure.cost_line"
local lu = require "luaunit"
local sw = require "swale"

TestStepCost = {}

local SIZES = { 16, 32, 64, 128, 256 }

-- 3 ms an update and 0.25 ms an example: 12 examples, whatever the sizes.
local function times(rounds, noise, random)
  local list = {}
  for round = 1, rounds do
    list[round] = {}
    for i, batch in ipairs(SIZES) do
      local error = noise > 0 and noise * random:normal() or 0
      list[round][i] = (3e-3 + 0.25e-3 * batch) * (1 + error)
    end
  end
  return list
end

function TestStepCost:test_a_line_is_found_exactly()
  local r = line.of(SIZES, times(4, 0))
  lu.assert_almost_equals({ r.value, r.low, r.high }, { 12, 12, 12 }, 1e-6)
  lu.assert_almost_equals(r.step_seconds, 3e-3, 1e-12)
  lu.assert_almost_equals(r.example_seconds, 0.25e-3, 1e-12)
  lu.assert_true(r.misfit < 1e-9)
end

-- The line has the least sum of squares of relative errors of all lines near by.
function TestStepCost:test_errors_are_relative()
  local sizes, seen = { 1, 2, 4, 8 }, { 1.1, 1.7, 3.5, 9 }
  local r = line.of(sizes, { seen, seen })
  local function squares(step, example)
    local sum = 0
    for i, batch in ipairs(sizes) do sum = sum + ((step + example * batch) / seen[i] - 1) ^ 2 end
    return sum
  end
  local least = squares(r.step_seconds, r.example_seconds)
  for _, d in ipairs { { 1, 0 }, { -1, 0 }, { 0, 1 }, { 0, -1 }, { 1, -1 }, { -1, 1 } } do
    lu.assert_true(least < squares(r.step_seconds + 1e-3 * d[1], r.example_seconds + 1e-3 * d[2]))
  end
end

-- A machine that is slower in some rounds than in others says the same in all of them.
function TestStepCost:test_the_speed_of_the_machine_has_no_part_in_it()
  local list = times(4, 0)
  for round, row in ipairs(list) do for i in ipairs(row) do row[i] = row[i] * round end end
  local r = line.of(SIZES, list)
  lu.assert_almost_equals({ r.value, r.low, r.high }, { 12, 12, 12 }, 1e-5)
end

-- A cost that grows faster than the batch: the line's constant is negative, and so is r.
function TestStepCost:test_it_may_be_negative()
  local list = { {}, {} }
  for i, batch in ipairs(SIZES) do
    list[1][i], list[2][i] = 1e-6 * batch ^ 1.5, 1.01e-6 * batch ^ 1.5
  end
  local r = line.of(SIZES, list)
  lu.assert_true(r.value < 0 and r.misfit > 0.1)
end

function TestStepCost:test_coverage()
  coverage.check(coverage.replicates(100), 12, function(seed)
    return line.of(SIZES, times(10, 0.05, sw.random(seed, "times")))
  end, "cost of an update")
end

function TestStepCost:test_of_a_training_which_it_does_not_change()
  local trainer = harness.new { optimizer = sw.optim.Adam {}, lr = 1e-3 }
  trainer:fit { steps = 3 }
  local r = sw.measure.step_cost_ratio(trainer, { rounds = 3 })
  lu.assert_true(r.example_seconds > 0 and r.step_seconds == r.step_seconds)
  lu.assert_equals(r.batch_sizes, SIZES)
  lu.assert_equals(harness.outcome(trainer:fit { steps = 3 }),
    harness.outcome(harness.new({ optimizer = sw.optim.Adam {}, lr = 1e-3 }):fit { steps = 6 }))
  trainer.batch_size = sw.rules.mccandlish { start = 16, r = r }
end

-- The ends of r are used as those of the noise scale.
function TestStepCost:test_a_rule_acts_on_what_is_sure_of_it()
  local r = sw.estimate { value = 30, low = 16, high = 49, signed = true }
  local rule = sw.rules.mccandlish { start = 100, r = r, least = 1 }
  local function batch(low, high)
    return rule.f({ epoch_examples = 1e6, noise_scale = sw.estimate { value = (low + high) / 2,
      low = low, high = high } }, {})
  end
  lu.assert_equals({ batch(2500, 1e9), batch(1, 64), batch(1, 1e9) }, { 200, 56, 100 })
end

function TestStepCost:test_refused()
  lu.assert_error_msg_contains("trainer must be a Trainer", sw.measure.step_cost_ratio, {})
  lu.assert_error_msg_contains("two sizes or more", sw.measure.step_cost_ratio, harness.new(),
    { batch_sizes = { 8 } })
  lu.assert_error_msg_contains("rounds must be 2 or more", sw.measure.step_cost_ratio,
    harness.new(), { rounds = 1 })
end
