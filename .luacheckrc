std = "lua54"
max_line_length = 100
self = false
ignore = { "212/_.*" } -- an unused argument that says so

-- LuaUnit finds its cases among the globals.
files["tests/lua"] = { allow_defined_top = true }
files["tests/cli"] = { allow_defined_top = true }

-- Annotations of what C gives: nothing in them runs, and a type has to stand on one line.
files["scripts/swale/meta"] = { ignore = { "211", "212", "241" }, max_line_length = false }

-- Pieces that lua_faults.c runs in states of its own, with these set.
files["tests/core"] = { globals = { "core" } }
