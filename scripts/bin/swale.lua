--- The command. The launcher has set LUA_PATH_5_4 and LUA_CPATH_5_4, so that `swale` is found.
if _VERSION ~= "Lua 5.4" then
  io.stderr:write("swale: Swale runs under Lua 5.4, this is ", _VERSION, "\n")
  os.exit(1)
end
require "swale.core" -- first: it opens standard streams that are closed
os.exit(require("swale.cli").main(arg), true)
