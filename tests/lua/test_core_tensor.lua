--- swale.core: tensors and random streams.
package.path = debug.getinfo(1, "S").source:match "^@(.-)[^/]*$" .. "?.lua;" .. package.path
if os.getenv "SWALE_BUILD" then
  package.cpath = os.getenv "SWALE_BUILD" .. "/lua/?.so;" .. package.cpath
end

local lu = require "luaunit"
local core = require "swale.core"
local harness = require "core_harness"
local raises = harness.raises

TestTensor = {}

function TestTensor:test_from_tables_and_back()
  for _, values in ipairs { { 1, 2 }, { { 1 }, { 2 } }, { { { 1, 2 }, { 3, 4 } } },
    { { { { { { 7 } } } } } } } do
    lu.assert_equals(core.tensor(values):table(), values)
  end
  lu.assert_equals(core.tensor(5):table(), 5)
  lu.assert_equals(core.tensor({ 1, 2 }, "int32"):table(), { 1, 2 })
  lu.assert_equals(math.type(core.tensor({ 1 }, "uint8"):get(1)), "integer")
  lu.assert_equals(math.type(core.tensor({ 1 }):item()), "float")
  lu.assert_equals(core.tensor({ 0.1 }, "float64"):item(), 0.1)
  lu.assert_equals(core.zeros({ 2, 0 }):table(), { {}, {} })
end

function TestTensor:test_bad_tables()
  raises("tensor: row 2 has 3 elements, row 1 has 2", core.tensor, { { 1, 2 }, { 1, 2, 3 } })
  raises("tensor: [1][2] has 1 elements", core.tensor, { { { 1, 2 }, { 1 } } })
  raises("tensor: expected a number at [2][1], got \"x\"", core.tensor, { { 1 }, { "x" } })
  raises("tensor: expected a table at [2], got 3", core.tensor, { { 1 }, 3 })
  raises("tensor: expected a number at [2], got a table", core.tensor, { 1, { 3 } })
  raises("is empty", core.tensor, {})
  raises("[1] is empty", core.tensor, { {} })
  raises("deeper than 6", core.tensor, { { { { { { { 1 } } } } } } })
  local loop = {}
  loop[1] = loop
  raises("deeper than 6", core.tensor, loop)
  raises("tensor: expected a number or a table, got nil", core.tensor)
  raises("got a tensor", core.tensor, core.zeros { 1 })
  raises("tensor: nan at [1] does not fit", core.tensor, { -(0 / 0) }, "int32")
  raises("tensor: a table of 2 values has them at [1] … [2], and nothing at [0]", core.tensor,
    { [0] = 9, 1, 2 })
  raises('nothing at [2]["x"]', core.tensor, { { 1, 2 }, { 1, 2, x = 3 } })
  raises("zeros: shape is a list, [1] … [1], and has something at [0]", core.zeros,
    { [0] = 3, 2 })
  raises("tensor: 300 at [2] does not fit uint8", core.tensor, { 1, 300 }, "uint8")
  raises("tensor: 1.5 at [1] does not fit int32", core.tensor, { 1.5 }, "int32")
  raises("tensor: nan at [1] does not fit int32", core.tensor,
    { 0 / 0 < 1 and 1 or math.abs(0 / 0) }, "int32")
  raises('dtype must be "float32", "float64", "int32" or "uint8", got "float"', core.tensor, 1,
    "float")
end

