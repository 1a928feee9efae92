--- The command line: help, versions, mistakes; the files of a run that ends well.
local command = require "command"
local folders = require "swale.folders"
local lu = require "luaunit"
local runs = require "swale.run"

local function contains(result, code, ...)
  local text = result.out .. result.err
  for _, part in ipairs { ... } do lu.assert_str_contains(text, part) end
  lu.assert_equals(result.code, code, text)
end

TestCommands = command.in_a_folder()
function TestCommands:swale(...) return command.swale(self.dir, { ... }) end

function TestCommands:test_help_lists_the_commands()
  contains(self:swale "--help", 0, "run ", "lua ", "data ", "plot ", "test ", "SWALE_RUNS",
    "this machine has " .. table.concat(require("swale.core").variants(), ", "))
  contains(self:swale(), 0, "Usage: swale COMMAND")
end

function TestCommands:test_every_command_has_help()
  for _, name in ipairs(require("swale.cli").names()) do
    contains(self:swale(name, "--help"), 0, "Usage: swale " .. name)
  end
end

function TestCommands:test_version()
  contains(self:swale "--version", 0, "swale " .. require("swale.core")._VERSION)
end

function TestCommands:test_an_unknown_command_gets_a_suggestion()
  contains(self:swale "polt", 2, 'no command "polt"; did you mean "plot"?')
  contains(self:swale "rnu", 2, 'no command "rnu"; did you mean "run"?')
  contains(self:swale "--versoin", 2, 'did you mean "--version"?')
  contains(self:swale "../run", 2, "no command")
end

function TestCommands:test_wrong_options()
  command.write_script(self.dir .. "/a.lua")
  contains(self:swale("run", "a.lua", "--sed", "3"), 2, "--sed")
  contains(self:swale("run", "a.lua", "--seed", "x"), 2, "whole number")
  contains(self:swale("run", "a.lua", "--threads", "0"), 2, "whole number")
  contains(self:swale("run", "a.lua", "--threads", "9999"), 2, "not a whole number from 1 to 1024")
  contains(self:swale("lua", "--threads", "9999", "a.lua"), 2, "whole number from 1 to 1024")
  contains(self:swale("run", "a.lua", "lr=1", "lr=2"), 2, "lr is given twice")
  contains(self:swale("run"), 2, "FILE")
  contains(self:swale("run", "a.lua", "lr"), 2, '"lr" is not of the form key=value')
end

function TestCommands:test_lua_runs_any_file()
  command.write(self.dir .. "/beside.lua", "return 42")
  command.write(self.dir .. "/a.lua",
    'print(require "beside", #arg, arg[0], require("swale").tensor({ 2 }):item(), ...)')
  contains(self:swale("lua", "a.lua", "x", "--seed"), 0, "42\t2\ta.lua\t2.0\tx\t--seed")
  command.write(self.dir .. "/b.lua", "local t = nil\nt.x = 1")
  contains(self:swale("lua", "b.lua"), 1, "swale: b.lua:2: attempt to index a nil value")
  contains(self:swale("lua", "--traceback", "b.lua"), 1, "stack traceback")
  contains(self:swale("lua"), 2, "a file is missing")
  contains(self:swale("lua", "no.lua"), 1, "no.lua: No such file or directory")
end

function TestCommands:test_what_is_no_lua_text()
  local function of(text, ...)
    command.write(self.dir .. "/s.lua", text)
    contains(self:swale("lua", "s.lua"), ...)
  end
  of("#!/usr/bin/env -S swale lua\nprint 'one'\nerror 'x'", 1, "one", "s.lua:3: x")
  of("\xEF\xBB\xBFprint 'two'", 0, "two")
  of("\xEF\xBB\xBF#!/bin/swale\nprint 'three'", 0, "three")
  of(string.dump(load "print 'four'"), 1, "s.lua: compiled Lua is not run; give the text")
  contains(self:swale("run", "s.lua"), 1, "s.lua: compiled Lua is not run; give the text")
  contains(self:swale("check", "s.lua"), 1, "s.lua: compiled Lua is not run; give the text")
  command.write(self.dir .. "/beside.lua", string.dump(load "return 1"))
  of("require 'beside'", 1, 'cannot load module "beside": attempt to load a binary chunk')
  contains(self:swale("lua", "."), 1, ".: not a file")
end

function TestCommands:test_whatever_is_raised_is_shown()
  for body, wanted in pairs { ["{ 1, x = 'a' }"] = 'error: { 1, x = "a" }', ["nil"] =
    "an error without a message", ["true"] = "error: true", ["print"] = "error: a function",
    ["setmetatable({}, { __tostring = function() return 'mine' end })"] = "swale: mine",
    ["setmetatable({}, { __tostring = function() error 'no' end })"] = "error: a table" } do
    command.write(self.dir .. "/e.lua", ("error(%s)"):format(body))
    contains(self:swale("lua", "e.lua"), 1, wanted)
  end
end

function TestCommands:test_data_list()
  contains(self:swale("data", "list"), 0, "digits", "1197/300/300", "part of Swale",
    "fashion-mnist", "mnist")
end

function TestCommands:test_plot_of_what_is_no_run()
  contains(self:swale("plot", "nowhere"), 1, 'there is no run "nowhere"')
end

function TestCommands:test_tests_are_in_the_source_tree()
  contains(command.swale(self.dir, { "test" }, { SWALE_HOME = self.dir }), 1, "in the source tree")
end

function TestCommands:test_a_script_may_come_through_a_pipe()
  local line = "printf '#!/bin/lua\\nprint(1 + 1)\\n' | \"$@\""
  contains(command.shell(self.dir, line, { "lua", "/dev/stdin" }), 0, "2\n")
