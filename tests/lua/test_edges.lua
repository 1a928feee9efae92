--- Edge cases of tensors: NaN, no elements, overlapping views, numbers that do not fit. Conventions
--- are those of PyTorch and NumPy.
local lu = require "luaunit"
local sw = require "swale"

TestEdges = {}

local NAN, INF = 0 / 0, 1 / 0
local T = sw.tensor

local function text(t) return table.concat(t:reshape({ -1 }):table(), " ") end

local function same(t, values) -- NaN equals NaN
  for i, got in ipairs(t:reshape({ -1 }):table()) do
    local both = got ~= got and values[i] ~= values[i]
    lu.assert_true(both or got == values[i], ("[%d]: %g, not %g"):format(i, got, values[i]))
  end
  lu.assert_equals(t:numel(), #values)
end

function TestEdges:test_nan_is_the_largest_and_the_smallest()
  for _, at in ipairs { 1, 2, 500, 1000 } do
    local values = {}
    for i = 1, 1000 do values[i] = i == at and NAN or i % 37 end
    local x = T(values)
    same(x:max(), { NAN })
    same(x:min(), { NAN })
    lu.assert_equals(x:argmax():item(), at - 1)
  end
  same(sw.ops.maximum(T { NAN, 1, NAN }, T { 1, NAN, NAN }), { NAN, NAN, NAN })
  same(sw.ops.minimum(T { NAN, 1, 2 }, T { 1, NAN, 3 }), { NAN, NAN, 2 })
  same(T({ { NAN }, { 1 } }):reshape({ 1, 2, 1, 1 }):max_pool2d { 2, 1 }, { NAN })
end

function TestEdges:test_nan_goes_through_elementwise_ops()
  same(T({ NAN, -1, 2 }):relu(), { NAN, 0, 2 })
  same(T({ NAN, -INF, INF, 5 }):clamp(0, 1), { NAN, 0, 1, 1 })
  same(T({ NAN, -3, 0, INF }):sign(), { NAN, -1, 0, 1 })
  same(T { 0, 1, -1 } / T { 0, 0, 0 }, { NAN, INF, -INF })
  same(T({ { 0, 1 } }):matmul(T { { NAN }, { 1 } }), { NAN })
  same(sw.ops.where(T { 1, 0 }, T { 1, NAN }, T { NAN, 3 }), { 1, 3 })
  same(T({ 0, INF, -1, NAN }):pow(0), { 1, 1, 1, 1 })
end

function TestEdges:test_extreme_logits()
  same(T({ { -1e9, -1e9 }, { -INF, 0 } }):softmax(), { 0.5, 0.5, 0, 1 })
  same(T({ { -INF, 0 } }):log_softmax(), { -INF, 0 })
  same(sw.ops.cross_entropy(T { { 1e5, -1e5 }, { -1e9, 0 } }, T({ 1, 1 }, "int32")), { 200000, 0 })
  same(T({ { 3, 3, 3 } }):layer_norm(), { 0, 0, 0 })
end

function TestEdges:test_nothing()
  lu.assert_equals(sw.zeros({ 0 }):sum():item(), 0)
  same(sw.zeros({ 0, 3 }):sum(1), { 0, 0, 0 })
  lu.assert_error_msg_contains("is empty", sw.ops.mean, sw.zeros { 0 })
  lu.assert_error_msg_contains("is empty", sw.ops.max, sw.zeros { 0 })
  same(T({ 3 }):var(), { NAN })
  same(sw.zeros({ 2, 0 }):matmul(sw.zeros { 0, 2 }), { 0, 0, 0, 0 })
  lu.assert_equals(sw.zeros({ 0 }):norm(), 0)
  lu.assert_equals((sw.zeros { 0, 3 } + sw.zeros { 1, 3 }):shape(), { 0, 3 })
  lu.assert_equals(sw.zeros({ 0, 3 }):reshape({ -1, 3 }):shape(), { 0, 3 })
  lu.assert_error_msg_contains("does not fit", sw.zeros({ 0, 3 }).reshape, sw.zeros { 0, 3 },
    { -1, 0 })
end

--- A view and its source overlap: all is read before anything is written.
function TestEdges:test_operands_that_overlap()
  local function of(f)
    local w = T { 1, 2, 3, 4 }
    f(w)
    return text(w)
  end
  lu.assert_equals(of(function(w) w:narrow(1, 2, 3):add(1, w:narrow(1, 1, 3)) end),
    "1.0 3.0 5.0 7.0")
  lu.assert_equals(of(function(w) w:narrow(1, 1, 3):add(1, w:narrow(1, 2, 3)) end),
    "3.0 5.0 7.0 4.0")
  lu.assert_equals(of(function(w) w:narrow(1, 2, 3):copy(w:narrow(1, 1, 3)) end), "1.0 1.0 2.0 3.0")
  lu.assert_equals(of(function(w) w:narrow(1, 1, 3):copy(w:narrow(1, 2, 3)) end), "2.0 3.0 4.0 4.0")
  lu.assert_equals(of(function(w) w:narrow(1, 2, 3):lerp(0.5, w:narrow(1, 1, 3)) end),
    "1.0 1.5 2.5 3.5")
  lu.assert_equals(of(function(w) w:add(2, w) end), "3.0 6.0 9.0 12.0")
  local square = T { { 1, 2 }, { 3, 4 } }
  lu.assert_equals(text(square:clone():add(1, square:transpose(1, 2))), "2.0 5.0 5.0 8.0")
  lu.assert_equals(text(square:add(1, square:transpose(1, 2))), "2.0 5.0 5.0 8.0")
  lu.assert_equals(text(square:copy(square:transpose(1, 2))), "2.0 5.0 5.0 8.0")
end

function TestEdges:test_numbers_that_do_not_fit_are_refused()
  local x = T { NAN, 1 }
  lu.assert_error_msg_contains("does not fit int32", x.to, x, "int32")
  lu.assert_error_msg_contains("-1 does not fit uint8", T({ 0 }).to, T { -1 }, "uint8")
  lu.assert_error_msg_contains("does not fit int32", sw.tensor, { 2 ^ 40 }, "int32")
  lu.assert_error_msg_contains("300 does not fit uint8", x.fill, sw.zeros({ 2 }, "uint8"), 300)
  lu.assert_error_msg_contains("read only", x.scale, x:broadcast { 3, 2 }, 2)
end

--- One more than all digits of float32, and sums of many: added in parts, not one after another.
function TestEdges:test_long_sums()
  lu.assert_equals(sw.ones({ 2 ^ 24 + 2 }):sum():item(), 2 ^ 24 + 2)
end

--- What files hold comes back with its shape, whatever the order in memory was.
function TestEdges:test_files_of_views_scalars_and_nothing()
  require("temporary").with_folder(function(folder)
    local npy, st, csv = folder .. "/a.npy", folder .. "/a.safetensors", folder .. "/a.csv"
    local view = T({ { 1, 2 }, { 3, 4 } }):transpose(1, 2)
    sw.save(npy, view)
    lu.assert_equals(sw.load(npy):table(), { { 1, 3 }, { 2, 4 } })
    sw.save(npy, T(5))
    lu.assert_equals(sw.load(npy):shape(), {})
    sw.save(npy, sw.zeros { 0, 3 })
    lu.assert_equals(sw.load(npy):shape(), { 0, 3 })
    sw.save(st, { ["é"] = view, none = sw.zeros { 0 } })
    local loaded = sw.load(st)
    lu.assert_equals({ loaded["é"]:table(), loaded.none:shape() }, { { { 1, 3 }, { 2, 4 } },
      { 0 } })
    sw.save(csv, T { { 1, NAN }, { INF, 1 / 3 } })
    same(sw.load(csv), { 1, NAN, INF, T({ 1 / 3 }):item() })
    local mapped = sw.load(st, { mapped = true })["é"] -- saved again, it keeps what it maps
    sw.save(st, { ["é"] = mapped * 2 })
    lu.assert_equals(mapped:table(), { { 1, 3 }, { 2, 4 } })
    lu.assert_equals(sw.load(st)["é"]:table(), { { 2, 6 }, { 4, 8 } })
  end)
end
