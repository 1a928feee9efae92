--- Rows in chains of elementwise ops: the bits of the ops one after another, on tensors.
local core = require "swale.core"
local lu = require "luaunit"
local ops = require "swale.ops"
require "swale"

TestRows = {}

local function normal(shape, seed)
  return core.random(seed, "x"):fill_normal(core.zeros(shape), 0, 1)
end

--- Two rows, a value, a row with axes of size 1 in front, and a choice between rows.
local function affine(x, a, b)
  local y = ops.relu(x * a + b) * 0.5 - ops.reshape(b, { 1, -1 })
  return ops.where(ops.gt(y, a), ops.maximum(b, y), a / (ops.abs(y) + 1))
end

--- More rows than a chain may read.
local function many(x, a, b)
  for i = 1, 9 do x = ops.tanh(x) + (i % 2 == 0 and a or b) * i end
  return x
end

--- Rows of another length in the middle: the elements are the same, the last axis is not.
local function reshaped(x, a, b)
  local y = ops.tanh(x + a)
  local flat = ops.reshape(y, { x:shape()[1], -1 })
  local n = flat:shape()[2]
  local wide = ops.concat({ a, b }, 1)
  if n % #wide:shape() == 0 and n == 2 * a:shape()[1] then flat = flat * wide end
  return ops.exp(-ops.abs(ops.reshape(flat, x:shape()) - b))
end

local function check(f, batch, middle, c)
  local g = core.graph()
  local p = core.program(g, { f(g:input(1, "real", { "batch", middle, c }), g:param(1, { c }),
    g:param(c + 1, { c })) })
  local x, a, b = normal({ batch, middle, c }, 1), normal({ c }, 2), normal({ c }, 3)
  local vector = ops.concat({ a, b }, 1)
  local want = f(x, a, b)
  for threads = 1, 2 do
    core.set_threads(threads)
    local y = p:run { inputs = { x }, vectors = { vector } }
    lu.assert_equals(ops.sum(ops.ne(y, want)):item(), 0, ("%d x %d x %d"):format(batch, middle, c))
  end
  return p
end

function TestRows:test_bits()
  local before = core.threads()
  for _, f in ipairs { affine, many, reshaped } do
    for _, c in ipairs { 2, 3, 16, 33, 500, 600, 1024, 1025 } do
      check(f, 1, 1, c)
      check(f, 5, 2, c)
      check(f, 7, 1 + 30000 // c, c)
    end
  end
  check(affine, 3, 100, 1)
  core.set_threads(before)
end

function TestRows:test_are_taken()
  local p = check(affine, 2, 2, 8)
  local _, lines = p:dump():gsub("\n", "")
  local _, chained = p:dump():gsub("| [^\n]*\n", "")
  lu.assert_equals(chained, lines)
  local g = core.graph()
  local single = core.program(g, { g:input(1, "real", { "batch", 8 }) * g:param(1, { 8 }) })
  lu.assert_str_contains(single:dump(), "| ")
  local wide = core.program(g, { g:input(2, "real", { "batch", 2000 }) * g:param(9, { 2000 }) })
  lu.assert_not_str_contains(wide:dump(), "| ")
end
