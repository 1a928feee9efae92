rockspec_format = "3.0"
package = "swale"
version = "scm-1"
source = { url = "." }
description = {
  summary = "A laboratory for the dynamics of stochastic gradient descent",
  license = "MIT",
}
-- Lua 5.4 alone: under 5.5 it is refused.
dependencies = { "lua ~> 5.4", "argparse >= 0.7", "luv >= 1.44" }
external_dependencies = {
  JANSSON = { header = "jansson.h" },
  SQLITE = { header = "sqlite3.h" },
  ZLIB = { header = "zlib.h" },
}
build = {
  type = "cmake",
  variables = {
    CMAKE_BUILD_TYPE = "Release",
    CMAKE_INSTALL_PREFIX = "$(PREFIX)",
    CMAKE_INSTALL_DATADIR = "$(PREFIX)/share", -- the command may lie elsewhere
    LUA_CMOD = "$(LIBDIR)",
    LUA_LMOD = "$(LUADIR)",
    BUILD_TESTING = "OFF",
  },
}
test = { type = "command", command = "./swale test" }
