--- The command. The launcher has set LUA_PATH_5_4 and LUA_CPATH_5_4, so that `swale` is found.
if _VERSION ~= "Lua 5.4" then
  io.stderr:write("swale: Swale runs under Lua 5.4, this is ", _VERSION, "\n")
  os.exit(1)
end
local ok, problem = pcall(require, "swale.core") -- first: it opens standard streams that are closed
if not ok then
  io.stderr:write("swale: ", tostring(problem), "\n") -- SWALE_CPU names no instruction set, say
  os.exit(1)
end
os.exit(require("swale.cli").main(arg), true)
