--- Products of slices, causal softmax and transposes, large enough for several threads.
local core = require "swale.core"
local lu = require "luaunit"
local ops = require "swale.ops"
require "swale"

TestAttention = {}

local function normal(shape, seed)
  return core.random(seed, "x"):fill_normal(core.zeros(shape), 0, 1)
end

--- f() for one thread and for three: the same bits.
local function with_threads(f)
  local before = core.threads()
  core.set_threads(1)
  local one = f()
  core.set_threads(3)
  local three = f()
  core.set_threads(before)
  lu.assert_equals(three:table(), one:table())
  return one
end

function TestAttention:test_slices_are_matrix_products()
  for _, size in ipairs { { 24, 33, 17, 40 }, { 3, 300, 200, 180 }, { 500, 3, 2, 5 } } do
    local n, m, k, c = table.unpack(size)
    local a, b = normal({ n, m, k }, 1), normal({ n, c, k }, 2)
    local y = with_threads(function() return ops.bmm(a, b, { transpose_b = true }) end)
    for i = 1, n, 7 do
      local function slice(t, rows, cols) return t:slice(1, i, 1):reshape { rows, cols } end
      lu.assert_equals(slice(y, m, c):table(),
        ops.matmul(slice(a, m, k), slice(b, c, k), { transpose_b = true }):table())
    end
  end
end

function TestAttention:test_causal_softmax_of_many_rows()
  local x = normal({ 20, 70, 70 }, 3)
  local y = with_threads(function() return ops.causal_softmax(x, 0.25) end)
  local masked = ops.where(ops.reshape(core.tensor(ops.causal_softmax(core.zeros { 70, 70 })
    :table()), { 1, 70, 70 }):gt(0), x * 0.25, -1e30)
  local want = ops.softmax(masked)
  lu.assert_true((y - want):abs():max():item() < 1e-6)
  lu.assert_error_msg_contains("finite and not 0, got 0", ops.causal_softmax, x, 0)
  lu.assert_error_msg_contains("expected (…, T, T), got (20, 70)", ops.causal_softmax,
    normal({ 20, 70 }, 1))
end

function TestAttention:test_large_transposes()
  local x = normal({ 30, 40, 6, 32 }, 4)
  local y = with_threads(function()
    return core.apply("transpose", { perm = { 1, 3, 2, 4 } }, x)
  end)
  local back = core.apply("transpose", { perm = { 1, 3, 2, 4 } }, y)
  lu.assert_equals(back:table(), x:table())
  for _, at in ipairs { { 1, 1, 1, 1 }, { 30, 40, 6, 32 }, { 17, 3, 5, 9 }, { 2, 40, 1, 31 } } do
    local b, t, h, d = table.unpack(at)
    lu.assert_equals(y:get(b, h, t, d), x:get(b, t, h, d))
  end
  local flat = normal({ 500, 601 }, 5)
  local swapped = with_threads(function()
    return core.apply("transpose", { perm = { 2, 1 } }, flat)
  end)
  for _, at in ipairs { { 1, 601 }, { 500, 1 }, { 333, 77 } } do
    lu.assert_equals(swapped:get(at[2], at[1]), flat:get(at[1], at[2]))
  end
end

--- softmax(q k') v: the transposes fold into the products.
function TestAttention:test_transposes_of_slices_fold()
  local g = core.graph()
  local q, k = g:input(1, "real", { "batch", 4, 3 }), g:input(2, "real", { "batch", 4, 3 })
  local y = ops.bmm(q, ops.transpose(k, 2, 3))
  lu.assert_not_str_contains(g:dump { y }, "transpose")
  local other = ops.bmm(core.apply("transpose", { perm = { 3, 2, 1 } },
    g:input(3, "real", { 4, 3, 2 })), core.apply("transpose", { perm = { 2, 1, 3 } },
    g:input(4, "real", { 4, 2, 3 })))
  lu.assert_str_contains(g:dump { other }, "transpose")
  lu.assert_equals(y:dependence(), "by_example")
end
