--- Each rule of tests/lint/rules finds what it forbids, and nothing in a tree that keeps it.
local lu = require "luaunit"

TestLintRules = {}

local LINT = debug.getinfo(1, "S").source:match "^@(.*)lua/[^/]*$" .. "lint/"
package.path = LINT .. "?.lua;" .. package.path

local function lines_of(text)
  local lines = {}
  for line in (text .. "\n"):gmatch "(.-)\n" do lines[#lines + 1] = line end
  return lines
end

--- What a rule says of a tree, given as path -> text, and of the names at its top level.
local function faults_of(rule, texts, top)
  local tree, said = { top = top }, {}
  for path, text in pairs(texts) do tree[#tree + 1] = { path = path, lines = lines_of(text) } end
  table.sort(tree, function(a, b) return a.path < b.path end)
  dofile(LINT .. "rules/" .. rule .. ".lua")(tree, function(path, line, ...)
    said[#said + 1] = ("%s:%s: %s"):format(path, line or "", string.format(...))
  end)
  return said
end

function TestLintRules:test_includes()
  lu.assert_equals(faults_of("includes", {
    ["core/tensor/view.c"] = '#include "base/alloc_int.h"\n\n#include "graph/graph.h"',
    ["core/base/context.c"] = "#include <lua.h>",
    ["bindings/lua_tensor.c"] = '#include <lua.h>\n#include "tensor/tensor_int.h"',
  }), { "bindings/lua_tensor.c:2: the bindings use public headers only",
    "core/base/context.c:1: the core knows nothing of Lua",
    "core/tensor/view.c:3: tensor must not include graph/graph.h" })
end

function TestLintRules:test_headers()
  lu.assert_equals(faults_of("headers", {
    ["core/swale.h"] = '#include "base/context.h"\n#include "base/pool_int.h"',
    ["core/base/context.h"] = '#include "base/status.h"',
    ["core/base/status.h"] = '#include "base/names.def"',
    ["core/base/names.def"] = '#include "base/name_int.h"', ["core/base/name_int.h"] = "",
    ["core/base/pool_int.h"] = "", ["core/base/alloc_int.h"] = "",
    ["core/base/locale.h"] = "", ["core/kernels/body_plain.h"] = "", ["bindings/lx.h"] = "",
  }), { "core/base/locale.h:: private, for swale.h does not reach it: end its name in _int.h",
    "core/base/name_int.h:: swale.h reaches it, so that it is installed",
    "core/base/pool_int.h:: swale.h reaches it, so that it is installed" })
end

function TestLintRules:test_cycles()
  lu.assert_equals(faults_of("cycles", {
    ["core/train/loop.h"] = '#include "train/update.h"',
    ["core/train/update.h"] = '#include "graph/graph.h"',
    ["core/train/update.c"] = '#include "train/update.h"\n#include "train/rate_int.h"',
    ["core/train/rate_int.h"] = '#include "train/loop.h"',
    ["core/graph/graph.h"] = "",
  }), { "core/train/rate_int.h:1: a cycle of inclusions: train/loop -> train/update -> train/rate"
    .. " -> train/loop" })
end

function TestLintRules:test_calls()
  lu.assert_equals(faults_of("calls", {
    ["core/io/csv.c"] = 'puts("x");\n/* free(p) */\nswi_free(ctx, p, 1);\nfree(p);',
    ["core/base/alloc.c"] = "free(p);", ["bindings/lx.c"] = "free(p);",
  }), { "core/io/csv.c:1: the core does not call puts",
    "core/io/csv.c:4: the core does not call free" })
end

function TestLintRules:test_names()
  local wide = ("x"):rep(101)
  lu.assert_equals(faults_of("names", { ["core/io/csv.c"] = "\tx", ["bindings/csv.c"] = wide,
    ["tests/core/csv.c"] = "", ["scripts/x.lua"] = wide }, { "core", "a.out" }), {
    "a.out:: does not belong at the top level", "bindings/csv.c:1: 101 columns, at most 100",
    "core/io/csv.c:: the same name as bindings/csv.c", "core/io/csv.c:1: a tab" })
end

function TestLintRules:test_messages()
  lu.assert_equals(faults_of("messages", { ["scripts/swale/plan.lua"] = [[
if message:find("live", 1, true) then return end
local code = problem:match "^%u+" -- libuv's
if o.problem == "gone" or why ~= "interrupted" then return end
-- message:find "in a comment"
return message:gsub("^.-:%d+: ", ""), messages:find "x", code == "ENOENT"]],
    ["scripts/swale/repl/init.lua"] = 'message:find "<eof>$"',
    ["scripts/swale/gnuplot.lua"] = 'x = result.err:match "line"\nif failure:find "x" then\n'
      .. 'stderr:find "x"',
    ["tests/lua/test_x.lua"] = 'message:find "x"',
  }), { "scripts/swale/gnuplot.lua:2: decides by the text of a message; errors carry codes",
    "scripts/swale/plan.lua:1: decides by the text of a message; errors carry codes",
    "scripts/swale/plan.lua:2: decides by the text of a message; errors carry codes",
    "scripts/swale/plan.lua:3: decides by the text of a message; errors carry codes" })
end

function TestLintRules:test_layers()
  lu.assert_equals(faults_of("layers", {
    ["scripts/swale/walk.lua"] = [[
if layer.kind == "ReLU" then return end
local norm = "BatchNorm" ~= next.layer.kind
if average.kind == "swa" or kind == 3 then return end -- kind == "Linear"
local kind = entry.layer.kind
errors.misuse("nn.%s: no", layer.kind)]],
    ["scripts/swale/nn/x.lua"] = "local kind = child.kind",
    ["tests/lua/test_x.lua"] = 'if layer.kind == "ReLU" then return end',
  }), { "scripts/swale/walk.lua:1: compares the kind of a layer; ask a method of the layer",
    "scripts/swale/walk.lua:2: compares the kind of a layer; ask a method of the layer",
    "scripts/swale/walk.lua:4: reads the kind of a layer; ask a method of the layer" })
end

function TestLintRules:test_ops()
  lu.assert_equals(faults_of("ops", {
    ["core/graph/op_math.c"] = "x = SW_OP_exp;\nconst swi_op_row swi_row_sin = {.n_in = 1};\n"
      .. "const swi_op_row swi_row_cos = {.n_in = 1,\n  .power = swi_power_zero};",
    ["core/graph/dump.c"] = "for (i < SW_OP_COUNT)\n  if (op == SW_OP_exp)",
    ["core/graph/build.c"] = "SW_OP_exp", ["core/graph/program.c"] = "SW_OP_fill, SW_OP_relu",
    ["core/graph/type.c"] = "const swi_op_row swi_row_tan = {", ["bindings/lx.c"] = "SW_OP_add",
    ["bindings/lua_apply.c"] = "SW_OP_add, SW_OP_relu",
  }), { "bindings/lua_apply.c:1: knows the op relu by its name; ask a field of its row",
    "bindings/lx.c:1: knows the op add by its name; ask a field of its row",
    "core/graph/dump.c:2: knows the op exp by its name; ask a field of its row",
    "core/graph/op_math.c:: swi_row_sin has no .power",
    "core/graph/program.c:1: knows the op relu by its name; ask a field of its row",
    "core/graph/type.c:1: the row of an op stands in the op_*.c of its family" })
end

function TestLintRules:test_every_rule_is_tested()
  local pipe <close> = assert(io.popen("ls '" .. LINT .. "rules'"))
  for file in pipe:lines() do
    local name = file:match "^(.*)%.lua$"
    lu.assert_not_nil(TestLintRules["test_" .. name], file .. " has no test here: test_" .. name)
  end
end
