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
  lu.assert_error_msg_contains("nothing was captured yet", function()
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

function TestAverage:test_refusals_of_the_others()
  lu.assert_error_msg_contains("above 0 and below 1, not 1", sw.average.EMA, { decay = 1 })
  lu.assert_error_msg_contains("needs k", sw.average.LastK, {})
end
