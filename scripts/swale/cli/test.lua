--- swale test [PATTERN] [--long]
---
--- Long tests take minutes. C tests that are long have the label "long" in CTest; Lua tests read
--- SWALE_TEST_LONG, which is "1" with --long and unset without.
local cli = require "swale.cli"
local errors = require "swale.errors"
local folders = require "swale.folders"
local process = require "swale.process"

local M = { summary = "run the tests of the source tree: swale test [PATTERN] [--long]",
  order = 25 }

local KINDS = { "core", "lua", "cli" }
local TIMEOUT = { short = 300, long = 7200 } -- seconds for one file of Lua tests

local function build_parser()
  local parser = cli.parser("test", "Runs the tests of libswale (core), of the Lua half (lua) and"
    .. " of whole commands (cli). The last line counts them.")
  parser:argument("pattern", "Only tests whose name (file.class.test) matches this Lua pattern.")
    :argname "PATTERN":args "?"
  parser:option("--only", "Only tests of this kind."):choices(KINDS):argname "core|lua|cli"
  parser:flag("--long", "Also the long tests: a million random calls, thousands of mutants and"
    .. " kills, the walks. They take many minutes.")
  return parser
end

local function add(total, passed, failed, skipped)
  total.passed, total.failed = total.passed + passed, total.failed + failed
  total.skipped = total.skipped + skipped
end

--- CTest ends with "100% tests passed, 0 tests failed out of 12", then lists skipped ones.
local function count_ctest(out, total)
  local failed, all = out:match "(%d+) tests? failed out of (%d+)"
  if not failed then return false end
  local skipped = 0
  for _ in out:gmatch "%(Skipped%)" do skipped = skipped + 1 end
  add(total, math.tointeger(tonumber(all)) - math.tointeger(tonumber(failed)) - skipped,
    math.tointeger(tonumber(failed)), skipped)
  return true
end

--- The names of the C tests that match a Lua pattern. CTest itself takes regular expressions.
local function core_tests(ctest, pattern)
  local argv = table.move(ctest, 1, #ctest, 1, {})
  argv[#argv + 1] = "-N"
  local result, message = process.run(argv)
  if not result then return nil, message end
  local all, names = 0, {}
  for name in result.out:gmatch "Test +#%d+: ([%w_]+)" do
    all = all + 1
    if not pattern or name:find(pattern) then names[#names + 1] = name end
  end
  return names, all
end

--- A test that leaves files in the folder for temporary files has failed.
local function find_leavings(temporary, name, total)
  local left = folders.entries(temporary)
  if #left == 0 then return end
  print(("%s: left temporary files behind: %s"):format(name, table.concat(left, " ")))
  for _, entry in ipairs(left) do folders.remove(temporary .. "/" .. entry) end
  add(total, 0, 1, 0)
end

local function test_core(build, o, total)
  local ctest = { "ctest", "--test-dir", build }
  if not o.long then table.move({ "-LE", "^long$" }, 1, 2, #ctest + 1, ctest) end
  local names, all = core_tests(ctest, o.pattern)
  if not names then
    cli.say("the C tests need ctest: %s", all)
    return add(total, 0, 0, 1)
  elseif all == 0 then
    cli.say("there are no C tests in %s: is libcmocka-dev installed?", build)
    return add(total, 0, 0, 1)
  elseif #names == 0 then
    return
  end
  local chosen = { "-R", "^(" .. table.concat(names, "|") .. ")$", "--output-on-failure", "-j",
    tostring(require("swale.core").cores()) }
  local result = assert(process.run(table.move(chosen, 1, #chosen, #ctest + 1, ctest),
    { env = { TMPDIR = o.temporary } }))
  io.stdout:write(result.out, result.err)
  if not count_ctest(result.out .. result.err, total) then add(total, 0, 1, 0) end
  find_leavings(o.temporary, "the C tests", total)
end

local function files_in(folder)
  local list = {}
  for _, name in ipairs(folders.entries(folder)) do
    if name:match "^test_.*%.lua$" then list[#list + 1] = folder .. "/" .. name end
  end
  return list
end

local function interpreter() return arg[-1] or "lua5.4" end

--- Runs a file in a process of its own, so that a crash does not end the others.
local function test_file(home, path, o, total)
  local report = o.temporary .. "/report"
  local result = process.run({ interpreter(), home .. "/tests/lua/run.lua", path, o.pattern }, {
    inherit = true, timeout = o.long and TIMEOUT.long or TIMEOUT.short,
    env = { SWALE_TEST_REPORT = report, SWALE_TEST_LONG = o.long and "1" or false,
      TMPDIR = o.temporary },
  })
  local passed, failed, skipped = (folders.read(report) or ""):match "(%d+) (%d+) (%d+)"
  os.remove(report)
  if passed then
    add(total, math.tointeger(tonumber(passed)), math.tointeger(tonumber(failed)),
      math.tointeger(tonumber(skipped)))
  else
    print(("%s: ended without a result, status %s"):format(path, result and result.code or "?"))
    add(total, 0, 1, 0)
  end
  find_leavings(o.temporary, path, total)
end

local function test_folder(home, folder, o, total)
  for _, path in ipairs(files_in(home .. folder)) do
    test_file(home, path, o, total)
    if require("swale.core").interrupted() then error(require("swale.core").INTERRUPTED, 0) end
  end
end

local function result_line(total)
  local line = ("%d passed, %d failed"):format(total.passed, total.failed)
  return total.skipped > 0 and line .. (", %d skipped"):format(total.skipped) or line
end

local function test_all(home, o, total)
  local build = os.getenv "SWALE_BUILD"
  local function wanted(kind) return not o.only or o.only == kind end
  if wanted "core" and build then test_core(build, o, total) end
  if wanted "lua" then test_folder(home, "/tests/lua", o, total) end
  if wanted "cli" then test_folder(home, "/tests/cli", o, total) end
end

---@param args string[]
---@return integer code
function M.main(args)
  local o = cli.parse(build_parser(), args)
  if not o then return 2 end
  local home = os.getenv "SWALE_HOME"
  if not home or not folders.exists(home .. "/tests/lua/run.lua") then
    cli.say "the tests are in the source tree: run ./swale test there"
    return 1
  end
  require("swale.core").catch_signals()
  local total = { passed = 0, failed = 0, skipped = 0 }
  o.temporary = errors.check(folders.temporary_folder())
  local ok, problem = pcall(test_all, home, o, total)
  folders.remove(o.temporary)
  if not ok then error(problem, 0) end
  print(result_line(total))
  if total.passed + total.failed + total.skipped == 0 then
    cli.say "no test matches"
    return 1
  end
  return total.failed == 0 and 0 or 1
end

return M
