--- Declared parameters, their overrides, effects of an execution on the globals.
local core = require "swale.core"
local lu = require "luaunit"
local sw = require "swale"

local function declare(params, run)
  return sw.experiment { name = "test", params = params, run = run or function() end }
end

TestParameters = {}

function TestParameters:setUp()
  self.e = declare { lr = 0.1, epochs = 12, loud = false, data = "digits",
    by = sw.choice { "lr", "batch", 3 } }
end

function TestParameters:test_defaults()
  lu.assert_equals(self.e:resolve(),
    { lr = 0.1, epochs = 12, loud = false, data = "digits", by = "lr" })
end

function TestParameters:test_texts_become_what_the_default_is()
  local p = self.e:resolve { lr = "1", epochs = "3", loud = "true", data = "7", by = "batch" }
  lu.assert_equals(p, { lr = 1.0, epochs = 3, loud = true, data = "7", by = "batch" })
  lu.assert_equals({ math.type(p.lr), math.type(p.epochs) }, { "float", "integer" })
  lu.assert_equals(self.e:resolve({ by = "3" }).by, 3)
end

function TestParameters:test_numbers_compare_as_numbers()
  local e = declare { lr = sw.choice { 1e-4, 1e-3, 0.5, "1" }, epochs = 5, rate = 0.5, path = "a" }
  for text, value in pairs { ["1e-4"] = 1e-4, ["0.0001"] = 1e-4, [".5"] = 0.5, ["5e-1"] = 0.5,
    ["0.50"] = 0.5, ["1"] = "1" } do
    lu.assert_equals(e:resolve({ lr = text }).lr, value)
  end
  local p = e:resolve { epochs = "1e3", rate = ".25", path = "a=b" }
  lu.assert_equals({ p.epochs, p.rate, p.path }, { 1000, 0.25, "a=b" })
  lu.assert_equals(math.type(p.epochs), "integer")
  lu.assert_equals(e:resolve({ path = "" }).path, "")
  local _, message = e:resolve { lr = "0.2" }
  lu.assert_str_contains(message, "takes one of 0.0001, 0.001, 0.5, 1, not 0.2")
  lu.assert_not_str_contains(message, "did you mean")
  _, message = e:resolve { path = {} }
  lu.assert_str_contains(message, "parameter path takes a string, not a table")
  lu.assert_error_msg_contains("choice: value 2 must be a number, a string or a boolean, not a"
    .. " table", sw.choice, { 1, {} })
end

function TestParameters:refused(overrides, ...)
  local params, message = self.e:resolve(overrides, "mine.lua")
  lu.assert_nil(params)
  for _, part in ipairs { ... } do lu.assert_str_contains(message, part) end
end

function TestParameters:test_an_unknown_one()
  self:refused({ learning_rate = "1" },
    'mine.lua has no parameter "learning_rate"; did you mean "lr"?',
    "It declares: by, data, epochs, loud, lr.")
end

function TestParameters:test_wrong_values_name_the_type()
  self:refused({ lr = "abc" }, "parameter lr takes a number, not abc")
  self:refused({ lr = "nan" }, "parameter lr takes a number, not nan")
  self:refused({ epochs = "1.5" }, "parameter epochs takes a whole number, not 1.5", "12.0")
  self:refused({ loud = "yes" }, "parameter loud takes true or false, not yes")
  self:refused({ by = "bach" }, "parameter by takes one of lr, batch, 3, not bach",
    'did you mean "batch"?')
end

TestDeclaration = {}

function TestDeclaration:test_unknown_options_are_refused()
  lu.assert_error_msg_contains('unknown option "parms"', sw.experiment,
    { name = "x", parms = {}, run = print })
end

function TestDeclaration:test_parameters_are_plain()
  lu.assert_error_msg_contains("parameter a is a table", declare, { a = {} })
  lu.assert_error_msg_contains("must be named by a word", declare, { ["a-b"] = 1 })
  lu.assert_error_msg_contains("choice", sw.choice, {})
end

--- Executions go to a folder that is gone afterwards; what they print is not part of the test.
TestExecution = require("store_harness").in_a_root()

local function draws()
  local list = {}
  for i = 1, 20 do list[i] = math.random() end
  for i = 21, 40 do list[i] = math.random(10) end
  return list
end

function TestExecution:numbers(seed)
  local list
  local code = declare({}, function() list = draws() end):execute({}, { seed = seed, quiet = true })
  lu.assert_equals(code, 0)
  return list
end

