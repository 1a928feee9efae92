-- Normalising layers against sums in plain Lua: training, evaluation, running statistics, ghosts.
local contexts = require "swale.nn.context"
local lu = require "luaunit"
local nn = require "swale.nn"
local sw = require "swale"

local EPS = 1e-5
local NEAR = 2e-6 -- float32, of numbers about 1

-- Mean and biased variance of a column of rows first … last.
local function moments(rows, column, first, last)
  local n, mean, square = last - first + 1, 0, 0
  for i = first, last do mean = mean + rows[i][column] / n end
  for i = first, last do square = square + (rows[i][column] - mean) ^ 2 / n end
  return mean, square
end

local function assert_near(got, want, tolerance)
  lu.assert_equals(#got, #want)
  for i, x in ipairs(want) do
    if type(x) == "table" then assert_near(got[i], x, tolerance)
    else lu.assert_almost_equals(got[i], x, tolerance or NEAR) end
  end
end

local function keeping() -- a context of training, by which tensors are set at once
  return contexts.new("train", { on_set = function(buffer, value) buffer:copy(value) end })
end

-- What a norm gives in training, and an instance with its statistics afterwards.
local function step(norm, x, times)
  local p, y = norm:build():named(), nil
  for _ = 1, times or 1 do y = norm:call(x, p, keeping()) end
  return y, p
end

TestBatchNorm = {}

function TestBatchNorm:test_without_statistics_no_example_is_evaluated_alone()
  local data = sw.data.from_tensors { classes = 2,
    train = { x = sw.randn { 21, 5 }, y = sw.zeros({ 21 }, "int32") } }
  local t = sw.Trainer { model = nn.Sequential { nn.BatchNorm(5, { track = false }),
    nn.Linear(5, 2) }, data = data, lr = 0.1, batch_size = 4, eval_batch = 10 }
  lu.assert_true(t:evaluate("last").loss < math.huge) -- 9, 9 and 3 of them
end

local X = { { 1, 10 }, { 2, -4 }, { 4, 0 }, { -3, 6 }, { 0.5, 1 }, { 7, 2 }, { 2, 2 } }

local function normalised(rows, first, last, y)
  for c = 1, #rows[1] do
    local mean, var = moments(rows, c, first, last)
    for i = first, last do
      y[i] = y[i] or {}
      y[i][c] = (rows[i][c] - mean) / math.sqrt(var + EPS)
    end
  end
  return y
end

function TestBatchNorm:test_training_normalises_by_the_batch()
  local y = step(nn.BatchNorm(2), sw.tensor(X))
  assert_near(y:table(), normalised(X, 1, 7, {}))
end

function TestBatchNorm:test_weight_and_bias()
  local m = nn.BatchNorm(2):build()
  m:parameter("weight"):copy(sw.tensor { 2, -1 })
  m:parameter("bias"):copy(sw.tensor { 0.5, 3 })
  local y = m.layer:call(sw.tensor(X), m:named(), contexts.new "train"):table()
  for i, row in ipairs(normalised(X, 1, 7, {})) do
    assert_near(y[i], { 2 * row[1] + 0.5, 3 - row[2] })
  end
end

-- running = 0.9 running + 0.1 new, from 0 and 1; the variance unbiased.
function TestBatchNorm:test_running_statistics_are_pytorchs()
  local _, p = step(nn.BatchNorm(2), sw.tensor(X), 2)
  local decayed = 0.1 + 0.9 * 0.1
  for c = 1, 2 do
    local mean, var = moments(X, c, 1, 7)
    lu.assert_almost_equals(p.running_mean:get(c), decayed * mean, NEAR)
    lu.assert_almost_equals(p.running_var:get(c), 0.81 + decayed * var * 7 / 6, 1e-5)
  end
  lu.assert_equals(p.num_batches_tracked:item(), 2)
end

function TestBatchNorm:test_evaluation_uses_them()
  local m = nn.BatchNorm(2):build()
  m:buffer("running_mean"):copy(sw.tensor { 1, -2 })
  m:buffer("running_var"):copy(sw.tensor { 4, 0.25 })
  m:parameter("bias"):fill(3)
  local y = m:forward(sw.tensor { { 5, 0 } }):table()[1]
  assert_near(y, { 4 / math.sqrt(4 + EPS) + 3, 2 / math.sqrt(0.25 + EPS) + 3 })
end

function TestBatchNorm:test_without_momentum_all_steps_count_alike()
  local norm = nn.BatchNorm(1, { momentum = false })
  local m, batches = norm:build(), { { { 1 }, { 3 } }, { { 2 }, { 10 } }, { { 5 }, { 6 } } }
  local mean, var = 0, 0
  for _, rows in ipairs(batches) do
    norm:call(sw.tensor(rows), m:named(), keeping())
    local m1, v1 = moments(rows, 1, 1, 2)
    mean, var = mean + m1 / 3, var + 2 * v1 / 3
  end
  lu.assert_almost_equals(m:buffer("running_mean"):item(), mean, NEAR)
  lu.assert_almost_equals(m:buffer("running_var"):item(), var, 1e-5)
end

-- Ghosts of 3 in 7 examples: 3, and 4, as one alone goes with the ghost before it.
function TestBatchNorm:test_ghosts_are_normalised_apart()
  local norm = nn.GhostBatchNorm(3)(2)
  local y, p = step(norm, sw.tensor(X))
  assert_near(y:table(), normalised(X, 4, 7, normalised(X, 1, 3, {})))
  local m1, v1 = moments(X, 1, 1, 3)
  local m2, v2 = moments(X, 1, 4, 7)
  lu.assert_almost_equals(p.running_mean:get(1), 0.1 * (3 * m1 + 4 * m2) / 7, NEAR)
  -- the mean of the ghosts' variances, unbiased as one of 3 examples
  lu.assert_almost_equals(p.running_var:get(1),
    0.9 + 0.1 * (3 * v1 + 4 * v2) / 7 * 3 / 2, 1e-5)
end

function TestBatchNorm:test_a_batch_below_a_ghost_is_one()
  local y = step(nn.BatchNorm(2, { ghost = 8 }), sw.tensor(X))
  assert_near(y:table(), normalised(X, 1, 7, {}))
end

function TestBatchNorm:test_images_have_their_channels_behind()
  local x = sw.randn { 3, 4, 5, 2 }
  local y = step(nn.BatchNorm(2), x)
  local rows = x:reshape({ -1, 2 }):table()
  assert_near(y:reshape({ -1, 2 }):table(), normalised(rows, 1, 60, {}), 5e-6)
end

function TestBatchNorm:test_options()
  local bare = nn.BatchNorm(2, { affine = false, track = false })
  lu.assert_equals({ #bare:parameters(), #bare:buffers(), bare:has_modes() }, { 0, 0, false })
  lu.assert_true(nn.BatchNorm(2):has_modes())
  local x = sw.tensor(X)
  assert_near(bare:call(x, {}):table(), normalised(X, 1, 7, {})) -- in evaluation, too
  local norm = nn.GhostBatchNorm(4, { momentum = 0.2 })(3, { eps = 0.1 })
  lu.assert_equals({ norm.ghost, norm.momentum, norm.eps, norm.channels }, { 4, 0.2, 0.1, 3 })
end

function TestBatchNorm:test_refusals()
  lu.assert_error_msg_contains("momentum is a number from 0 to 1, or false", nn.BatchNorm, 2,
    { momentum = 1.5 })
  lu.assert_error_msg_contains("a ghost has at least 2 examples", nn.BatchNorm, 2, { ghost = 1 })
  local line = debug.getinfo(1, "l").currentline + 1
  local norm = nn.BatchNorm(5, { name = "bn1" })
  local ok, message = pcall(function()
    nn.Sequential { nn.Linear(3, 4), norm }:build():forward(sw.zeros { 2, 3 })
  end)
  lu.assert_false(ok)
  lu.assert_str_contains(message,
    "normalises 5 channels, the last axis, but the input is (2, 4)")
  lu.assert_error_msg_contains("nn.GhostBatchNorm(16)(4) or nn.BatchNorm(4, { ghost = 16 })",
    function()
      nn.Sequential { nn.Linear(3, 4), nn.GhostBatchNorm(16) }:build():forward(sw.zeros { 2, 3 })
    end)
  lu.assert_str_contains(message,
    ('test_nn_norm.lua:%d: in nn.BatchNorm "bn1" (declared 5 channels)'):format(line))
  local f = sw.compile(sw.loss.mse, nn.Sequential { nn.Linear(3, 5), norm })
  lu.assert_error_msg_contains('(in nn.BatchNorm "bn1")', f.value, f, f.model:weights(),
    { x = sw.zeros { 1, 3 }, y = sw.zeros { 1, 5 } })
  local m = nn.BatchNorm(2):build()
  lu.assert_error_msg_contains("1 value a channel has no variance", function()
    m.layer:call(sw.zeros { 1, 2 }, m:named(), contexts.new "train")
  end)
end

-- In a graph the number of values follows the batch's size, when it runs.
function TestBatchNorm:test_a_program_gives_the_same_statistics()
  local net = nn.Sequential { nn.BatchNorm(2), nn.BatchNorm(2, { ghost = 3 }), nn.Linear(2, 1) }
  local m = net:build { seed = 1 }
  local f = sw.compile(sw.loss.mse, m, { update_buffers = true })
  local eager = m:clone()
  for _, n in ipairs { 7, 4, 2 } do
    local x = sw.tensor(table.move(X, 1, n, 1, {}))
    f:value(m:weights(), { x = x, y = sw.zeros { n, 1 } })
    net:call(x, eager:named(), keeping())
    assert_near(m:buffers():table(), eager:buffers():table())
  end
end

function TestBatchNorm:test_gradients_in_both_modes()
  local net = nn.Sequential { nn.Linear(2, 4), nn.BatchNorm(4), nn.Tanh(),
    nn.BatchNorm(4, { ghost = 3 }), nn.Linear(4, 2) }
  local m = net:build { seed = 3 }
  m:buffer("1.running_mean"):copy(sw.randn { 4 })
  local batch = { x = sw.tensor(X), y = sw.tensor({ 0, 1, 1, 0, 1, 0, 0 }, "int32") }
  for _, mode in ipairs { "train", "eval" } do
    local worst, _, path = sw.check_gradient(m, batch, { mode = mode })
    lu.assert_true(worst < 1e-6, mode .. " " .. path)
  end
end

TestRowNorms = {}

function TestRowNorms:test_layer_norm()
  local m = nn.LayerNorm(4):build()
  m:parameter("weight"):fill(2)
  m:parameter("bias"):fill(1)
  local x = { 1, 2, 4, -3 }
  local mean, var = 1, (0 + 1 + 9 + 16) / 4
  local want = {}
  for i, value in ipairs(x) do want[i] = 2 * (value - mean) / math.sqrt(var + EPS) + 1 end
  assert_near(m:forward(sw.tensor { { x } }):table()[1][1], want)
end

function TestRowNorms:test_group_norm()
  local m = nn.GroupNorm(2, 4, { affine = false })
  local x = sw.randn { 2, 3, 4 }
  local y, rows = m:call(x, {}):table(), x:table()
  for i = 1, 2 do
    for group = 0, 1 do
      local values = {}
      for t = 1, 3 do
        for c = 1, 2 do values[#values + 1] = { rows[i][t][2 * group + c] } end
      end
      local mean, var = moments(values, 1, 1, 6)
      lu.assert_almost_equals(y[i][2][2 * group + 1],
        (rows[i][2][2 * group + 1] - mean) / math.sqrt(var + EPS), NEAR)
    end
  end
end

function TestRowNorms:test_gradients_and_refusals()
  local net = nn.Sequential { nn.Linear(4, 6), nn.LayerNorm(6), nn.GroupNorm(3, 6),
    nn.Linear(6, 2) }
  local batch = { x = sw.randn { 5, 4 }, y = sw.tensor({ 0, 1, 1, 0, 1 }, "int32") }
  lu.assert_true(sw.check_gradient(net:build { seed = 1 }, batch) < 1e-6)
  lu.assert_error_msg_contains("3 groups do not divide the 4 channels", nn.GroupNorm, 3, 4)
  lu.assert_error_msg_contains("normalises 4 channels, the last axis, but the input is (2, 3)",
    function() nn.LayerNorm(4):build():forward(sw.zeros { 2, 3 }) end)
end
