--- The command. The launcher has set LUA_PATH_5_4 and LUA_CPATH_5_4, so that `swale` is found.
os.exit(require("swale.cli").main(arg), true)
