--- Sorting, quantiles, running sums and ranges, against Lua's own arithmetic.
local lu = require "luaunit"
local sw = require "swale"

TestOrder = {}

local NAN, INF = 0 / 0, 1 / 0

local function same(t, values)
  local got = t:reshape({ -1 }):table()
  lu.assert_equals(#got, #values)
  for i = 1, #got do
    lu.assert_true(got[i] == values[i] or got[i] ~= got[i] and values[i] ~= values[i],
      ("[%d]: %g, not %g"):format(i, got[i], values[i]))
  end
end

--- Many equal values: the places tell whether their order is kept.
function TestOrder:test_sort_is_stable_in_every_type()
  for _, dtype in ipairs { "float32", "float64", "int32", "uint8" } do
    for _, n in ipairs { 1, 2, 3, 64, 1000 } do
      local random, list = sw.random(n), {}
      for i = 1, n do list[i] = { math.floor(random:integer(10)), i - 1 } end
      local values = {}
      for i = 1, n do values[i] = list[i][1] end
      local x = sw.tensor(values, dtype)
      for _, descending in ipairs { false, true } do
        table.sort(list, function(a, b)
          if a[1] ~= b[1] then return (a[1] < b[1]) ~= descending end
          return a[2] < b[2]
        end)
        local y, order = x:sort(1, { descending = descending })
        lu.assert_equals({ y:dtype(), order:dtype() }, { dtype, "int32" })
        for i = 1, n do
          lu.assert_equals({ y[i], order[i] }, { values[list[i][2] + 1], list[i][2] })
        end
      end
      same(x, values)
    end
  end
end

function TestOrder:test_sort_along_any_axis_of_any_view()
  local x = sw.randn({ 3, 4, 5 }, "float64", sw.random(1)):transpose(1, 3) -- (5, 4, 3)
  for axis = 1, 3 do
    local y, order = x:sort(axis)
    lu.assert_equals(y:shape(), { 5, 4, 3 })
    for i = 1, 5 do
      for j = 1, 4 do
        for k = 1, 3 do
          local at = { i, j, k }
          local from = { i, j, k }
          from[axis] = order:get(i, j, k) + 1
          lu.assert_equals(y:get(i, j, k), x:get(table.unpack(from)))
          if at[axis] > 1 then
            at[axis] = at[axis] - 1
            lu.assert_true(y:get(table.unpack(at)) <= y:get(i, j, k))
          end
        end
      end
    end
  end
  lu.assert_equals((x:sort()):table(), (x:sort(-1)):table())
end

function TestOrder:test_nan_is_the_largest()
  local y, order = sw.tensor({ 2, NAN, -INF, INF, NAN, 1 }):sort()
  same(y, { -INF, 1, 2, INF, NAN, NAN })
  same(order, { 2, 5, 0, 3, 1, 4 })
  same((sw.tensor({ 2, NAN, INF }):sort(1, { descending = true })), { NAN, INF, 2 })
  lu.assert_equals((sw.zeros { 2, 0 }:sort()):shape(), { 2, 0 })
end

function TestOrder:test_quantiles()
  local x = sw.tensor({ { 3, 1, 2, 5 }, { 10, 30, 20, 50 } }, "float64")
  same(x:quantile(0.5, 2), { 2.5, 25 })
  same(x:quantile({ 0, 0.5, 1 / 3, 1 }, 2), { 1, 10, 2.5, 25, 2, 20, 5, 50 })
  lu.assert_equals(x:quantile({ 0, 0.5, 1 }, -1):shape(), { 3, 2 })
  lu.assert_equals(x:quantile({ 0, 0.5, 1 }, 1):shape(), { 3, 4 })
  same(x:quantile({ 0, 0.5, 1 }, 1), { 3, 1, 2, 5, 6.5, 15.5, 11, 27.5, 10, 30, 20, 50 })
  lu.assert_equals(x:quantile(0.25):item(), 2.75)
  lu.assert_equals(x:quantile(1):shape(), {})
  same(sw.tensor({ { 1, NAN }, { 1, 2 } }):quantile(0, 2), { NAN, 1 })
  same(sw.tensor({ 1, INF, INF }):quantile { 0.5, 0.75, 0 }, { INF, INF, 1 })
  lu.assert_equals(sw.rand({ 2, 3, 4 }):quantile({ 0.1, 0.9 }, 2):shape(), { 2, 2, 4 })
  lu.assert_error_msg_contains("q must be from 0 to 1, got 1.5", x.quantile, x, 1.5)
  lu.assert_error_msg_contains("q must be a number from 0 to 1 or a list of them, got \"half\"",
    x.quantile, x, "half")
  lu.assert_error_msg_contains("axis 1 has no elements", x.quantile, sw.zeros { 0 }, 0.5)
  lu.assert_error_msg_contains("int32", x.quantile, sw.zeros({ 3 }, "int32"), 0.5)
end

--- A share q of uniform numbers lies below their quantile: within 4 deviations.
function TestOrder:test_quantiles_of_many_numbers()
  local n = 20000
  local x = sw.rand({ n }, "float64", sw.random(7))
  for _, q in ipairs { 0.025, 0.5, 0.9 } do
    lu.assert_true(math.abs(x:quantile(q):item() - q) < 4 * (q * (1 - q) / n) ^ 0.5)
  end
end

function TestOrder:test_running_sums()
  local x = sw.tensor({ { 1, 2, 3 }, { 10, 20, 30 } })
  same(x:cumsum(2), { 1, 3, 6, 10, 30, 60 })
  same(x:cumsum(1), { 1, 2, 3, 11, 22, 33 })
  same(x:t():cumsum(-1), { 1, 11, 2, 22, 3, 33 })
  local tenths = sw.full({ 100000 }, 0.1):cumsum(1) -- in float32 alone it is off by 0.1
  lu.assert_almost_equals(tenths[100000], 100000 * sw.tensor({ 0.1 })[1], 1e-3)
  lu.assert_error_msg_contains("ops.cumsum: axis must be", x.cumsum, x)
end

function TestOrder:test_ranges()
  same(sw.arange(3), { 0, 1, 2 })
  same(sw.arange(2, 5), { 2, 3, 4 })
  same(sw.arange(5, 2), {})
  same(sw.arange(3, 0, -1.5), { 3, 1.5 })
  local tenths = sw.arange(0, 1, 0.1, "float64")
  for i = 1, 10 do lu.assert_equals(tenths[i], (i - 1) * 0.1) end
  lu.assert_equals({ #tenths, sw.arange(3, "int32"):dtype() }, { 10, "int32" })
  same(sw.linspace(-1, 2, 7), { -1, -0.5, 0, 0.5, 1, 1.5, 2 })
  local thirds = sw.linspace(0.1, 0.7, 4, "float64")
  lu.assert_equals({ thirds[1], thirds[4], thirds:dtype() }, { 0.1, 0.7, "float64" })
  same(sw.linspace(3, 9, 1), { 3 })
  lu.assert_error_msg_contains("arange: step must not be 0", sw.arange, 1, 2, 0)
  lu.assert_error_msg_contains("arange: takes stop", sw.arange)
  lu.assert_error_msg_contains("arange: argument 1 must be a finite number", sw.arange, nil, 3)
  lu.assert_error_msg_contains("linspace: last must be a finite number", sw.linspace, 0, "1", 2)
  lu.assert_error_msg_contains("linspace: n must be a whole number above 0", sw.linspace, 0, 1, 0)
end