function TestTensor:test_shapes()
  raises("zeros: shape must be a table, got nil", core.zeros)
  raises("shape may have at most 6 elements, got 7", core.zeros, { 1, 1, 1, 1, 1, 1, 1 })
  raises("shape[2] must be an integer from 0, got 1.5", core.zeros, { 1, 1.5 })
  raises("at most 2^46", core.zeros, { 1 << 40, 1 << 40 })
  raises("not enough memory", core.zeros, { 1 << 45 })
  lu.assert_equals(core.zeros({ 2.0, 3 }):shape(), { 2, 3 })
  lu.assert_equals({ core.zeros({}):ndim(), core.zeros({}):numel() }, { 0, 1 })
  lu.assert_equals(#core.zeros { 4, 2 }, 4)
  raises("a scalar has no length", function() return #core.tensor(1) end)
end

function TestTensor:test_views()
  local t = core.tensor { { 1, 2, 3 }, { 4, 5, 6 } }
  lu.assert_equals(t:select(1, -1):table(), { 4, 5, 6 })
  lu.assert_equals(t:select(-1, 1):table(), { 1, 4 })
  lu.assert_equals(t:narrow(2, -2, 2):table(), { { 2, 3 }, { 5, 6 } })
  lu.assert_equals(t:transpose(1, -1):table(), { { 1, 4 }, { 2, 5 }, { 3, 6 } })
  lu.assert_equals(t:reshape({ -1, 2 }):table(), { { 1, 2 }, { 3, 4 }, { 5, 6 } })
  lu.assert_equals(t:narrow(1, 3, 0):shape(), { 0, 3 })
  lu.assert_false(t:transpose(1, 2):is_contiguous())
  lu.assert_true(t:transpose(1, 2):contiguous():is_contiguous())
  t:select(1, 1):fill(9)
  lu.assert_equals(t:get(1, -1), 9)
  local wide = core.tensor({ 1, 2 }):broadcast { 3, 2 }
  lu.assert_equals(wide:table(), { { 1, 2 }, { 1, 2 }, { 1, 2 } })
  raises("read", wide.fill, wide, 1)
end

function TestTensor:test_bad_views()
  local t = core.zeros { 2, 3 }
  raises("tensor:narrow: axis must be an integer from 1 to 2, got 3", t.narrow, t, 3, 1, 1)
  raises("axis must be an integer from 1 to 2, got 0", t.select, t, 0, 1)
  raises("tensor:select: index must be an integer from 1 to 3, got 4", t.select, t, 2, 4)
  raises("first must be an integer from 1 to 3, got nil", t.narrow, t, 2, nil, 1)
  raises("2 elements from 3 on go beyond axis 2, which has 3", t.narrow, t, 2, 3, 2)
  raises("length must be an integer from 0 to 3, got -1", t.narrow, t, 2, 1, -1)
  raises("got \"1\"", t.select, t, "1", 1)
  raises("a scalar has no axes", core.tensor(1).transpose, core.tensor(1), 1, 2)
  raises("reshape", t.reshape, t, { 4, 2 })
  raises("broadcast", t.broadcast, t, { 2, 4 })
  raises("dtype is missing", t.to, t)
end

function TestTensor:test_elements()
  local t = core.tensor { { 1, 2 }, { 3, 4 } }
  t:set(2, -1, 8)
  lu.assert_equals(t:get(-1, 2), 8)
  raises("tensor:get: expected 2 indices, got 1", t.get, t, 1)
  raises("tensor:set: expected 2 indices, got 1", t.set, t, 1, 5)
  raises("index must be an integer from 1 to 2, got 3", t.get, t, 1, 3)
  raises("the value must be a number, got nil", t.set, t, 1, 1, nil)
  raises("expected one element, the shape is (2, 2)", t.item, t)
  raises("does not fit", core.zeros({ 1 }, "uint8").set, core.zeros({ 1 }, "uint8"), 1, 256)
end

function TestTensor:test_in_place()
  local t = core.tensor { 1, 2 }
  lu.assert_is(t:fill(1), t)
  lu.assert_equals(t:add(2, core.tensor { 1, 2 }):table(), { 3, 5 })
  lu.assert_equals(t:lerp(0.5, core.tensor { 1, 1 }):scale(2):table(), { 4, 6 })
  lu.assert_equals(t:copy(core.tensor({ 7 }, "int32")):table(), { 7, 7 })
  lu.assert_equals(t:dot(core.tensor { 1, 2 }), 21)
  lu.assert_equals(core.tensor({ 3, 4 }):norm(), 5)
  local huge = core.tensor { 3e25, 4e25 } -- two roundings to float32, 2^-24 each at most
  lu.assert_almost_equals(huge:norm() / 5e25, 1, 2 * 2 ^ -24)
  raises("alpha must be a number, got a tensor", t.add, t, t, 1)
  raises("shape", t.add, t, 1, core.zeros { 3 })
end

function TestTensor:test_operators()
  local t = core.tensor { { 1, 2 }, { 3, 4 } }
  lu.assert_equals((t + 1):table(), { { 2, 3 }, { 4, 5 } })
  lu.assert_equals((8 / core.tensor { 1, 2, 4 }):table(), { 8, 4, 2 })
  lu.assert_equals((-t - t * core.tensor { 1, 0 }):table(), { { -2, -2 }, { -6, -4 } })
  lu.assert_equals((core.tensor({ 1 }, "float64") + 0.1):dtype(), "float64")
  lu.assert_equals((core.tensor({ 1 }, "float64") + 0.1):item(), 1.1)
  lu.assert_true(t == t and t ~= t:clone())
  raises("cast them", function() return core.tensor({ 1 }, "int32") + 1 end)
  raises("'+' works on tensors, nodes and numbers, got \"2\"", function() return t + "2" end)
  raises("got \"2\"", function() return "2" + t end)
  raises("got nil", function() return t * nil end)
  raises("a:lt(b)", function() return t < 1 end)
  raises("a:le(b)", function() return 1 >= t end)
  raises("tostring(x)", function() return "t = " .. t end)
end

TestRandom = {}

function TestRandom:test_streams()
  local a, b, c = core.random(1, "data"), core.random(1, "data"), core.random(1, "data", 1)
  local u = a:uniform()
  lu.assert_equals(b:uniform(), u)
  lu.assert_not_equals(c:uniform(), u)
  for _ = 1, 100 do
    local i = a:integer(3)
    lu.assert_true(math.type(i) == "integer" and i >= 1 and i <= 3)
  end
  local seen = a:permutation(50):table()
  table.sort(seen)
  lu.assert_equals({ seen[1], seen[50] }, { 0, 49 })
  local t = core.zeros { 10000 }
  lu.assert_is(a:fill_normal(t, 2, 3), t)
  local mean = t:dot(core.zeros({ 10000 }):fill(1e-4))
  lu.assert_almost_equals(mean, 2, 0.15) -- 5 standard errors
end

function TestRandom:test_misuse()
  local r = core.random(1, "x")
  raises("seed must be an integer, got \"1\"", core.random, "1", "x")
  raises("name must be a string, got nil", core.random, 1)
  raises("zero byte", core.random, 1, "a\0b")
  raises("n must be an integer from 1 to 4294967295, got 0", r.integer, r, 0)
  raises("float", r.fill_uniform, r, core.zeros({ 2 }, "int32"), 0, 1)
end

if arg[0]:find "test_core_tensor%.lua$" then os.exit(lu.LuaUnit.run()) end
