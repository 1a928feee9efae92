local core = require "swale.core"
local h = require "op_harness"
local lu = require "luaunit"
local ops = require "swale.ops"
local sw = require "swale"
local values = require "values_harness"

local B = "batch"
local random, tensor, flat = values.random, values.tensor, values.flat

TestImageOps = {}

-- f on float64 tensors and, as a program, on nodes.
local function both(f, x)
  local graph = core.graph()
  local shape = x:shape()
  shape[1] = B
  local program = core.program(graph, { f(graph:input(1, "real", shape)) }, { dtype = "float64" })
  local from_graph = program:run { inputs = { x }, batch = x:shape()[1] }
  local eager = f(x)
  lu.assert_equals(eager:shape(), from_graph:shape())
  lu.assert_almost_equals(flat(eager), flat(from_graph), 1e-14)
  return eager
end

function TestImageOps:test_the_first_of_equal_ones_gets_the_derivative()
  local graph = core.graph()
  local x = graph:input(1, "real", { B, 2, 2, 1 })
  local slope = graph:gradient(ops.sum(x:max_pool2d(2)), { x })[1]
  local program = core.program(graph, { slope })
  local function of(...)
    return flat(program:run { inputs = { sw.tensor { ... }:reshape { 1, 2, 2, 1 } }, batch = 1 })
  end
  lu.assert_equals(of(3, 3, 3, 3), { 1, 0, 0, 0 })
  lu.assert_equals(of(1, 3, 2, 3), { 0, 1, 0, 0 })
  lu.assert_equals(of(-math.huge, -math.huge, -math.huge, -math.huge), { 1, 0, 0, 0 })
end

function TestImageOps:test_nan_is_the_largest()
  for at = 1, 4 do
    local x = tensor({ 1, 2, 2, 9 }, function(i) return (i - 1) // 9 == at - 1 and 0 / 0 or 5 end,
      "float32")
    local y, index = core.apply("max_pool2d", { kernel = 2 }, x)
    for c = 1, 9 do
      lu.assert_nan(flat(y)[c])
      lu.assert_equals(flat(index)[c], at - 1)
    end
  end
end

function TestImageOps:test_windows_lie_side_by_side_if_nothing_is_said()
  local x = tensor({ 1, 4, 4, 1 }, function(i) return i end)
  lu.assert_equals(flat(x:max_pool2d(2)), { 6, 8, 14, 16 })
  lu.assert_equals(flat(x:avg_pool2d(2)), { 3.5, 5.5, 11.5, 13.5 })
  lu.assert_equals(x:max_pool2d(3, { stride = 1 }):shape(), { 1, 2, 2, 1 })
  lu.assert_equals(x:max_pool2d(2, { padding = 1 }):shape(), { 1, 3, 3, 1 })
  lu.assert_error_msg_contains("strides", x.max_pool2d, x, 2, { strides = 1 })
end

function TestImageOps:test_global_average()
  local draw = random(3)
  local x = tensor({ 3, 4, 5, 6 }, draw, "float64")
  local y = both(ops.global_avg_pool2d, x)
  lu.assert_equals(y:shape(), { 3, 6 })
  local sum = 0
  for i = 0, 19 do sum = sum + x:reshape({ -1 }):get(i * 6 + 2) end
  lu.assert_almost_equals(y:get(1, 2), sum / 20, 1e-15)
end

function TestImageOps:test_upsample()
  local x = tensor({ 1, 2, 2, 2 }, function(i) return i end, "float64")
  local y = both(function(v) return ops.upsample2d(v, 2) end, x)
  lu.assert_equals(y:shape(), { 1, 4, 4, 2 })
  lu.assert_equals(flat(y), { 1, 2, 1, 2, 3, 4, 3, 4, 1, 2, 1, 2, 3, 4, 3, 4,
    5, 6, 5, 6, 7, 8, 7, 8, 5, 6, 5, 6, 7, 8, 7, 8 })
  lu.assert_error_msg_contains("images are (batch, height, width, channels), got (2, 2)",
    ops.upsample2d, core.zeros { 2, 2 }, 2)
end

function TestImageOps:test_borders()
  local x = tensor({ 1, 2, 3, 1 }, function(i) return i end, "float64")
  lu.assert_equals(flat(both(function(v) return v:zero_pad2d { 1, 0 } end, x)),
    { 0, 0, 0, 1, 2, 3, 4, 5, 6, 0, 0, 0 })
  lu.assert_equals(both(function(v) return v:zero_pad2d(2) end, x):shape(), { 1, 6, 7, 1 })
  lu.assert_equals(flat(both(function(v) return v:reflect_pad2d { 0, 2 } end, x)),
    { 3, 2, 1, 2, 3, 2, 1, 6, 5, 4, 5, 6, 5, 4 })
