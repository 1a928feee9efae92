local core = require "swale.core"
local h = require "op_harness"
local lu = require "luaunit"
local ops = require "swale.ops"
local sw = require "swale"

TestOpTable = {}

local B = "batch"
local function truth(f) return function(...) return f(...) and 1 or 0 end end

local function softmax_row(row)
  local largest, sum, p = math.max(table.unpack(row)), 0, {}
  for i, x in ipairs(row) do
    p[i] = math.exp(x - largest)
    sum = sum + p[i]
  end
  for i in ipairs(p) do p[i] = p[i] / sum end
  return p
end

-- f of each row along the last axis gives a row.
local function by_rows(f)
  return function(a)
    local n, result = a.shape[#a.shape], { shape = a.shape }
    for first = 1, #a, n do
      for i, y in ipairs(f(table.move(a, first, first + n - 1, 1, {}))) do
        result[first + i - 1] = y
      end
    end
    return result
  end
end

local function matmul(transpose_a, transpose_b)
  local function at(a, i, j, transposed)
    if transposed then i, j = j, i end
    return a[(i - 1) * a.shape[2] + j]
  end
  return function(a, b)
    local m, k = a.shape[transpose_a and 2 or 1], a.shape[transpose_a and 1 or 2]
    local n = b.shape[transpose_b and 1 or 2]
    return h.array({ m, n }, function(p)
      local i, j, sum = (p - 1) // n + 1, (p - 1) % n + 1, 0
      for q = 1, k do sum = sum + at(a, i, q, transpose_a) * at(b, q, j, transpose_b) end
      return sum
    end)
  end
end

local function sum(list)
  local total = 0
  for _, x in ipairs(list) do total = total + x end
  return total
end

local function sumsq(list)
  local total = 0
  for _, x in ipairs(list) do total = total + x * x end
  return total
end

local function first_of_largest(list)
  local best = 1
  for i, x in ipairs(list) do if x > list[best] then best = i end end
  return best - 1
end

local function transposed(perm)
  return function(a)
    local shape = {}
    for i, axis in ipairs(perm) do shape[i] = a.shape[axis] end
    return h.array(shape, function(i)
      local index, from = h.unravel(i, shape), {}
      for k, axis in ipairs(perm) do from[axis] = index[k] end
      return a[h.ravel(from, a.shape)]
    end)
  end
end

local function gather(x, index)
  local width = #x // x.shape[1]
  local shape = table.move(x.shape, 2, #x.shape, 2, { #index })
  return h.array(shape, function(i)
    return x[index[(i - 1) // width + 1] * width + (i - 1) % width + 1]
  end)
end

local function scatter(n)
  return function(x, index)
    local width = #x // x.shape[1]
    local result = h.array(table.move(x.shape, 2, #x.shape, 2, { n }), function() return 0 end)
    for i = 1, #x do
      local at = index[(i - 1) // width + 1] * width + (i - 1) % width + 1
      result[at] = result[at] + x[i]
    end
    return result
  end
end

local function cross_entropy(x, y)
  local classes, p = x.shape[2], by_rows(softmax_row)(x)
  return h.array({ x.shape[1] }, function(i)
    return -math.log(p[(i - 1) * classes + y[i] + 1])
  end), p
end

-- By its series, good to rounding for the |x| < 4 of these tests.
local function erf(x)
  local term, total = x, x
  for n = 1, 80 do
    term = -term * x * x / n
    total = total + term / (2 * n + 1)
  end
  return total * 2 / math.sqrt(math.pi)
end

local UNARY = {
  abs = math.abs, erf = erf, erfc = function(x) return 1 - erf(x) end,
  softplus = function(x) return math.log(1 + math.exp(x)) end,
  neg = function(x) return -x end, exp = math.exp,
  tanh = function(x) return 1 - 2 / (math.exp(2 * x) + 1) end,
  sigmoid = function(x) return 1 / (1 + math.exp(-x)) end,
  sigmoid_slope = function(x) return 1 / (2 + math.exp(x) + math.exp(-x)) end,
  relu = function(x) return math.max(x, 0) end,
}
for op, f in pairs(UNARY) do
  h.add(TestOpTable, { op = op, inputs = { { B, 4 } }, reference = h.map(f) })
end
h.add(TestOpTable, { op = "log", inputs = { { B, 4, low = 0.25, high = 4 } },
  reference = h.map(math.log) })
h.add(TestOpTable, { op = "sqrt", inputs = { { B, 4, low = 0.25, high = 4 } },
  reference = h.map(math.sqrt) })
h.add(TestOpTable, { op = "sign", inputs = { { B, 4, low = -0.02, high = 0.02 } }, smooth = false,
  reference = h.map(function(x) return x > 0 and 1 or x < 0 and -1 or 0 end) })
h.add(TestOpTable, { op = "scale", attrs = { value = -1.5 }, inputs = { { B, 3 } },
  reference = h.map(function(x) return -1.5 * x end) })
h.add(TestOpTable, { op = "scale", name = "scale_by_batch", attrs = { value = 2, batch_power = -1 },
  inputs = { { B, 3 } }, reference = function(a)
    return h.map(function(x) return 2 * x / a.shape[1] end)(a)
  end, smooth = true })
TestOpTable.test_scale_by_batch_eager = nil -- tensors know no batch

local BINARY = {
  add = function(x, y) return x + y end, sub = function(x, y) return x - y end,
  mul = function(x, y) return x * y end, maximum = math.max, minimum = math.min,
}
local COMPARE = {
  lt = function(x, y) return x < y end, le = function(x, y) return x <= y end,
  gt = function(x, y) return x > y end, ge = function(x, y) return x >= y end,
  eq = function(x, y) return x == y end, ne = function(x, y) return x ~= y end,
}
local MISFIT = { { { B, 4 }, { B, 3 } }, { { 2, 4 }, { 3, 4 } } }

for op, f in pairs(BINARY) do
  h.add(TestOpTable, { op = op, inputs = { { B, 4 }, { B, 4 } }, reference = h.map(f),
    wrong = MISFIT })
  h.add(TestOpTable, { op = op, name = op .. "_broadcast", inputs = { { B, 1 }, { 4 } },
    reference = h.map(f) })
  h.add(TestOpTable, { op = op, name = op .. "_scalar", inputs = { {}, { B, 2, 3 } },
    reference = h.map(f) })
end
local divide = h.map(function(x, y) return x / y end)
h.add(TestOpTable, { op = "div", inputs = { { B, 4 }, { B, 4, low = 0.5, high = 2 } },
  reference = divide, wrong = MISFIT })
h.add(TestOpTable, { op = "div", name = "div_broadcast",
  inputs = { { 4 }, { B, 1, low = 0.5, high = 2 } }, reference = divide })
h.add(TestOpTable, { op = "pow", inputs = { { B, 4, low = 0.5, high = 2 }, { B, 4 } },
  reference = h.map(function(x, y) return x ^ y end), wrong = MISFIT })
h.add(TestOpTable, { op = "pow", name = "pow_broadcast",
  inputs = { { B, 1, low = 0.5, high = 2 }, { 4 } },
  reference = h.map(function(x, y) return x ^ y end) })
for op, f in pairs(COMPARE) do
  h.add(TestOpTable, { op = op, inputs = { { B, 4, low = 0, high = 0.02 },
    { 4, low = 0, high = 0.02 } }, reference = h.map(truth(f)), smooth = false, wrong = MISFIT })
end
h.add(TestOpTable, { op = "gate", inputs = { { B, 4 }, { B, 4 } },
  reference = h.map(function(x, y) return y > 0 and x or 0 end), wrong = MISFIT })
h.add(TestOpTable, { op = "where",
  inputs = { { B, 4, low = -0.004, high = 0.004 }, { B, 4 }, { 4 } },
  reference = h.map(function(mask, a, b) return mask ~= 0 and a or b end), smooth = false })

h.add(TestOpTable, { op = "matmul", inputs = { { B, 3 }, { 3, 4 } }, reference = matmul(),
  wrong = { { { B, 3 }, { 4, 3 }, says = "matmul: inner sizes differ: (batch, 3) x (4, 3)",
    says_eager = "matmul: inner sizes differ: (2, 3) x (4, 3)" }, { { 3 }, { 3, 2 } } } })
h.add(TestOpTable, { op = "matmul", name = "matmul_nt", attrs = { transpose_b = true },
  inputs = { { B, 3 }, { 4, 3 } }, reference = matmul(false, true) })
h.add(TestOpTable, { op = "matmul", name = "matmul_tn", attrs = { transpose_a = true },
  inputs = { { B, 3 }, { B, 4 } }, reference = matmul(true, false) })
h.add(TestOpTable, { op = "matmul", name = "matmul_tt",
  attrs = { transpose_a = true, transpose_b = true }, inputs = { { B, 3 }, { 4, B } },
  reference = matmul(true, true) })
-- Slices of the last two axes, f of which gives slices.
local function by_slices(f)
  return function(...)
    local arrays, result, shape = { ... }, {}, nil
    local n = 1
    for axis = 1, #arrays[1].shape - 2 do n = n * arrays[1].shape[axis] end
    for i = 1, n do
      local parts = {}
      for k, a in ipairs(arrays) do
        local rows, cols = a.shape[#a.shape - 1], a.shape[#a.shape]
        parts[k] = table.move(a, (i - 1) * rows * cols + 1, i * rows * cols, 1,
          { shape = { rows, cols } })
      end
      local y = f(table.unpack(parts))
      table.move(y, 1, #y, #result + 1, result)
      shape = y.shape
    end
    result.shape = table.move(shape, 1, 2, #arrays[1].shape - 1,
      table.move(arrays[1].shape, 1, #arrays[1].shape - 2, 1, {}))
    return result
  end
end

h.add(TestOpTable, { op = "bmm", inputs = { { B, 2, 3, 4 }, { B, 2, 4, 5 } },
  reference = by_slices(matmul()), wrong = { { { B, 3 }, { 3, 4 } },
    { { B, 2, 3 }, { B, 4, 3 }, says = "bmm: inner sizes differ: (batch, 2, 3) x (batch, 4, 3)",
      says_eager = "bmm: inner sizes differ: (2, 2, 3) x (2, 4, 3)" },
    { { B, 2, 3, 4 }, { B, 3, 4, 5 }, says = "bmm: the leading axes differ" } } })
h.add(TestOpTable, { op = "bmm", name = "bmm_nt", attrs = { transpose_b = true },
  inputs = { { 2, 3, 4 }, { 2, 5, 4 } }, reference = by_slices(matmul(false, true)) })
h.add(TestOpTable, { op = "bmm", name = "bmm_tn", attrs = { transpose_a = true },
  inputs = { { B, 4, 3 }, { B, 4, 5 } }, reference = by_slices(matmul(true, false)) })
h.add(TestOpTable, { op = "bmm", name = "bmm_tt",
  attrs = { transpose_a = true, transpose_b = true },
  inputs = { { 2, B, 4, 3 }, { 2, B, 5, 4 } }, reference = by_slices(matmul(true, true)) })
h.add(TestOpTable, { op = "causal_softmax", attrs = { value = 0.7 }, inputs = { { B, 2, 4, 4 } },
  reference = by_slices(function(x)
    local n, y = x.shape[1], { shape = x.shape }
    for t = 1, n do
      local row = {}
      for k = 1, t do row[k] = 0.7 * x[(t - 1) * n + k] end
      for _, p in ipairs(softmax_row(row)) do y[#y + 1] = p end
      for _ = t + 1, n do y[#y + 1] = 0 end
    end
    return y
  end), wrong = { { { B, 3, 4 } }, { { 4 } } } })
h.add(TestOpTable, { op = "dot", inputs = { { B, 3 }, { B, 3 } }, reference = function(a, b)
  local total = 0
  for i = 1, #a do total = total + a[i] * b[i] end
  return { shape = {}, total }
end, wrong = { { { B, 3 }, { B, 4 } } } })

local REDUCE = {
  sum = sum, sumsq = sumsq, max = function(list) return math.max(table.unpack(list)) end,
  mean = function(list) return sum(list) / #list end,
}
local AXES = { all = { 1, 2, 3 }, first = { 1 }, last = { 3 }, middle = { 2 }, outer = { 1, 3 } }
for op, f in pairs(REDUCE) do
  for where, axes in pairs(AXES) do
    for _, keepdim in ipairs { false, true } do
      h.add(TestOpTable, { op = op, name = ("%s_%s%s"):format(op, where, keepdim and "_kept" or ""),
        attrs = { axes = axes, keepdim = keepdim }, inputs = { { B, 2, 3 } },
        reference = h.reduce(f, axes, keepdim) })
    end
  end
end
for where, axis in pairs { last = 2, first = 1 } do
  h.add(TestOpTable, { op = "argmax", name = "argmax_" .. where, attrs = { axes = { axis } },
    inputs = { { B, 4, low = 0, high = 0.02 } }, smooth = false,
    reference = h.reduce(first_of_largest, { axis }) })
end

local function reshaped(shape)
  return function(a)
    local sizes = {}
    for i, d in ipairs(shape) do sizes[i] = d == B and #a // 6 or d end
    return table.move(a, 1, #a, 1, { shape = sizes })
  end
end
h.add(TestOpTable, { op = "reshape", attrs = { shape = { B, 3, 2 } }, inputs = { { B, 6 } },
  reference = reshaped { B, 3, 2 }, wrong = { { { B, 5 } } } })
h.add(TestOpTable, { op = "reshape", name = "reshape_rest", attrs = { shape = { B, -1 } },
  inputs = { { B, 2, 3 } }, reference = reshaped { B, 6 } })
h.add(TestOpTable, { op = "broadcast", attrs = { shape = { B, 2, 3 } }, inputs = { { B, 1, 3 } },
  reference = function(a)
    local shape = { a.shape[1], 2, 3 }
    return h.array(shape, function(i) return a[h.ravel(h.unravel(i, shape), a.shape)] end)
  end, wrong = { { { B, 4, 3 } } } })
h.add(TestOpTable, { op = "transpose", name = "transpose_heads", attrs = { perm = { 1, 3, 2, 4 } },
  inputs = { { B, 3, 2, 4 } }, reference = transposed { 1, 3, 2, 4 } })
h.add(TestOpTable, { op = "transpose", attrs = { perm = { 2, 3, 1 } }, inputs = { { B, 2, 3 } },
  reference = transposed { 2, 3, 1 } })

-- Elements of the middle axis, from 0: where result position k comes from in x, or nil.
local function along_middle(n, from)
  return function(x)
    local shape = { x.shape[1], n, x.shape[3] }
    return h.array(shape, function(i)
      local index = h.unravel(i, shape)
      index[2] = from(index[2])
      return index[2] and x[h.ravel(index, x.shape)] or 0.5
    end)
  end
end
h.add(TestOpTable, { op = "slice", attrs = { axes = { 2 }, first = 2, n = 3 },
  inputs = { { B, 5, 2 } }, reference = along_middle(3, function(k) return k + 1 end),
  wrong = { { { B, 3, 2 } } } })
h.add(TestOpTable, { op = "pad", attrs = { axes = { 2 }, before = 1, n = 5, value = 0.5 },
  inputs = { { B, 2, 2 } }, wrong = { { { B, 5, 2 } } },
  reference = along_middle(5, function(k) return k >= 1 and k <= 2 and k - 1 or nil end) })
h.add(TestOpTable, { op = "concat", attrs = { axes = { 2 } }, inputs = { { B, 2, 2 }, { B, 3, 2 } },
  reference = function(x, y)
    local shape = { x.shape[1], 5, 2 }
    return h.array(shape, function(i)
      local index = h.unravel(i, shape)
      if index[2] < 2 then return x[h.ravel(index, x.shape)] end
      index[2] = index[2] - 2
      return y[h.ravel(index, y.shape)]
    end)
  end, wrong = { { { B, 2, 2 }, { B, 3, 3 } } } })

h.add(TestOpTable, { op = "gather_rows", inputs = { { 5, 3 }, { B, rows = 5 } },
  reference = gather })
h.add(TestOpTable, { op = "scatter_rows", attrs = { n = 5 }, inputs = { { B, 3 }, { B, rows = 5 } },
  reference = scatter(5), wrong = { { { B, 3 }, { 7, rows = 5 } } } })
h.add(TestOpTable, { op = "one_hot", attrs = { n = 4 }, inputs = { { B, rows = 4 } },
  smooth = false, reference = function(y)
    return h.array({ #y, 4 }, function(i) return y[(i - 1) // 4 + 1] == (i - 1) % 4 and 1 or 0 end)
  end })
h.add(TestOpTable, { op = "cast", inputs = { { B, rows = 9 } }, smooth = false,
  reference = h.map(function(y) return y end) })
h.add(TestOpTable, { op = "detach", inputs = { { B, 3 } }, smooth = false,
  reference = h.map(function(x) return x end) })
h.add(TestOpTable, { op = "softmax", inputs = { { B, 4 } }, reference = by_rows(softmax_row) })
h.add(TestOpTable, { op = "log_softmax", inputs = { { B, 4 } },
  reference = by_rows(function(row)
    local p = softmax_row(row)
    for i in ipairs(p) do p[i] = math.log(p[i]) end
    return p
  end) })
h.add(TestOpTable, { op = "cross_entropy", inputs = { { B, 4 }, { B, rows = 4 } },
  reference = cross_entropy, wrong = { { { B, 4 }, { 7, rows = 4 } } } })

h.add(TestOpTable, { op = "soft_cross_entropy",
  inputs = { { B, 4 }, { B, 4, low = 0.1, high = 1 } }, wrong = { { { B, 4 }, { B, 3 } } },
  reference = function(x, q)
    local p = by_rows(softmax_row)(x)
    return h.array({ x.shape[1] }, function(i)
      local loss = 0
      for c = 4 * i - 3, 4 * i do loss = loss - q[c] * math.log(p[c]) end
      return loss
    end), p
  end })

require "conv_rows" (TestOpTable)
require "norm_rows" (TestOpTable)
require "pool_rows" (TestOpTable)

function TestOpTable:test_has_a_row_for_every_op()
  -- random ones have test_dropout.lua
  local leaves = { input = true, param = true, constant = true, fill = true, keep_mask = true }
  for _, op in ipairs(core.ops()) do
    if not leaves[op] then
      local found = false
      for name in pairs(TestOpTable) do found = found or name:find("test_" .. op, 1, true) == 1 end
      lu.assert_true(found, "no row for " .. op)
    end
  end
end

-- By name, in the source of swale.ops. Others are operators, or parts of derivatives.
function TestOpTable:test_has_a_function_of_swale_ops_for_every_op()
  local without = {}
  for op in ([[input param constant fill add sub mul div neg scale gate sigmoid_slope conv2d_input
    conv2d_weight batch_norm_grad batch_norm_grad2 ghost_mean max_unpool2d max_repool2d
    avg_unpool2d reflect_fold2d]]):gmatch "%S+" do without[op] = true end
  local text = ""
  for _, module in ipairs { "swale.ops", "swale.image_ops", "swale.norm_ops" } do
    local file <close> = assert(io.open(assert(package.searchpath(module, package.path))))
    text = text .. file:read "a"
  end
  for _, op in ipairs(core.ops()) do
    local there = text:find('"' .. op .. '"', 1, true) ~= nil
    if not there then lu.assert_true(without[op], "swale.ops has no function for the op " .. op) end
  end
end

function TestOpTable:test_has_a_line_of_docs_for_every_op()
  local place = debug.getinfo(1, "S").source:match "^@(.*)tests/lua/[^/]*$"
  local file <close> = assert(io.open(place .. "docs/architecture.md"))
  local first_cells = {}
  for line in file:read("a"):match("\n## Ops\n(.-)\n## "):gmatch "[^\n]+" do
    first_cells[#first_cells + 1] = line:match "^|([^|]*)|"
  end
  local text = table.concat(first_cells, " ")
  for _, op in ipairs(core.ops()) do
    lu.assert_not_nil(text:find("%f[%w_]" .. op .. "%f[^%w_]"),
      "docs/architecture.md has no line for the op " .. op)
  end
end

-- ------------------------------------------------------------------ conventions and the Lua side

TestOps = {}

function TestOps:test_where_sends_gradients_to_what_was_chosen()
  local graph = core.graph()
  local mask, a = graph:input(1, "real", { B }), graph:input(2, "real", { B })
  local b = graph:input(3, "real", { B })
  local grads = graph:gradient(ops.sum(ops.where(mask, a, b)), { mask, a, b })
  lu.assert_false(grads[1])
  local program = core.program(graph, { grads[2], grads[3] })
  local da, db = program:run { inputs = { sw.tensor { 1, 0, 2 }, sw.tensor { 1, 1, 1 },
    sw.tensor { 1, 1, 1 } } }
  lu.assert_equals(da:table(), { 1, 0, 1 })
  lu.assert_equals(db:table(), { 0, 1, 0 })
end

function TestOps:test_relu_has_no_slope_at_zero_and_equal_maxima_share()
  local graph = core.graph()
  local x = graph:input(1, "real", { B })
  local slopes = graph:gradient(ops.sum(x:relu()), { x })
  local shares = graph:gradient(x:max(), { x })
  local program = core.program(graph, { slopes[1], shares[1] })
  local slope, share = program:run { inputs = { sw.tensor { -1, 0, 3, 3 } } }
  lu.assert_equals(slope:table(), { 0, 0, 1, 1 })
  lu.assert_equals(share:table(), { 0, 0, 0.5, 0.5 })
end

function TestOps:test_numbers_join_in()
  local x = sw.tensor { 1, 2 }
  lu.assert_equals((2 * x + 1):table(), { 3, 5 })
  lu.assert_equals((1 - x):table(), { 0, -1 })
  lu.assert_equals((1 / x):table(), { 1, 0.5 })
  lu.assert_equals(x:lt(2):table(), { 1, 0 })
  lu.assert_equals((-x):table(), { -1, -2 })
end

function TestOps:test_axes_count_from_one_and_from_the_end()
  local x = sw.tensor { { 1, 2, 3 }, { 4, 5, 6 } }
  lu.assert_equals(x:sum(1):table(), { 5, 7, 9 })
  lu.assert_equals(x:sum(-1):table(), { 6, 15 })
  lu.assert_equals(x:sum({ 1, 2 }):item(), 21)
  lu.assert_equals(x:mean():item(), 3.5)
  lu.assert_equals(x:mean(-1, true):table(), { { 2 }, { 5 } })
  lu.assert_error_msg_contains("axis", x.sum, x, 3)
  lu.assert_error_msg_contains("axis", x.sum, x, 0)
end

function TestOps:test_argmax_counts_from_zero()
  lu.assert_equals(sw.tensor({ { 1, 5, 5 }, { 9, 2, 3 } }):argmax():table(), { 1, 0 })
end

function TestOps:test_shapes_of_nodes_and_tensors_agree()
  local graph = core.graph()
  local node, t = graph:input(1, "real", { B, 2, 3 }), core.zeros { 4, 2, 3 }
  lu.assert_equals(node:flatten():shape(), { B, 6 })
  lu.assert_equals(t:flatten():shape(), { 4, 6 })
  lu.assert_equals(node:transpose(1, -1):shape(), { 3, 2, B })
  lu.assert_equals(t:transpose(1, -1):shape(), { 3, 2, 4 })
  lu.assert_equals(t:select(1, 1):t():shape(), { 3, 2 })
end

function TestOps:test_a_batch_is_not_multiplied_by_itself()
  local graph = core.graph()
  local x, y = graph:input(1, "real", { B, 1 }), graph:input(2, "real", { B })
  lu.assert_error_msg_contains("sub", function() return x - y end)
end

function TestOps:test_comparison_operators_raise_and_name_the_method()
  local x = sw.tensor { 1 }
  lu.assert_error_msg_contains(":lt", function() return x < x end)
end

function TestOps:test_operands_of_two_graphs_do_not_mix()
  local a = core.graph():input(1, "real", { B })
  local b = core.graph():input(1, "real", { B })
  lu.assert_error_msg_contains("graph", function() return a + b end)
end

function TestOps:test_what_is_no_operand_is_refused_by_name()
  lu.assert_error_msg_contains("relu", ops.relu, "text")
  lu.assert_error_msg_contains("relu", ops.relu, nil)
  lu.assert_error_msg_contains("exp", ops.exp, core.tensor({ 1, 2 }, "int32"))
end
