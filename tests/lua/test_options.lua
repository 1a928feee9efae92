local duration = require "swale.duration"
local lu = require "luaunit"
local options = require "swale.options"
local sw = require "swale"

TestOptions = {}

local SPEC = { lr = "number|Schedule|function", size = { "count", 32 }, name = "string?",
  flag = { "boolean", true }, start = { "duration", 0 }, which = { choice = { "last", "best" },
  "last" }, period = "period?", w = "tensor?" }

local function check(o) return options.check("Thing", o, SPEC) end

function TestOptions:test_defaults()
  local o = check { lr = 0.1 }
  lu.assert_equals(o.size, 32)
  lu.assert_true(o.flag)
  lu.assert_nil(o.name)
  lu.assert_equals(o.which, "last")
  lu.assert_equals(tostring(o.start), "0 epochs")
end

function TestOptions:test_the_callers_table_stays_as_it_was()
  local given = { lr = 0.1 }
  check(given).size = 7
  lu.assert_equals(given, { lr = 0.1 })
end

function TestOptions:test_false_is_a_value()
  lu.assert_false(check({ lr = 1, flag = false }).flag)
end

function TestOptions:test_alternatives()
  local f = function() end
  lu.assert_equals(check({ lr = f }).lr, f)
  local s = sw.schedule.constant(1)
  lu.assert_equals(check({ lr = s }).lr, s)
  lu.assert_error_msg_contains(
    'Thing: lr must be a finite number, a schedule or a function, not "x"', check, { lr = "x" })
end

function TestOptions:test_unknown_ones_are_refused_with_what_was_meant()
  lu.assert_error_msg_contains(
    'Thing: unknown option "learning_rate"; did you mean "lr"? It takes: flag, lr, name, period,'
    .. ' size, start, w, which.', check, { learning_rate = 1 })
  lu.assert_error_msg_contains('unknown option "zzz". It takes', check, { zzz = 1 })
  lu.assert_error_msg_contains("options have names", check, { 5 })
end

function TestOptions:test_missing_ones_are_named()
  lu.assert_error_msg_contains("Thing: needs lr, a finite number", check, {})
  lu.assert_error_msg_contains("Thing: needs lr", check, nil)
end

function TestOptions:test_wrong_values()
  lu.assert_error_msg_contains("size must be a whole number above 0, not 0", check,
    { lr = 1, size = 0 })
  lu.assert_error_msg_contains("not 1.5", check, { lr = 1, size = 1.5 })
  lu.assert_error_msg_contains("not nan", check, { lr = 0 / 0 })
  lu.assert_error_msg_contains("not inf", check, { lr = 1 / 0 })
  lu.assert_error_msg_contains("name must be a string, not a table", check, { lr = 1, name = {} })
  lu.assert_error_msg_contains(
    'which must be one of "last", "best", not "bst"; did you mean "best"?', check,
    { lr = 1, which = "bst" })
  lu.assert_error_msg_contains("takes a table of options, not 3", check, 3)
  lu.assert_error_msg_contains("w must be a tensor", check, { lr = 1, w = { 1 } })
end

function TestOptions:test_whole_floats_become_integers()
  lu.assert_equals(math.type(check({ lr = 1, size = 4.0 }).size), "integer")
end

TestDuration = {}

function TestDuration:test_a_bare_number_is_epochs()
  local d = duration.of(2.5)
  lu.assert_equals({ d.amount, d.unit }, { 2.5, "epochs" })
  lu.assert_equals(d:examples(100), 250)
end

function TestDuration:test_units()
  lu.assert_equals(duration.of({ examples = 30 }):examples(100), 30)
  lu.assert_nil(duration.of({ steps = 30 }):examples(100))
  lu.assert_equals(tostring(duration.of { steps = 1 }), "1 step")
end

function TestDuration:test_refusals()
  lu.assert_error_msg_contains('no unit "step"; did you mean "steps"?', duration.of, { step = 1 })
  lu.assert_error_msg_contains("one unit, not both", duration.of, { steps = 1, epochs = 1 })
  lu.assert_error_msg_contains("an empty duration", duration.of, {})
  lu.assert_error_msg_contains("not negative, not -1", duration.of, -1)
  lu.assert_error_msg_contains("not nan", duration.of, 0 / 0)
  lu.assert_error_msg_contains('not "ten"', duration.of, "ten")
  lu.assert_error_msg_contains("too short", duration.every, { steps = 0 })
  lu.assert_error_msg_contains("period: ", sw.schedule.cyclic, { max = 1, min = 0,
    period = { step = 1 } })
  lu.assert_error_msg_contains("above 0, not 0", sw.schedule.cyclic,
    { max = 1, min = 0, period = 0 })
end
