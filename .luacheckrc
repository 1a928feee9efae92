std = "lua54"
max_line_length = 100
self = false
ignore = { "212/_.*" } -- an unused argument that says so

-- LuaUnit finds its cases among the globals.
files["tests/lua"] = { allow_defined_top = true }
files["tests/cli"] = { allow_defined_top = true }
