local estimate = require "swale.estimate"
local lu = require "luaunit"

TestEstimate = {}

function TestEstimate:test_pending_is_sure_of_nothing()
  local e = estimate.new()
  lu.assert_equals(e.status, "pending")
  lu.assert_nan(e.value)
  lu.assert_equals(e.low, 0)
  lu.assert_equals(e.high, math.huge)
  lu.assert_false(e:above(0))
  lu.assert_false(e:below(1e300))
  lu.assert_equals(tostring(e), "pending")
end

function TestEstimate:test_resolved_is_sure_outside_its_interval()
  local e = estimate.new("resolved", 5, 3, 8)
  lu.assert_true(e:above(2.9))
  lu.assert_false(e:above(3))
  lu.assert_true(e:below(8.1))
  lu.assert_false(e:below(8))
  lu.assert_equals(tostring(e), "5 (95 %: 3 to 8)")
end

function TestEstimate:test_unresolved_still_has_its_lower_end()
  local e = estimate.new("unresolved", 500, 120)
  lu.assert_true(e:above(100))
  lu.assert_false(e:below(1e9))
  lu.assert_equals(tostring(e), "unresolved, above 120")
end

function TestEstimate:test_update_is_in_place()
  local e = estimate.new()
  lu.assert_is(e:update("resolved", 1, 0.5, 2), e)
  lu.assert_equals(e.high, 2)
end

function TestEstimate:test_an_estimate_that_is_not_made_names_measure()
  lu.assert_error_msg_contains("measure = { noise_scale = sw.every", estimate.unasked,
    "noise_scale")
end

function TestEstimate:test_comparing_says_what_to_use()
  lu.assert_error_msg_contains("compare it by its methods above(x) and below(x)", function()
    return estimate.new() > 3
  end)
  lu.assert_error_msg_contains("compare it by its methods above(x) and below(x)", function()
    return estimate.new() <= 3
  end)
end
