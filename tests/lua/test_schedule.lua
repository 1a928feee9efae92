local lu = require "luaunit"
local sw = require "swale"

local sch = sw.schedule

TestSchedule = {}

local function near(got, want) lu.assert_almost_equals(got, want, 1e-12) end

function TestSchedule:test_constant()
  near(sch.constant(0.3):at(17), 0.3)
end

function TestSchedule:test_step_is_pytorchs()
  local s = sch.step { value = 0.8, gamma = 0.5, period = { epochs = 2 } }
  for epoch, want in pairs { [0] = 0.8, [1] = 0.8, [2] = 0.4, [3.9] = 0.4, [4] = 0.2 } do
    near(s:at(epoch), want)
  end
end

-- Cycles of c updates of one batch: x = (mod(i - 1, c) + 1) / c.
function TestSchedule:test_cyclic_is_the_papers_formula()
  local c, batch = 4, 25
  local s = sch.cyclic { max = 1, min = 0.2, period = { epochs = 1 } }
  for i = 1, 3 * c do
    local x = ((i - 1) % c + 1) / c
    near(s:at { step = i - 1, examples = (i - 1) * batch, batch_size = batch,
      epoch_examples = c * batch }, (1 - x) * 1 + x * 0.2)
  end
end

function TestSchedule:test_cyclic_is_at_its_lowest_where_a_cycle_ends()
  local s = sch.cyclic { max = 1, min = 0.2, period = { epochs = 1 } }
  near(s:at { examples = 90, batch_size = 32, epoch_examples = 100 }, 0.2)
end

-- PyTorch's CyclicLR: T = up + down, x = 1 + t/T - c, s = x / r or (x - 1) / (r - 1).
function TestSchedule:test_triangular_is_pytorchs()
  local s = sch.triangular { max = 0.1, min = 0.01, period = { steps = 4 }, down = { steps = 6 } }
  for t = 0, 25 do
    local x = t / 10 - t // 10
    local want = 0.01 + 0.09 * (x <= 0.4 and x / 0.4 or (x - 1) / (0.4 - 1))
    near(s:at { step = t, examples = t }, want)
  end
end

function TestSchedule:test_triangular_down_is_as_long_unless_told()
  local s = sch.triangular { max = 1, min = 0, period = 2 }
  near(s:at(1), 0.5)
  near(s:at(3), 0.5)
end

function TestSchedule:test_a_function_of_progress_can_be_looked_at()
  local mine = function(s) return 1 / (1 + s.epoch) end
  local values = {}
  for v in sch.values(mine, { epochs = 3, points = 4 }) do values[#values + 1] = v end
  lu.assert_equals(values, { 1, 1 / 2, 1 / 3, 1 / 4 })
end

function TestSchedule:test_tabulate()
  local rows = sch.tabulate({ a = function(s) return s.epoch end, b = 3 },
    { epochs = 2, points = 3 })
  lu.assert_equals(rows, { { epoch = 0, a = 0, b = 3 }, { epoch = 1, a = 1, b = 3 },
    { epoch = 2, a = 2, b = 3 } })
end

function TestSchedule:test_what_reads_the_live_state_says_so()
  local function values(f) return sch.values(f, { epochs = 1 })() end
  lu.assert_error_msg_contains("reads s.loss, the live state: it can be neither plotted nor",
    values, function(s) return s.loss end)
  lu.assert_error_msg_contains("reads the live state", values, sw.rule(1, function() return 1 end))
end

function TestSchedule:test_refusals()
  lu.assert_error_msg_contains('unknown option "maximum"', sch.cyclic, { maximum = 1 })
  lu.assert_error_msg_contains("needs period", sch.cyclic, { max = 1, min = 0 })
  lu.assert_error_msg_contains("one unit", sch.triangular,
    { max = 1, min = 0, period = 1, down = { steps = 3 } })
  lu.assert_error_msg_contains("how far?", sch.values, 1, {})
  lu.assert_error_msg_contains("wants a schedule, a function or a number", sch.values, "x",
    { epochs = 1 })
  lu.assert_error_msg_contains("initial must be a finite number", sw.rule, nil, print)
  lu.assert_error_msg_contains("f must be a function", sw.rule, 1)
end
