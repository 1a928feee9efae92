-- Re-estimated statistics against a direct computation: all examples through the network at once,
-- layer by layer, in double.
local contexts = require "swale.nn.context"
local lu = require "luaunit"
local nn = require "swale.nn"
local ops = require "swale.ops"
local sw = require "swale"

TestReestimate = {}

local N, NEAR = 43, 3e-6 -- float32 of numbers about 1

local function data(shape)
  local rows = { N, table.unpack(shape) }
  local x = sw.randn(rows, sw.random(1, "x")) * 2 + 0.5
  return sw.data.from_tensors { train = { x = x, y = sw.zeros({ N }, "int32") }, classes = 2,
    images = #shape == 3 or nil }
end

local function dense(ghost)
  return nn.Sequential { nn.Linear(5, 6), nn.BatchNorm(6, { ghost = ghost }), nn.ReLU(),
    nn.Linear(6, 4), nn.BatchNorm(4, { ghost = ghost }), nn.Tanh(), nn.Linear(4, 2) }
end

local function conv()
  return nn.Sequential { nn.Conv2d(2, 4, 3, { padding = 1 }), nn.BatchNorm(4), nn.ReLU(),
    nn.Residual { nn.Sequential { nn.Conv2d(4, 4, 3, { padding = 1 }), nn.BatchNorm(4) } },
    nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 2 * 3, 2) }
end