end

-- By plain loops: x of (B, P, C), normalised over the groups that key(b, p, c) names.
local function normalised(x, shape, eps, key)
  local groups = {}
  for i = 1, #x do
    local k = key(table.unpack(h.unravel(i, shape)))
    groups[k] = groups[k] or {}
    table.insert(groups[k], i)
  end
  local y = {}
  for _, at in pairs(groups) do
    local mean, var = 0, 0
    for _, i in ipairs(at) do mean = mean + x[i] / #at end
    for _, i in ipairs(at) do var = var + (x[i] - mean) ^ 2 / #at end
    for _, i in ipairs(at) do y[i] = (x[i] - mean) / math.sqrt(var + eps) end
  end
  return y
end

function TestImageOps:test_layer_norm()
  local shape, draw = { 3, 2, 5 }, random(4)
  local x = tensor(shape, draw, "float64")
  local gamma, beta = tensor({ 5 }, draw, "float64"), tensor({ 5 }, draw, "float64")
  local plain = normalised(flat(x), shape, 1e-5, function(b, p) return b * 10 + p end)
  lu.assert_almost_equals(flat(both(ops.layer_norm, x)), plain, 1e-13)
  local y = both(function(v) return v:layer_norm(gamma, beta, 0.1) end, x)
  local want = normalised(flat(x), shape, 0.1, function(b, p) return b * 10 + p end)
  for i = 1, #want do want[i] = want[i] * gamma:get((i - 1) % 5 + 1) + beta:get((i - 1) % 5 + 1) end
  lu.assert_almost_equals(flat(y), want, 1e-13)
end

function TestImageOps:test_group_norm()
  local shape, draw = { 3, 2, 2, 6 }, random(5)
  local x = tensor(shape, draw, "float64")
  local y = both(function(v) return v:group_norm(3) end, x)
  local want = normalised(flat(x), shape, 1e-5, function(b, _, _, c) return b * 10 + c // 2 end)
  lu.assert_almost_equals(flat(y), want, 1e-13)
  lu.assert_error_msg_contains("6 channels cannot be divided into 4", x.group_norm, x, 4)
end

-- Large enough to be cut into pieces.
function TestImageOps:test_threads_do_not_show()
  local x = tensor({ 6, 32, 32, 11 }, random(6))
  local first
  local before = core.threads()
  for threads = 1, 4 do
    core.set_threads(threads)
    local y, index = core.apply("max_pool2d", { kernel = 3, stride = 2, padding = 1 }, x)
    local got = { y, index, x:avg_pool2d(2), x:reflect_pad2d(3), x:global_avg_pool2d(),
      x:mean { 1, 2, 3 }, x:sum { 1, 4 },
      (core.apply("max_unpool2d", { kernel = 3, stride = 2, padding = 1, size = 32 }, y, index)),
      (core.apply("reflect_fold2d", { padding = 3 }, x)) }
    for k, t in ipairs(got) do got[k] = flat(t) end
    first = first or got
    lu.assert_equals(got, first)
  end
  core.set_threads(before)
end

local AXES = { { 1, 2 }, { 1, 3 }, { 1 }, { 2, 3 }, { 2 }, { 1, 2, 3 } }

-- Integers whose sums, at most 420,000 * 30, are exact in float32 in any order.
function TestImageOps:test_sums_over_many_hold_each_element()
  local draw = random(8)
  local x = tensor({ 2000, 3, 70 }, function() return math.floor(30 * draw()) end)
  for _, axes in ipairs(AXES) do
    lu.assert_equals(flat(x:sum(axes)), flat(x:to "float64":sum(axes)))
  end
end

-- The same number everywhere is the worst case: roundings of equal sums do not cancel. A float sums
-- at most 4096 / 4 elements (a block, by scalar kernels) or 2^13 / 8 rows one after another, a
-- tree of 8 and one of 4 before and behind; the rest is in double. With the rounding of the result
-- and of the mean: 1024 + 3 + 2 + 2 of half a unit each. One sum in float32 is off by 1e-3 here.
function TestImageOps:test_sums_over_many_stay_accurate()
  local tenth = sw.full({ 1 }, 0.1):to "float64":item()
  for _, shape in ipairs { { 2000, 3, 70 }, { 2, 100000, 2 }, { 1, 8192, 3 }, { 100000, 1, 3 } } do
    for _, axes in ipairs(AXES) do
      local means = (sw.full(shape, 0.1):mean(axes):to "float64" - tenth):abs():max():item()
      lu.assert_true(means <= 1031 * 2 ^ -24 * tenth, means)
    end
  end
end
