--- Walks: each file beside this one is an addition that docs/architecture.md has a recipe for. It
--- is made in a copy of the tree, built and tested; then one piece at a time is left out, and the
--- build or a test must fail with a line that names the omission.
---
---     ./swale lua tests/walks/run.lua [NAME…]      some walks, or all; part of ./swale test --long
---
--- The last lines count the files that each addition touches. tests/walks/NAME.lua returns
---
---     return {
---       adds = "elementwise op sin",
---       pieces = {
---         { name = "row", file = "core/graph/ops.def", after = "OP(tanh", text = [[
---     OP(sin)
---     ]], dropped = "undefined reference to .swi_row_sin" },
---         { name = "method", file = "scripts/swale/ops.lua", after = "function M.tanh(x)",
---           text = […], dropped = "ops.sin" },
---       },
---       tests = { { "core", "test_elements" }, { "lua", "^test_ops%.TestOps%.test_sin" } },
---     }
---
--- A piece has a `name`, a `file`, its `text` and one of
---     after     whole lines behind the line in which this text ends, which must stand once
---     before    whole lines in front of the line in which it begins
---     replace   the text itself is replaced
---     create    true: a new file
--- and
---     dropped   a Lua pattern: a line of the build's or tests' output when the piece is left out.
---               Name what the reader needs: the op and its missing kernel, say
---     of        the name of an earlier piece in whose text the anchor stands: left out with it
---     part      "test" or "docs": counted apart, and `dropped` may be absent
---
--- `tests` are { kind, name } pairs: a C test by its name, Lua tests by a pattern, as ./swale test
--- takes them. A walk whose pieces are all Lua uses this tree's build and takes seconds.
package.path = arg[0]:match "^(.-)[^/]*$" .. "../cli/?.lua;" .. package.path
local walks = require "walks"

local HOME = os.getenv "SWALE_HOME"
local FORMAT = "%-34s %-30s %s"

local function say(text)
  print(text)
  io.stdout:flush()
end

local all, names = walks.all(HOME)
if #arg > 0 then names = table.move(arg, 1, #arg, 1, {}) end
for _, name in ipairs(names) do
  walks.check(HOME, name, all[name] or error("there is no walk " .. name, 0))
end
local copy <const> = assert(walks.copy(HOME))
local table_lines, faults = { FORMAT:format("to add", "touches", "") }, {}
for _, name in ipairs(names) do
  local result = walks.walk(copy, name, all[name], say)
  table_lines[#table_lines + 1] = FORMAT:format(result.adds, result.files,
    table.concat(result.list, " "))
  table.move(result.faults, 1, #result.faults, #faults + 1, faults)
end
copy:close()
for _, text in ipairs(faults) do say("FAULT " .. text) end
say(table.concat(table_lines, "\n"))
os.exit(#faults == 0)