-- The statistics of each norm, where those before it use theirs: by path.
local function direct(model, x)
  local found, norms = {}, {}
  local p = model:named()
  local context = contexts.new("eval", { of_buffers = function(layer, input, own)
    norms[#norms + 1] = true
    local rows = input:to("float64"):reshape { -1, layer.channels }
    local n = #rows
    local mean = ops.mean(rows, 1)
    local var = ops.mean(ops.square(rows - mean), 1) * (n / (n - 1))
    own.running_mean:copy(mean:to "float32")
    own.running_var:copy(var:to "float32")
    found[#norms] = { mean = mean:table(), var = var:table() }
    return contexts.eval
  end })
  model.layer:call(x, p, context)
  return found
end

local function statistics(model, buffers, path)
  for _, s in ipairs(model.buffer_segments) do
    if s.path == path then return buffers:narrow(1, s.offset, s.size):table() end
  end
end

local function assert_near(got, want)
  lu.assert_equals(#got, #want)
  for i, x in ipairs(want) do
    lu.assert_almost_equals(got[i], x, NEAR * math.max(1, math.abs(x)))
  end
end

local function assert_norm(model, buffers, prefix, want)
  assert_near(statistics(model, buffers, prefix .. ".running_mean"), want.mean)
  assert_near(statistics(model, buffers, prefix .. ".running_var"), want.var)
end

local CASES = {
  { net = dense, shape = { 5 }, norms = { "1", "4" } },
  { net = function() return dense(4) end, shape = { 5 }, norms = { "1", "4" } },
  { net = conv, shape = { 4, 6, 2 }, norms = { "1", "3.body.1" } },
}

-- Batch sizes that divide 43, that leave one example, that leave some; and one above it.
local SIZES = { 1000, 43, 42, 21, 16, 7, 2 }

local function prepared(case)
  local set, model = data(case.shape), case.net():build { seed = 2 }
  model:buffers():copy(sw.rand { model:buffers():numel() } + 0.5) -- none of it may matter
  return set, model, direct(model:clone(), set.train.x)
end

function TestReestimate:test_layerwise_is_exact_whatever_the_batches()
  for _, case in ipairs(CASES) do
    local set, model, want = prepared(case)
    for _, size in ipairs(SIZES) do
      local buffers = model:reestimate(set.train, { method = "layerwise", batch_size = size })
      for i, prefix in ipairs(case.norms) do assert_norm(model, buffers, prefix, want[i]) end
    end
  end
end

function TestReestimate:test_pooled_is_exact_for_the_first_norm()
  for _, case in ipairs(CASES) do
    local set, model, want = prepared(case)
    for _, size in ipairs(SIZES) do
      local buffers = model:reestimate(set.train, { batch_size = size })
      assert_norm(model, buffers, case.norms[1], want[1])
    end
  end
end

function TestReestimate:test_pooled_of_one_batch_is_exact_for_all()
  local set, model, want = prepared(CASES[3])
  local buffers = model:reestimate(set.train, { batch_size = N })
  -- the second norm sees the first normalised by biased variance, in evaluation by unbiased
  local got = statistics(model, buffers, "3.body.1.running_var")
  for i, x in ipairs(want[2].var) do lu.assert_almost_equals(got[i] / x, 1, 1e-2) end
end

-- The second norm of a pooled pass: batches of 16, 16, 11, each normalised by its own statistics.
function TestReestimate:test_pooled_pools_the_moments_of_batches()
  local set, model = prepared(CASES[1])
  local sum, square = 0, 0
  local function batch(first, n)
    local h = model.layer.list[1].layer:call(set.train.x:narrow(1, first, n), model:named()[1])
    h = model.layer.list[2].layer:call(h, model:named()[2], contexts.new "train")
    h = model.layer.list[4].layer:call(ops.relu(h), model:named()[4]):to "float64"
    sum, square = sum + ops.sum(h, 1), square + ops.sum(ops.square(h), 1)
  end
  batch(1, 16)
  batch(17, 16)
  batch(33, 11)
  local mean = sum / N
  local var = (square / N - ops.square(mean)) * (N / (N - 1))
  local buffers = model:reestimate(set.train, { batch_size = 16 })
  assert_norm(model, buffers, "4", { mean = mean:table(), var = var:table() })
end

-- 4096 and 4096 + 1/4 by turns: the batches' moments are exact, in float32 too, and the square of
-- the mean is 10^9 times the variance.
function TestReestimate:test_a_large_mean_takes_nothing_from_the_variance()
  local model = nn.Sequential { nn.BatchNorm(1) }:build { seed = 1 }
  local x = sw.full({ 64, 1 }, 4096)
  for i = 2, 64, 2 do x:set(i, 1, 4096.25) end
  local set = sw.data.from_tensors { standardise = false,
    train = { x = x, y = sw.zeros { 64, 1 } } }
  local buffers = model:reestimate(set.train, { batch_size = 16 })
  lu.assert_equals(buffers:get(1), 4096.125)
  lu.assert_almost_equals(buffers:get(2), 64 / 63 / 64, 2 ^ -24 / 63) -- a rounding to float32
end

function TestReestimate:test_the_model_changes_only_if_told()
  local set, model = prepared(CASES[1])
  local before = model:buffers():table()
  local weights = model:weights() * 2
  local found = model:reestimate(set.train, { weights = weights })
  lu.assert_equals(model:buffers():table(), before)
  model:weights():copy(weights)
  lu.assert_equals(model:reestimate(set.train, { commit = true }):table(), found:table())
  lu.assert_equals(model:buffers():table(), found:table())
  lu.assert_equals(model:buffer("1.num_batches_tracked"):item(), 1)
end

function TestReestimate:test_units_are_not_dropped_in_re_estimation()
  local set, plain = prepared(CASES[1])
  local net = dense()
  local dropping = nn.Sequential { net.list[1].layer, net.list[2].layer, nn.Dropout(0.5),
    nn.ReLU(), net.list[4].layer, net.list[5].layer, nn.Linear(4, 2) }:build { seed = 2 }
  dropping:weights():copy(plain:weights())
  lu.assert_equals(dropping:reestimate(set.train):table(), plain:reestimate(set.train):table())
end

function TestReestimate:test_of_a_text()
  local x = sw.tensor({ { 0, 1 }, { 2, 0 }, { 1, 1 }, { 2, 2 } }, "int32")
  local set = sw.data.from_tensors { train = { x = x, y = sw.zeros({ 4 }, "int32") }, classes = 2,
    vocabulary = 3 }
  local model = nn.Sequential { nn.Embedding(3, 2), nn.Flatten(), nn.BatchNorm(4) }
    :build { seed = 2 }
  local rows = model:parameter "0.weight":table()
  local function entry(i, k) return rows[x:table()[i][1 + (k - 1) // 2] + 1][1 + (k - 1) % 2] end
  local want = { mean = {}, var = {} }
  for k = 1, 4 do
    local sum, square = 0, 0
    for i = 1, 4 do sum, square = sum + entry(i, k) / 4, square + entry(i, k) ^ 2 end
    want.mean[k], want.var[k] = sum, (square - 4 * sum ^ 2) / 3
  end
  assert_norm(model, model:reestimate(set.train), "2", want)
end

function TestReestimate:test_refusals()
  local set, model = prepared(CASES[1])
  lu.assert_error_msg_contains('must be one of "pooled", "layerwise"', model.reestimate, model,
    set.train, { method = "running" })
  lu.assert_error_msg_contains("the data must be", model.reestimate, model, 3)
  lu.assert_error_msg_contains("2 weights, the model has", model.reestimate, model, set.train,
    { weights = sw.zeros { 2 } })
  local bare = nn.Linear(5, 2):build()
  lu.assert_error_msg_contains("keeps no running statistics", bare.reestimate, bare, set.train)
end