end

TestTestCommand = command.in_a_folder()

--- A tree of three tests: a C test, a long C test, and a Lua file that prints whether it is to be
--- long.
function TestTestCommand:setUp()
  self.dir = command.folder()
  assert(folders.make_folder(self.dir .. "/tests/lua"))
  assert(folders.make_folder(self.dir .. "/tests/cli"))
  command.write(self.dir .. "/CTestTestfile.cmake", [[
    add_test(test_quick true)
    add_test(test_slow true)
    set_tests_properties(test_slow PROPERTIES LABELS "core;long")]])
  command.write(self.dir .. "/tests/lua/test_a.lua", "")
  assert(folders.make_folder(self.dir .. "/temporary"))
  command.write(self.dir .. "/tests/lua/run.lua", [[
    local chosen = not arg[2] or ("test_a.Class.test"):find(arg[2])
    if chosen then print("long: " .. tostring(os.getenv "SWALE_TEST_LONG")) end
    io.open(os.getenv "SWALE_TEST_REPORT", "w"):write(chosen and "1 0 0" or "0 0 0")]])
end

function TestTestCommand:test(...)
  return command.swale(self.dir, { "test", ... },
    { SWALE_HOME = self.dir, SWALE_BUILD = self.dir, SWALE_TEST_LONG = "1",
      TMPDIR = self.dir .. "/temporary" })
end

function TestTestCommand:test_what_tests_leave_behind_is_removed_and_a_failure()
  command.write(self.dir .. "/tests/lua/test_b.lua", "")
  command.write(self.dir .. "/tests/lua/run.lua", [[
    if arg[1]:find "test_a" then io.open(os.getenv "TMPDIR" .. "/left", "w"):close() end
    io.open(os.getenv "SWALE_TEST_REPORT", "w"):write "1 0 0"]])
  contains(self:test("--only", "lua"), 1, "test_a.lua: left temporary files behind: left",
    "\n2 passed, 1 failed\n")
  lu.assert_equals(folders.entries(self.dir .. "/temporary"), {})
end

function TestTestCommand:test_long_tests_run_when_asked_for()
  local short = self:test()
  contains(short, 0, "test_quick", "long: nil", "\n2 passed, 0 failed\n")
  lu.assert_not_str_contains(short.out, "test_slow")
  contains(self:test "--long", 0, "test_quick", "test_slow", "long: 1", "\n3 passed, 0 failed\n")
end

function TestTestCommand:test_a_pattern_chooses_of_all_kinds()
  local lua = self:test "test_a%.Class"
  lu.assert_equals({ lua.code, lua.out, lua.err }, { 0, "long: nil\n1 passed, 0 failed\n", "" })
  contains(self:test "quick$", 0, "test_quick", "\n1 passed, 0 failed\n")
  contains(self:test "test_slow", 1, "no test matches")
  contains(self:test("test_slow", "--long"), 0, "\n1 passed, 0 failed\n")
end

TestGoodRun = command.in_a_folder()

function TestGoodRun:test_what_is_left()
  command.write_script(self.dir .. "/small.lua", [[
    trainer:fit { epochs = p.epochs, run = run }
    run:print("drawn %s", math.random(1000000))
    run:plot()]])
  local args = { "run", "small.lua", "lr=0.1", "sort=b", "--seed", "3", "--threads", "1" }
  local result = command.swale(self.dir, args)
  contains(result, 0, "run: ", "epoch   2.0 ", "drawn ")
  local dir = command.only_run(self.dir)
  local info = runs.read_info(dir)
  lu.assert_equals({ info.status, info.seed, info.threads }, { "done", 3, 1 })
  lu.assert_equals(info.params, { lr = 0.1, epochs = 2, batch = 32, sort = "b", loud = false })
  lu.assert_equals({ info.script, info.argv }, { "small.lua", args })
  lu.assert_equals(#info.script_sha256, 64)
  lu.assert_true(#runs.read_metrics(dir) > 4)
  lu.assert_str_contains(command.read(dir .. "/log.txt"), "drawn ")
  lu.assert_equals(#folders.entries(dir .. "/checkpoints"), 4) -- best, the last two, end of fit
end

-- All columns but the seconds.
function TestGoodRun:test_the_same_seed_gives_the_same_metrics()
  command.write_script(self.dir .. "/small.lua")
  local texts = {}
  for i, threads in ipairs { "1", "2" } do
    contains(command.swale(self.dir, { "run", "small.lua", "--threads", threads }), 0)
    local dir = command.only_run(self.dir)
    local text, timed = command.read(dir .. "/metrics.jsonl"):gsub('"seconds":[^,}]+', "")
    lu.assert_true(timed > 0)
    texts[i] = text
    folders.remove(dir)
  end
  lu.assert_equals(texts[1], texts[2])
end

function TestGoodRun:test_the_quickstart_on_the_digits()
  local script = os.getenv "SWALE_HOME" .. "/experiments/quickstart.lua"
  local empty = { SWALE_DATA = self.dir .. "/data", SWALE_DATA_URL = "http://127.0.0.1:1" }
  local result = command.swale(self.dir, { "run", script }, empty)
  contains(result, 0, "`swale data get fashion-mnist` fetches it", "data: digits 1197/300/300",
    "SWA of 6 captures", "picture: ")
  lu.assert_str_matches(result.out, ".*\nswa test accuracy: 0%.9%d%d%d\n")
  result = command.swale(self.dir, { "run", script, "epochs=1" }, empty)
  contains(result, 0, "no captures", "last test accuracy: ")
end