function TestExecution:test_math_random_follows_the_seed()
  local before = math.random
  local first = self:numbers(1)
  lu.assert_equals(first, self:numbers(1))
  lu.assert_not_equals(first, self:numbers(2))
  lu.assert_equals(math.random, before)
  for i = 1, 20 do lu.assert_true(first[i] >= 0 and first[i] < 1) end
  for i = 21, 40 do lu.assert_true(first[i] >= 1 and first[i] <= 10) end
end

function TestExecution:test_math_random_keeps_its_meaning()
  local code = declare({}, function()
    for _ = 1, 100 do
      local x = math.random(-3, 3)
      lu.assert_true(math.type(x) == "integer" and x >= -3 and x <= 3)
    end
    lu.assert_equals(math.type(math.random(0)), "integer")
    lu.assert_error_msg_contains("interval is empty", math.random, 0, -1)
    math.randomseed(5)
    local a = draws()
    math.randomseed(5)
    lu.assert_equals(draws(), a)
  end):execute({}, { quiet = true })
  lu.assert_equals(code, 0)
end

function TestExecution:test_sw_random_numbers_follow_the_seed()
  local function first(seed)
    local value
    declare({}, function() value = sw.rand { 3 } end):execute({}, { seed = seed, quiet = true })
    return value:table()
  end
  lu.assert_equals(first(1), first(1))
  lu.assert_not_equals(first(1), first(2))
end

function TestExecution:outcome(run)
  local code, result = declare({ lr = 0.5 }, run):execute({}, { quiet = true })
  return code, result and require("swale.run").read_info(result.dir), result
end

function TestExecution:test_done()
  local code, info = self:outcome(function(run)
    run:summary { accuracy = 0.5, bad = 0 / 0 }
    run:note("why", { "because" })
  end)
  lu.assert_equals(code, 0)
  lu.assert_equals({ info.status, info.seed, info.params }, { "done", 1, { lr = 0.5 } })
  lu.assert_equals({ info.summary.accuracy, info.notes.why }, { 0.5, { "because" } })
  lu.assert_str_matches(info.summary.bad, "%-?nan")
  lu.assert_equals(info.versions.swale, core._VERSION)
  for _, key in ipairs { "started", "ended", "machine", "blas", "threads", "wall_seconds" } do
    lu.assert_not_nil(info[key], key)
  end
end

function TestExecution:test_an_error_is_kept()
  local code, info = self:outcome(function() error("broken on purpose", 0) end)
  lu.assert_equals({ code, info.status, info.error }, { 1, "failed", "broken on purpose" })
end

function TestExecution:test_any_value_can_be_raised()
  local code, info = self:outcome(function() error() end)
  lu.assert_equals({ code, info.status }, { 1, "failed" })
  code, info = self:outcome(function() error { 1, x = "a" } end)
  lu.assert_equals({ code, info.error }, { 1, 'error: { 1, x = "a" }' })
  local unshowable = setmetatable({}, { __tostring = function() error "no" end,
    __index = function() error "no" end })
  code, info = self:outcome(function() error(unshowable) end)
  lu.assert_equals({ code, info.status }, { 1, "failed" })
end

function TestExecution:test_an_undeclared_parameter_is_not_nil()
  local e = declare({ lr = 0.5 }, function(_, p) return p.learning_rate end)
  local code, run = e:execute({}, { quiet = true })
  lu.assert_equals(code, 1)
  lu.assert_str_contains(require("swale.run").read_info(run.dir).error,
    'the experiment declares no "learning_rate"; did you mean "lr"? There are: lr.')
end

function TestExecution:test_diverged()
  local code, info = self:outcome(function(run)
    run:record { kind = "step", step = 7 }
    error(require("swale.errors").diverged "step 8: the loss is NaN")
  end)
  lu.assert_equals({ code, info.status, info.last_step }, { 3, "diverged", 7 })
  lu.assert_equals(info.error, "step 8: the loss is NaN")
end

function TestExecution:test_interrupted()
  local code, info = self:outcome(function() error(core.INTERRUPTED) end)
  lu.assert_equals({ code, info.status }, { 130, "interrupted" })
end

function TestExecution:test_print_is_logged_and_given_back()
  local before = print
  local _, _, run = self:outcome(function() print("a", 1, nil) end)
  lu.assert_equals(print, before)
  lu.assert_str_contains(require("swale.folders").read(run.dir .. "/log.txt"), "a\t1\tnil\n")
end

function TestExecution:test_a_wrong_parameter_makes_no_run()
  local code, run = declare({ lr = 1.0 }):execute({ rl = 2 }, { quiet = true })
  lu.assert_equals({ code, run }, { 2, nil })
  lu.assert_equals(require("swale.folders").entries(self.root), {})
end
