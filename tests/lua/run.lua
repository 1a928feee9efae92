--- Runs one file of LuaUnit tests: run.lua FILE [PATTERN]. The cases whose name, file.Class.test,
--- matches PATTERN are run. `swale test` starts one such process a file; it reads the counts
--- (passed, failed, skipped) from the file that SWALE_TEST_REPORT names.
local lu = require "luaunit"

local path, pattern = arg[1], arg[2]
local folder, name = path:match "^(.-)/?([^/]+)%.lua$"
package.path = folder .. "/?.lua;" .. folder .. "/../lua/?.lua;" .. package.path

local function is_test(key) return type(key) == "string" and key:lower():match "^test" ~= nil end

--- Names of the cases, "Class.test", sorted.
local function cases()
  local list = {}
  for class, methods in pairs(_G) do
    if is_test(class) and type(methods) == "table" then
      for method in pairs(methods) do
        local full = is_test(method) and class .. "." .. method
        if full and (not pattern or (name .. "." .. full):find(pattern)) then
          list[#list + 1] = full
        end
      end
    end
  end
  table.sort(list)
  return list
end

local function report(passed, failed, skipped)
  local file = io.open(os.getenv "SWALE_TEST_REPORT" or "/dev/null", "w")
  if file then
    file:write(("%d %d %d\n"):format(passed, failed, skipped))
    file:close()
  end
end

--- The test's output goes to stdout, LuaUnit's as well. Of LuaUnit only what 3.3 to 3.5 have in
--- common is used: runSuite with the arguments of its command line.
local function run(list)
  local runner = lu.LuaUnit.new()
  runner:runSuite("--output", "text", table.unpack(list))
  local r = runner.result
  report(r.successCount, r.failureCount + r.errorCount, r.skippedCount)
  return r.notSuccessCount == 0
end

local ok, problem = xpcall(dofile, debug.traceback, path)
local list = ok and cases() or {}
if not ok or #list > 0 then print("== " .. name) end
if not ok then
  print(problem)
  report(0, 1, 0)
  os.exit(1)
end
if #list == 0 then
  report(0, 0, 0)
  os.exit(0)
end
os.exit(run(list), true)
