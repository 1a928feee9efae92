--- Sums of a million equal terms, against n times the term in double. Equal terms are the worst
--- there are: each rounding goes the same way, and a sum that runs on in float32 is off by 1 %.
local lu = require "luaunit"
local core = require "swale.core"
local sw = require "swale"

TestLongSums = {}

local N = 1000000
local TENTH = sw.full({ 1 }, 0.1):get(1) -- as float32 has it

--- Of a sum of parts: as many roundings of 2^-24 as there are terms in a part and parts in the sum.
local function near(value, exact, roundings)
  lu.assert_almost_equals(value / exact, 1, roundings * 2 ^ -24)
end

--- Products sum at most 512 terms in one piece and 32 such pieces, then in double; OpenBLAS, which
--- scalar kernels use, blocks of 8192 as it likes.
local PRODUCT = core.variant() == "scalar" and 8192 or 512 + 32

function TestLongSums:test_products()
  local x, y = sw.ones { 2, N }, sw.full({ N, 3 }, 0.1)
  near(x:matmul(y):get(2, 3), N * TENTH, PRODUCT)
  near(sw.ops.matmul(x, sw.full({ 3, N }, 0.1), { transpose_b = true }):get(1, 1), N * TENTH,
    PRODUCT)
  near(sw.ops.bmm(sw.ones { 2, 1, N }, sw.full({ 2, N, 2 }, 0.1)):get(2, 1, 2), N * TENTH,
    PRODUCT)
end

--- Blocks of 4096 elements in vectors, then double: 128 terms, four vectors and their elements.
function TestLongSums:test_reductions()
  local x = sw.full({ N }, 0.1)
  near(x:sum():item(), N * TENTH, 160)
  near(x:mean():item(), TENTH, 162)
  near(sw.ops.sumsq(x):item(), N * TENTH ^ 2, 160)
  near(sw.ops.dot(x, x):item(), N * TENTH ^ 2, 160)
  near(x:norm(), math.sqrt(N) * TENTH, 160)
end

--- Rows are shared by threads; each is summed by one of them.
function TestLongSums:test_squares_of_rows_on_threads()
  local before = core.threads()
  for _, shape in ipairs { { 256, 517 }, { 3, 70001 }, { 40000, 3 } } do
    local rows = shape[1]
    local x = core.random(1, "test"):fill_normal(core.zeros(shape), 0, 1)
    core.set_threads(1)
    local want = sw.ops.sumsq(x, 2)
    core.set_threads(3)
    lu.assert_equals(sw.ops.sumsq(x, 2):table(), want:table())
    for _, row in ipairs { 1, rows // 2 + 1, rows } do
      lu.assert_equals(want:get(row), sw.ops.sumsq(x:narrow(1, row, 1)):item())
    end
  end
  core.set_threads(before)
end

--- Chunks of 128 rows, then double.
function TestLongSums:test_reductions_over_rows()
  near(sw.ops.sum(sw.full({ N, 2 }, 0.1), 1):get(2), N * TENTH, 130)
  near(sw.ops.sum(sw.full({ 2, N // 2, 2 }, 0.1), 2):get(2, 1), N // 2 * TENTH, 130)
  near(sw.ops.sum(sw.full({ 2, N // 4, 2 }, 0.1), { 1, 2 }):get(1), N // 2 * TENTH, 130)
  near(sw.ops.mean(sw.full({ N // 4, 2, 2 }, 0.1), { 1, 3 }):get(2), TENTH, 132)
end

--- 512 rows, then double.
function TestLongSums:test_rows_scattered_to_one_place()
  local index = core.zeros({ N }, "int32")
  local rows = sw.ops.scatter(sw.full({ N, 1 }, 0.1), index, 3)
  near(rows:get(1, 1), N * TENTH, 514)
  lu.assert_equals(rows:narrow(1, 2, 2):table(), { { 0 }, { 0 } })
  -- whole numbers to places in turn, in as many as are put aside, one more, and less
  local turn, numbers = {}, {}
  for i = 1, 512 * 3 + 1 + 100 do
    turn[i], numbers[i] = i <= 1024 and 0 or i <= 1537 and 1 or 2, { i }
  end
  local sums = sw.ops.scatter(sw.tensor(numbers), sw.tensor(turn, "int32"), 3)
  local function total(a, b) return (a + b) * (b - a + 1) / 2 end
  lu.assert_equals(sums:table(),
    { { total(1, 1024) }, { total(1025, 1537) }, { total(1538, 1637) } })
end

--- As the gradient of an embedding, for a batch that grows, of more rows than are counted at once.
function TestLongSums:test_gradients_of_embeddings()
  local rows, length = 9000, 40
  local model = sw.nn.Embedding(rows, 3)
  local f = sw.compile(function(output) return sw.ops.sum(output) end, model)
  for _, batch in ipairs { 1, 20, 60, 7 } do
    local x, want = {}, {}
    for i = 1, batch do
      x[i] = {}
      for j = 1, length do
        local row = j % 3 == 0 and 8999 or j % 3 == 1 and 5 or (i * j) % 7000
        x[i][j], want[row] = row, (want[row] or 0) + 1
      end
    end
    local b = { x = sw.tensor(x, "int32"), y = sw.zeros { batch, 1 } }
    local _, gradient = f:value_and_gradient(f.model:weights(), b)
    local g = gradient:reshape { rows, 3 }
    for row, n in pairs(want) do lu.assert_equals(g:get(row + 1, 2), n) end
    lu.assert_equals(g:get(7500, 1), 0)
  end
end

--- Rows of the window of 512 taps or one row of it, and as many roundings as there are such parts.
function TestLongSums:test_pools()
  near(sw.ops.avg_pool2d(sw.full({ 1, 1000, 1000, 1 }, 0.1), 1000):item(), TENTH, 2000 + 2)
end

--- Parts of 416 taps and channels at most, and a rounding for each part.
function TestLongSums:test_convolutions()
  local x, w = sw.full({ 1, 1000, 1000, 1 }, 0.1), sw.ones { 1, 1000, 1000, 1 }
  near(sw.ops.conv2d(x, w):item(), N * TENTH, 512 + N / 288)
  near(sw.ops.conv2d(sw.full({ 1, 1, 1, N }, 0.1), sw.ones { 1, 1, 1, N }):item(), N * TENTH,
    512 + N / 288)
end

--- The gradient of sum(conv(x)) in the one weight of a 1 x 1 kernel is the sum of x.
local function weight_gradient(images, side)
  local f = sw.compile(function(output) return sw.ops.sum(output) end,
    sw.nn.Conv2d(1, 1, 1, { bias = false }))
  local batch = { x = sw.full({ images, side, side, 1 }, 0.1), y = sw.zeros { images, 1 } }
  local _, gradient = f:value_and_gradient(f.model:weights(), batch)
  return gradient:get(1)
end

--- Parts of an image's pixels; 1024 images, or units of 256 pixels of small ones, and such blocks.
function TestLongSums:test_weights_of_convolutions()
  near(weight_gradient(1, 1000), N * TENTH, 512 + N / 160)
  near(weight_gradient(20000, 7), 20000 * 49 * TENTH, 49 + 1024 + 20)
  near(weight_gradient(N // 4, 2), N * TENTH, 512 + 1024 + N / 1024)
  near(weight_gradient(N, 1), N * TENTH, 512 + 1024 + N / 1024)
end
