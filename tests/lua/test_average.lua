local lu = require "luaunit"
local sw = require "swale"

TestAverage = {}

function TestAverage:test_equals_the_arithmetic_mean()
  local avg = sw.average.SWA {}
  for _, w in ipairs { sw.tensor { 1, 5 }, sw.tensor { 2, 7 }, sw.tensor { 6, 0 } } do
    avg:update(w)
  end
  lu.assert_equals(avg.count, 3)
  local mean = avg:weights():table()
  lu.assert_almost_equals(mean[1], 3, 1e-6) -- three float32 updates
  lu.assert_almost_equals(mean[2], 4, 1e-6)
end

function TestAverage:test_refuses_another_length_and_stays_as_it_was()
  local avg = sw.average.SWA {}
  avg:update(sw.tensor { 1, 2 })
  lu.assert_error(avg.update, avg, sw.tensor { 1, 2, 3 })
  lu.assert_equals(avg:weights():table(), { 1, 2 })
  lu.assert_equals(avg.count, 1)
end

function TestAverage:test_captured_is_there_with_keep_alone()
  local keeping, plain, w = sw.average.SWA { keep = true }, sw.average.SWA {}, sw.tensor { 1 }
  keeping:update(w)
  plain:update(w)
  w:fill(9)
  lu.assert_equals(keeping.captured[1]:item(), 1)
  lu.assert_nil(plain.captured)
  lu.assert_equals(#plain:iterates(), 1)
end

function TestAverage:test_continues_from_a_mean()
  local avg = sw.average.SWA {}
  avg:restore(sw.tensor { 4 }, 3)
  avg:update(sw.tensor { 8 })
  lu.assert_equals(avg.count, 4)
  lu.assert_almost_equals(avg:weights():item(), 5, 1e-6)
end

function TestAverage:test_refusals()
  lu.assert_error_msg_contains("nothing has been captured yet", function()
    sw.average.SWA {}:weights()
  end)
  lu.assert_error_msg_contains('unknown option "strat"; did you mean "start"?', sw.average.SWA,
    { strat = 1 })
  lu.assert_error_msg_contains("above 0, not 0", sw.average.SWA, { every = 0 })
end

-- ------------------------------------------------------------------ EMA, the last k

local function fed(avg, values)
  for _, v in ipairs(values) do avg:update(sw.tensor { v }) end
  return avg:weights():item()
end

-- PyTorch's: the first point is copied, then  mean += (1 - decay) (w - mean).
function TestAverage:test_ema_forgets()
  local want = 4
  for _, v in ipairs { 8, 0, 2 } do want = want + 0.25 * (v - want) end
  lu.assert_almost_equals(fed(sw.average.EMA { decay = 0.75 }, { 4, 8, 0, 2 }), want, 1e-6)
end

function TestAverage:test_the_last_k()
  local avg = sw.average.LastK { k = 2 }
  lu.assert_almost_equals(fed(avg, { 100, 3, 5 }), 4, 1e-6)
  lu.assert_equals(avg.count, 3)
  local again = sw.average.LastK { k = 2 }
  again:restore(avg:state(), avg.count)
  lu.assert_almost_equals(fed(again, { 7 }), 6, 1e-6)
end

-- ------------------------------------------------------------------ steps below a unit of float32

local TARGETS = { 1, -3, 1e-3, 1e6, 0.1 } -- more than half a vector, so that kernels have a rest

--- An average whose first point is 0 and whose n - 1 others are the targets; saved and restored
--- after `cut` of them. The float32 mean alone stops once a step is below half its last digit.
local function following(new, n, cut)
  local avg, w = new(), sw.zeros { #TARGETS }
  avg:update(w)
  w:copy(sw.tensor(TARGETS))
  for i = 2, n do
    avg:update(w)
    if i == cut then
      local again = new()
      again:restore(avg:state(), avg.count, avg:carry())
      avg = again
    end
  end
  return avg:weights()
end

--- Each step is rounded three times and its rate once, the result once: five roundings of 2^-24.
local function assert_share(mean, share)
  for i, target in ipairs(sw.tensor(TARGETS):table()) do
    lu.assert_almost_equals(mean:get(i) / (share * target), 1, 5 * 2 ^ -24)
  end
end

function TestAverage:test_ema_does_not_stop_short()
  for _, o in ipairs { { decay = 0.9999, n = 100000 }, { decay = 0.99999, n = 1000000 },
    { decay = 0.99999, n = 30000 } } do
    local function new() return sw.average.EMA { decay = o.decay } end
    assert_share(following(new, o.n), 1 - o.decay ^ (o.n - 1))
  end
end

function TestAverage:test_swa_of_many_points_does_not_stop_short()
  local n = 100000
  assert_share(following(sw.average.SWA, n), (n - 1) / n)
  n = 1000
  assert_share(following(function() return sw.average.LastK { k = n } end, n), (n - 1) / n)
end

function TestAverage:test_a_restored_carry_gives_the_same_bits()
  local function slow() return sw.average.EMA { decay = 0.9999 } end
  for _, new in ipairs { sw.average.SWA, slow } do
    local whole = following(new, 5000)
    lu.assert_equals(following(new, 5000, 2500):table(), whole:table())
  end
end

--- As from files that have none.
function TestAverage:test_without_a_carry_it_begins_at_zero()
  local a, b, state = sw.average.SWA {}, sw.average.SWA {}, sw.tensor { 3 }
  a:restore(state, 2)
  b:restore(state, 2, sw.zeros { 1 })
  lu.assert_equals(a:carry():table(), { 0 })
  lu.assert_equals(fed(a, { 7 }), fed(b, { 7 }))
  lu.assert_error(a.restore, a, state, 2, sw.zeros { 2 })
end

function TestAverage:test_refusals_of_the_others()
  lu.assert_error_msg_contains("above 0 and below 1, got 1", sw.average.EMA, { decay = 1 })
  lu.assert_error_msg_contains("needs k", sw.average.LastK, {})
end
