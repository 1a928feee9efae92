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
  local e = estimate.new { value = 5, low = 3, high = 8 }
  lu.assert_true(e:above(2.9))
  lu.assert_false(e:above(3))
  lu.assert_true(e:below(8.1))
  lu.assert_false(e:below(8))
  lu.assert_equals(tostring(e), "5 (95 %: 3 to 8)")
end

function TestEstimate:test_unresolved_still_has_its_lower_end()
  local e = estimate.new { value = 500, low = 120 }
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

function TestEstimate:test_a_signed_quantity_is_pending_from_minus_infinity()
  local e = estimate.new { signed = true }
  lu.assert_equals(e.low, -math.huge)
  lu.assert_false(e:above(-1))
  lu.assert_equals(e.status, "pending")
end

function TestEstimate:test_an_interval_open_below_is_unresolved()
  local e = estimate.new { value = -2, high = 3, signed = true }
  lu.assert_equals(e.status, "unresolved")
  lu.assert_true(e:below(3.1))
  lu.assert_equals(tostring(e), "unresolved, below 3")
end

function TestEstimate:test_further_fields_are_kept_by_copies()
  local e = estimate.new { value = 2, low = 1.5, high = 2.5, interval = "bound", residual = 0.5,
    target = "the sample" }
  local copy = estimate.copy(e)
  lu.assert_equals(copy.residual, 0.5)
  lu.assert_equals(tostring(copy), "2 (bound: 1.5 to 2.5), the sample")
  local exact = estimate.new { value = 3, low = 3, high = 3, interval = "exact",
    target = "the trace" }
  lu.assert_equals(tostring(exact), "3 (exact), the trace")
  lu.assert_error_msg_contains("spread", function() return copy.spread end)
end

function TestEstimate:test_a_short_interval_says_how_short()
  local e = estimate.new { value = 2, low = 2 - 1e-6, high = 2 + 1e-6, interval = "bound" }
  lu.assert_equals(tostring(e), "2 (bound: within 1e-06)")
  e:update("resolved", 3, 3, 3)
  lu.assert_equals(tostring(e), "3 (bound)")
end

function TestEstimate:test_arithmetic_is_refused_with_a_remedy()
  local e = estimate.new { value = 2, low = 1, high = 4 }
  for _, f in ipairs { function() return 2 * e end, function() return e + e end,
    function() return e ^ 2 end, function() return -e end, function() return e // 1 end } do
    lu.assert_error_msg_contains("calculate with its field value", f)
  end
end

function TestEstimate:test_ends_in_the_wrong_order_are_refused()
  lu.assert_error_msg_contains("low must be at most high", estimate.new, { value = 1, low = 3,
    high = 2 })
  lu.assert_error_msg_contains("value must be a number", estimate.new, { value = "1" })
  lu.assert_error_msg_contains("takes a table", estimate.new, 3)
  lu.assert_error_msg_contains("cannot be the name of a field", estimate.new, { above = 3 })
  lu.assert_error_msg_contains("status must be", estimate.new, { status = "sure" })
end
