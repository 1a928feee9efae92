--- Runs one file of LuaUnit tests: run.lua FILE [PATTERN]. The cases whose name, file.Class.test,
--- matches PATTERN are run. `swale test` starts one such process a file; it reads the counts
--- (passed, failed, skipped) from the file that SWALE_TEST_REPORT names.
local lu = require "luaunit"

local path, pattern = arg[1], arg[2]
local folder, name = path:match "^(.-)/?([^/]+)%.lua$"
package.path = folder .. "/?.lua;" .. folder .. "/../lua/?.lua;" .. package.path

local function cases()
  local list = {}
  for _, class in ipairs(lu.LuaUnit.collectTests()) do
    local methods = {}
    for method in pairs(_G[class]) do
      if type(method) == "string" and lu.LuaUnit.isMethodTestName(method) then
        methods[#methods + 1] = class .. "." .. method
      end
    end
    table.sort(methods)
    for _, full in ipairs(methods) do
      if not pattern or (name .. "." .. full):find(pattern) then
        list[#list + 1] = { full, _G[class] }
      end
    end
  end
  return list
end

local function report(passed, failed, skipped)
  local file = io.open(os.getenv "SWALE_TEST_REPORT" or "/dev/null", "w")
  if file then
    file:write(("%d %d %d\n"):format(passed, failed, skipped))
    file:close()
  end
end

--- The test's output goes to stdout, LuaUnit's as well.
local function run(list)
  local runner = lu.LuaUnit.new()
  runner:setOutputType "text"
  runner:runSuiteByInstances(list)
  local r = runner.result
  report(r.successCount, r.failureCount + r.errorCount, r.skippedCount)
  return r.notSuccessCount == 0
end

print("== " .. name)
local ok, problem = xpcall(dofile, debug.traceback, path)
if not ok then
  print(problem)
  report(0, 1, 0)
  os.exit(1)
end
local list = cases()
if #list == 0 then
  report(0, 0, 0)
  os.exit(0)
end
os.exit(run(list), true)
