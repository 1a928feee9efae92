local core = require "swale.core"
local lu = require "luaunit"
local ops = require "swale.ops"
local sw = require "swale"

-- Losses and composed ops against their formulas in plain numbers, their gradients against central
-- differences in double.

local function tensor(values) return core.tensor(values, "float64") end
local LOGITS = { { 0.5, -1.25, 2 }, { 3, 0.25, -0.5 } }
local LABELS = core.tensor({ 2, 1 }, "int32")

local function softmax(row)
  local sum, p = 0, {}
  for i, z in ipairs(row) do
    p[i] = math.exp(z)
    sum = sum + p[i]
  end
  for i in ipairs(p) do p[i] = p[i] / sum end
  return p
end

local function assert_near(given, expected, tolerance)
  lu.assert_equals(#given, #expected)
  for i = 1, #expected do lu.assert_almost_equals(given[i], expected[i], tolerance or 1e-12) end
end

--- The gradient of the mean of f(x), f built on nodes, against differences.
local function check_gradient(f, values)
  local graph, n = core.graph(), #values[1]
  local x = graph:input(1, "real", { "batch", n })
  local mean = ops.mean(f(x))
  local outputs = { mean, graph:gradient(mean, { x })[1] }
  local program = core.program(graph, outputs, { dtype = "float64" })
  local at = tensor(values)
  local _, gradient = program:run { inputs = { at } }
  for i = 1, #values do
    for j = 1, n do
      local side, h = {}, 1e-5
      for s, sign in ipairs { 1, -1 } do
        local moved = at:clone()
        moved:set(i, j, at:get(i, j) + sign * h)
        side[s] = program:run({ inputs = { moved } }):item()
      end
      local slope = (side[1] - side[2]) / (2 * h)
      lu.assert_almost_equals(gradient:get(i, j), slope, 1e-7 * (1 + math.abs(slope)))
    end
  end
end

TestLoss = {}

function TestLoss:test_cross_entropy()
  local expected = {}
  for i, row in ipairs(LOGITS) do expected[i] = -math.log(softmax(row)[LABELS:get(i) + 1]) end
  assert_near(sw.loss.cross_entropy(tensor(LOGITS), LABELS):table(), expected)
end

function TestLoss:test_label_smoothing()
  local expected, epsilon = {}, 0.1
  for i, row in ipairs(LOGITS) do
    local p, spread = softmax(row), 0
    for c = 1, 3 do spread = spread - math.log(p[c]) / 3 end
    expected[i] = (1 - epsilon) * -math.log(p[LABELS:get(i) + 1]) + epsilon * spread
  end
  assert_near(sw.loss.label_smoothing(epsilon)(tensor(LOGITS), LABELS):table(), expected)
  lu.assert_error_msg_contains("from 0 to 1, got 2", sw.loss.label_smoothing, 2)
end

function TestLoss:test_soft_cross_entropy_of_certain_targets_is_cross_entropy()
  local hot = tensor { { 0, 0, 1 }, { 0, 1, 0 } }
  assert_near(sw.loss.soft_cross_entropy(tensor(LOGITS), hot):table(),
    sw.loss.cross_entropy(tensor(LOGITS), LABELS):table())
  local q, expected = { { 0.2, 0.3, 0.5 }, { 1, 0, 0 } }, {}
  for i, row in ipairs(LOGITS) do
    expected[i] = 0
    for c, p in ipairs(softmax(row)) do expected[i] = expected[i] - q[i][c] * math.log(p) end
  end
  assert_near(sw.loss.soft_cross_entropy(tensor(LOGITS), tensor(q)):table(), expected)
  lu.assert_error_msg_contains("must have one shape", sw.loss.soft_cross_entropy, tensor(LOGITS),
    tensor { 1, 2 })
end

function TestLoss:test_logistic()
  local z, y, expected = { 0.5, -2, 60 }, { 1, 0, 0 }, {}
  for i = 1, 3 do
    local p = 1 / (1 + math.exp(-z[i]))
    expected[i] = i == 3 and 60 or -math.log(y[i] == 1 and p or 1 - p)
  end
  assert_near(sw.loss.logistic(tensor(z), tensor(y)):table(), expected)
  local column = tensor(z):reshape { 3, 1 }
  local labels = core.tensor(y, "int32")
  assert_near(sw.loss.logistic(column:to "float32", labels):table(), expected, 1e-5)
end

function TestLoss:test_hinge()
  -- 1 - 2 + 0.5 and 1 - 2 - 1.25 are below 0; 1 - 0.25 + 3 = 3.75 and 1 - 0.25 - 0.5 = 0.25
  assert_near(sw.loss.hinge(tensor(LOGITS), LABELS):table(), { 0, 4 / 3 })
end

function TestLoss:test_mse()
  assert_near(sw.loss.mse(tensor { { 1, 2 }, { 3, 5 } }, tensor { { 1, 0 }, { 0, 1 } }):table(),
    { 2, 12.5 })
end

function TestLoss:test_gradients()
  local hot = { 2, 1 }
  for name, f in pairs {
    label_smoothing = function(x, y) return sw.loss.label_smoothing(0.2)(x, y) end,
    hinge = sw.loss.hinge,
    cross_entropy = sw.loss.cross_entropy,
  } do
    local graph, at = core.graph(), tensor(LOGITS)
    local x, y = graph:input(1, "real", { "batch", 3 }), graph:input(2, "index", { "batch" })
    local mean = ops.mean(f(x, y))
    local program = core.program(graph, { mean, graph:gradient(mean, { x })[1] },
      { dtype = "float64" })
    local _, gradient = program:run { inputs = { at, core.tensor(hot, "int32") } }
    for j = 1, 3 do
      local moved, h = at:clone(), 1e-5
      moved:set(1, j, at:get(1, j) + h)
      local up = program:run({ inputs = { moved, core.tensor(hot, "int32") } }):item()
      moved:set(1, j, at:get(1, j) - h)
      local down = program:run({ inputs = { moved, core.tensor(hot, "int32") } }):item()
      lu.assert_almost_equals(gradient:get(1, j), (up - down) / (2 * h), 1e-8, name)
    end
  end
  check_gradient(function(x)
    return sw.loss.soft_cross_entropy(x, ops.softmax(x * 0.5))
  end, LOGITS)
end

TestComposed = {}

local POINTS = { { -3, -0.5, 0.25, 2 }, { 1.5, -1, 0.75, -0.125 } }
local function phi(x) -- by Simpson's rule, good to 1e-12 here
  local n, total = 2000, 0
  local h = x / n
  for k = 0, n do
    local weight = (k == 0 or k == n) and 1 or k % 2 == 1 and 4 or 2
    total = total + weight * math.exp(-(k * h) ^ 2 / 2)
  end
  return 0.5 + total * h / 3 / math.sqrt(2 * math.pi)
end

local FUNCTIONS = {
  silu = { ops.silu, function(x) return x / (1 + math.exp(-x)) end },
  gelu = { ops.gelu, function(x) return x * phi(x) end },
  leaky_relu = { function(x) return ops.leaky_relu(x, 0.1) end,
    function(x) return x > 0 and x or 0.1 * x end },
  clamp = { function(x) return ops.clamp(x, -0.75, 1) end,
    function(x) return math.min(math.max(x, -0.75), 1) end },
  pow_2 = { function(x) return ops.pow(x, 2) end, function(x) return x * x end },
  pow_inverse = { function(x) return ops.pow(x, -1) end, function(x) return 1 / x end },
  pow_3 = { function(x) return ops.pow(x, 3) end, function(x) return x ^ 3 end },
}

for name, pair in pairs(FUNCTIONS) do
  TestComposed["test_" .. name] = function()
    local given = pair[1](tensor(POINTS)):table()
    for i, row in ipairs(POINTS) do
      for j, x in ipairs(row) do lu.assert_almost_equals(given[i][j], pair[2](x), 1e-11) end
    end
    check_gradient(pair[1], POINTS)
  end
end

function TestComposed:test_min_and_var()
  local x = tensor { { 1, 5, 3 }, { 2, 2, 8 } }
  assert_near(ops.min(x, -1):table(), { 1, 2 })
  assert_near(ops.var(x, -1):table(), { 4, 12 })
  assert_near(ops.var(x, 1, { correction = 0 }):table(), { 0.25, 2.25, 6.25 })
  lu.assert_almost_equals(ops.var(x):item(), 6.7, 1e-12)
  check_gradient(function(y) return ops.var(y, -1) end, POINTS)
  local node = core.graph():input(1, "real", { "batch", 3 })
  lu.assert_error_msg_contains("correction must be 0", ops.var, node, 1)
  lu.assert_equals(ops.var(node, 1, { correction = 0 }):shape(), { 3 })
end

function TestComposed:test_parts()
  local x = tensor { { 1, 2, 3 }, { 4, 5, 6 } }
  lu.assert_equals(ops.slice(x, -1, 2, 2):table(), { { 2, 3 }, { 5, 6 } })
  lu.assert_equals(ops.pad(x, -1, 1, 0, 9):table(), { { 9, 1, 2, 3 }, { 9, 4, 5, 6 } })
  lu.assert_equals(ops.concat({ x, x, x }, 1):shape(), { 6, 3 })
  lu.assert_error_msg_contains("slice: elements 2 to 4 of axis 2, which has 3", ops.slice, x, 2, 2,
    3)
  local node = core.graph():input(1, "real", { "batch", 3 })
  lu.assert_error_msg_contains("not the batch", ops.slice, node, 1, 1, 1)
end

function TestComposed:test_layers()
  local net = sw.nn.Sequential { sw.nn.Linear(4, 4), sw.nn.GELU(), sw.nn.SiLU(), sw.nn.Softplus(),
    sw.nn.LeakyReLU { slope = 0.2 } }
  local model = net:build { seed = 1 }
  local x = core.tensor(POINTS)
  local first = sw.nn.Linear(4, 4):build { seed = 1 }
  first:weights():copy(model:weights())
  local h = ops.softplus(ops.silu(ops.gelu(first:forward(x))))
  local expected = ops.leaky_relu(h, 0.2):table()
  lu.assert_equals(model:forward(x):table(), expected)
end
