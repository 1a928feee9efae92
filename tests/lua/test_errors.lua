local errors = require "swale.errors"
local lu = require "luaunit"

TestErrors = {}

function TestErrors:test_misuse_names_the_line_of_the_caller_outside_swale()
  local options = require "swale.options"
  local line = debug.getinfo(1, "l").currentline + 1
  local _, message = pcall(function() options.check("Trainer", { a = 1 }, { b = "any?" }) end)
  lu.assert_str_contains(message, ("test_errors.lua:%d: Trainer: unknown option"):format(line))
end

function TestErrors:test_environment_raises_the_message_alone()
  local _, message = pcall(errors.environment, "no such file", "EIO")
  lu.assert_equals(message, "no such file")
end

function TestErrors:test_try_gives_faults_of_the_environment_as_values()
  local value, message, code = errors.try(errors.environment, "no such file", "EIO")
  lu.assert_nil(value)
  lu.assert_equals(message, "no such file")
  lu.assert_equals(code, "EIO")
  lu.assert_equals({ errors.try(function(...) return ... end, 1, nil, 3) }, { 1, nil, 3 })
end

function TestErrors:test_try_lets_misuse_through()
  local ok, message = pcall(errors.try, function() errors.misuse("wrong") end)
  lu.assert_false(ok)
  lu.assert_str_contains(message, "wrong")
end

function TestErrors:test_try_does_not_mistake_an_older_fault()
  pcall(errors.environment, "no such file", "EIO")
  local ok = pcall(errors.try, function() error("no such file", 0) end)
  lu.assert_false(ok)
end

function TestErrors:test_an_error_with_a_code_reads_as_its_message()
  local ok, e = pcall(errors.coded, "ELIVE", "s.%s is not there", "loss")
  lu.assert_false(ok)
  lu.assert_equals(errors.code(e), "ELIVE")
  lu.assert_str_matches(tostring(e), "[^\n]*test_errors.lua:%d+: s.loss is not there")
  lu.assert_equals(e:match ": s%.(%a+)", "loss")
  lu.assert_equals("<" .. e .. ">", "<" .. tostring(e) .. ">")
  lu.assert_equals(#e, #tostring(e))
  lu.assert_equals(errors.failure(e), tostring(e))
  for _, other in ipairs { "text", {}, errors.diverged "d", 3 } do
    lu.assert_nil(errors.code(other))
  end
end

function TestErrors:test_try_wants_a_function()
  lu.assert_error_msg_contains("try: f must be a function, got nil", errors.try)
  lu.assert_error_msg_contains("try: f must be a function, got a table", errors.try, {})
  lu.assert_equals(errors.try(setmetatable({}, { __call = function() return 3 end })), 3)
end

--- No addresses, one line.
function TestErrors:test_values_in_messages()
  local sw = require "swale"
  local shown = errors.shown
  lu.assert_equals({ shown(nil), shown(3), shown(0 / 0), shown "a\nb" },
    { "nil", "3", "nan", '"a\\nb"' })
  lu.assert_equals(shown(("x"):rep(100)), '"' .. ("x"):rep(59) .. '…"')
  lu.assert_equals({ shown {}, shown(print), shown(coroutine.create(print)), shown(io.stdout) },
    { "a table", "a function", "a thread", "a file*" })
  lu.assert_equals({ shown(sw.zeros { 2, 2 }), shown(sw.random(1)), shown(sw.average.SWA {}) },
    { "a tensor", "a random", "SWA { start = 0 epochs, every = 1 epoch }: 0 captures" })
  lu.assert_equals(shown(sw.choice { 1, 2 }), "a choice")
  lu.assert_equals(errors.shape_text { "batch", 3, {} }, "(batch, 3, a table)")
end

function TestErrors:test_check_passes_through_or_raises()
  lu.assert_equals({ errors.check(1, 2, 3, 4) }, { 1, 2, 3, 4 })
  lu.assert_equals({ errors.check(false) }, { false })
  lu.assert_error_msg_equals("gone", errors.check, nil, "gone", "EIO")
end

function TestErrors:test_diverged_is_a_value_that_reads_as_its_message()
  local value = errors.diverged("step 4: NaN")
  lu.assert_equals(value.kind, "diverged")
  lu.assert_equals(tostring(value), "step 4: NaN")
end

function TestErrors:test_distance()
  lu.assert_equals(errors.distance("", "abc"), 3)
  lu.assert_equals(errors.distance("kitten", "sitting"), 3)
  lu.assert_equals(errors.distance("lr", "lr"), 0)
  lu.assert_equals(errors.distance("rnu", "run"), 1)
end

function TestErrors:test_nearest_knows_typos_synonyms_and_beginnings()
  local names = { "lr", "batch_size", "weight_decay", "optimizer", "epochs" }
  lu.assert_equals(errors.nearest("learning_rate", names), "lr")
  lu.assert_equals(errors.nearest("bs", names), "batch_size")
  lu.assert_equals(errors.nearest("wieght_decay", names), "weight_decay")
  lu.assert_equals(errors.nearest("optim", names), "optimizer")
  lu.assert_equals(errors.nearest("Epoch", names), "epochs")
  lu.assert_nil(errors.nearest("zzz", names))
  lu.assert_nil(errors.nearest("x", names))
end

function TestErrors:test_strict_tables_know_their_names()
  local t = errors.strict({ step = 1, cyclic = 2 }, "sw.schedule has")
  lu.assert_equals(t.step, 1)
  lu.assert_nil(t[1])
  lu.assert_error_msg_contains(
    'sw.schedule has no "cyclc"; did you mean "cyclic"? There are: cyclic, step.',
    function() return t.cyclc end)
end

function TestErrors:test_the_parts_of_sw_are_strict()
  local sw = require "swale"
  lu.assert_error_msg_contains('sw.loss has no "crossentropy"; did you mean "cross_entropy"?',
    function() return sw.loss.crossentropy end)
  lu.assert_error_msg_contains('sw.nn has no "Relu"; did you mean "ReLU"?',
    function() return sw.nn.Relu end)
end

function TestErrors:test_a_synonym_counts_only_if_it_is_there()
  lu.assert_nil(errors.nearest("learning_rate", { "momentum" }))
end
