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

-- ------------------------------------------------------------------ labels that count by weights

local CLASSES, IGNORED, EPSILON = 3, -100, 0.2
local WEIGHTS = { 0.1, 2, 0.7 }

--- PyTorch's documentation of CrossEntropyLoss: the numerator and the denominator of the mean over
--- rows z with labels y, and the numerator's slopes in z.
local function by_formula(rows, labels, weight, epsilon)
  local numerator, denominator, slopes = 0, 0, {}
  for i, z in ipairs(rows) do
    local p, y = softmax(z), labels[i]
    slopes[i] = { 0, 0, 0 }
    if y ~= IGNORED then
      denominator = denominator + weight[y + 1]
      for c = 1, CLASSES do
        local q = weight[c] * ((c == y + 1 and 1 - epsilon or 0) + epsilon / CLASSES)
        numerator = numerator - q * math.log(p[c])
        for k = 1, CLASSES do
          slopes[i][k] = slopes[i][k] + q * (p[k] - (k == c and 1 or 0))
        end
      end
    end
  end
  return numerator, denominator, slopes
end

local ROWS = { { 0.5, -1.25, 2 }, { 3, 0.25, -0.5 }, { -1, 0.125, 0.75 }, { 2, 2, -4 } }
local COUNTED = { 2, IGNORED, 0, 1 }
local ONES = { 1, 1, 1 }

--- The loss of logits that are the weights themselves: x picks the row.
local function as_weights(loss, labels)
  local f = sw.compile(loss, sw.nn.Linear(#ROWS, CLASSES, { bias = false }))
  local x, w = core.zeros({ #ROWS, #ROWS }, "float64"), core.zeros({ CLASSES * #ROWS }, "float64")
  for i, row in ipairs(ROWS) do
    x:set(i, i, 1)
    for c, z in ipairs(row) do w:set((c - 1) * #ROWS + i, z) end
  end
  local value, gradient = f:value_and_gradient(w, { x = x, y = core.tensor(labels, "int32") })
  return value, gradient:reshape { CLASSES, #ROWS }
end

-- About 20 roundings of values below 10 on either side: 20 * 10 * 2^-53 is 2e-14; most cancel.
function TestLoss:test_class_weights_and_labels_that_do_not_count()
  for _, weight in ipairs { ONES, WEIGHTS } do
    for _, epsilon in ipairs { 0, EPSILON } do
      for _, divide_by in ipairs { "weights", "examples" } do
        local loss = sw.loss.cross_entropy { weight = weight, ignore_index = IGNORED,
          label_smoothing = epsilon, divide_by = divide_by }
        local n, d, slopes = by_formula(ROWS, COUNTED, weight, epsilon)
        if divide_by == "examples" then d = #ROWS end
        local value, gradient = as_weights(loss, COUNTED)
        lu.assert_almost_equals(value, n / d, 2e-14)
        for i in ipairs(ROWS) do
          for c = 1, CLASSES do
            lu.assert_almost_equals(gradient:get(c, i), slopes[i][c] / d, 2e-14)
          end
        end
        local values, weights = loss(tensor(ROWS), core.tensor(COUNTED, "int32"))
        local divisor = weights and weights:sum():item() or #ROWS
        lu.assert_almost_equals(values:sum():item() / divisor, n / d, 2e-14)
      end
    end
  end
end

function TestLoss:test_sequences_are_one_mean()
  local y = core.tensor({ { COUNTED[1], COUNTED[2] }, { COUNTED[3], COUNTED[4] } }, "int32")
  local loss = sw.loss.label_smoothing(EPSILON, { weight = WEIGHTS, ignore_index = IGNORED })
  local n, d = by_formula(ROWS, COUNTED, WEIGHTS, EPSILON)
  for _, shape in ipairs { { 2, 2, 3 }, { 4, 3 } } do
    local values, weights = loss(tensor(ROWS):reshape(shape), y)
    lu.assert_equals({ values:shape(), weights:shape() }, { { 2 }, { 2 } })
    lu.assert_almost_equals(values:sum():item() / weights:sum():item(), n / d, 2e-14)
    local plain = sw.loss.label_smoothing(EPSILON)(tensor(ROWS):reshape(shape),
      core.tensor({ { 2, 1 }, { 0, 1 } }, "int32"))
    local m = by_formula({ ROWS[1], ROWS[2] }, { 2, 1 }, ONES, EPSILON)
    lu.assert_almost_equals(plain:get(1), m / 2, 2e-14)
  end
end

function TestLoss:test_wrong_options_and_labels()
  local z, loss = tensor(ROWS), sw.loss.cross_entropy
  local function refuses(message, f, ...) lu.assert_error_msg_contains(message, f, ...) end
  local function labels(values) return core.tensor(values, "int32") end
  refuses("weight has 2 elements, the logits 3 classes", loss { weight = { 1, 2 } }, z,
    labels(COUNTED))
  refuses("weight[2] must be a number that is not negative, not -1", loss, { weight = { 1, -1 } })
  refuses("weight[1] must be a number that is not negative, not nan", loss,
    { weight = { 0 / 0, 1 } })
  refuses("one of them must be above 0", loss, { weight = { 0, 0 } })
  refuses("ignore_index must be a whole number, not 0.5", loss, { ignore_index = 0.5 })
  refuses('unknown option "weights"; did you mean "weight"?', loss, { weights = { 1 } })
  refuses("label_smoothing must be a number from 0 to 1", loss,
    { label_smoothing = 2, ignore_index = 0 })
  refuses("loss.cross_entropy: label 3 at [1] is outside 0 … 2", loss { ignore_index = IGNORED }, z,
    labels { 3, 0, 0, 0 })
  for _, bad in ipairs { -1, 5 } do
    local at = ("label %d at [2] is outside 0 … "):format(bad)
    local y = labels { 0, bad, 1, 0 }
    refuses("cross_entropy: " .. at .. "2", loss, z, y)
    refuses("cross_entropy: " .. at .. "2", sw.loss.label_smoothing(0.1), z, y)
    refuses("loss.hinge: " .. at .. "2", sw.loss.hinge, z, y)
    refuses("one_hot: " .. at .. "2", ops.one_hot, y, 3)
    refuses("loss.logistic: " .. at .. "1", sw.loss.logistic, tensor { 1, 2, 3, 4 }, y)
    local f = sw.compile(sw.loss.logistic, sw.nn.Linear(3, 1))
    refuses(at .. "1 (in loss.logistic)", f.value, f, f.model:weights(),
      { x = z:to "float32", y = y })
  end
  refuses("label -1 at [2][1] is outside 0 … 2", loss, z:reshape { 2, 2, 3 },
    labels { { 0, 1 }, { -1, 2 } })
  refuses("loss.hinge: takes logits (B, classes), not (3)", sw.loss.hinge, tensor { 1, 2, 3 },
    labels { 0, 1, 1 })
end

-- ------------------------------------------------------------------ in a trainer

--- 40 points of which the first coordinate's sign is the class, class 1 counts three times.
local function two_classes()
  local x, y = core.zeros { 40, 2 }, {}
  local r = core.random(7, "points")
  for i = 1, 40 do
    for k = 1, 2 do x:set(i, k, r:normal()) end
    y[i] = x:get(i, 1) > 0.5 and 1 or 0
  end
  local part = { x = x, y = core.tensor(y, "int32") }
  return sw.data.from_tensors { train = part, valid = part, classes = 2 }, part
end

function TestLoss:test_logistic_learns_two_classes()
  local data, part = two_classes()
  local function new(o)
    o.model, o.loss, o.data, o.lr = sw.nn.Linear(2, 1), o.loss or sw.loss.logistic, data, 1
    return sw.Trainer(o)
  end
  local t = new { measure = { noise_scale = sw.every { steps = 4 } }, micro_batch = 3,
    eval_batch = 11 }
  local m = t:fit({ epochs = 40 }):evaluate("last", { on = "train" })
  local z, hits = t.model:predict(part.x), 0
  for i = 1, 40 do hits = hits + ((z:get(i, 1) > 0) == (part.y:get(i) == 1) and 1 or 0) end
  lu.assert_equals(m.accuracy, hits / 40)
  lu.assert_true(hits > 36)
  lu.assert_error_msg_contains("the data 2 classes: loss = sw.loss.logistic tells them by its sign",
    new, { loss = sw.loss.cross_entropy })
  local own = new { loss = function(o, y) return sw.loss.logistic(o, y) end }
  own:weights():copy(t:weights())
  lu.assert_equals(own:evaluate("last", { on = "train" }).accuracy, hits / 40)
  local three = sw.data.from_tensors { train = { x = part.x, y = part.y }, classes = 3 }
  lu.assert_error_msg_contains("loss.logistic takes labels of two classes, the data has 3",
    sw.Trainer, { model = sw.nn.Linear(2, 1), loss = sw.loss.logistic, data = three, lr = 1 })
end

function TestLoss:test_weights_in_a_trainer()
  local data, part = two_classes()
  local loss = sw.loss.cross_entropy { weight = { 1, 3 } }
  local function new(o)
    o.model, o.loss, o.data, o.lr, o.seed = sw.nn.Linear(2, 2), o.loss or loss, data, 0.5, 1
    return sw.Trainer(o)
  end
  local t = new { eval_batch = 11 }
  t:fit { epochs = 3 }
  local n, d = loss(t.model:predict(part.x), part.y)
  local want = n:sum():item() / d:sum():item() -- sums of 40 in float32 beside those in double
  lu.assert_almost_equals(t:evaluate("last", { on = "train" }).loss, want, 80 * 2 ^ -24 * want)
  lu.assert_error_msg_contains('divide_by = "examples"', new, { micro_batch = 4 })
  lu.assert_error_msg_contains('divide_by = "examples"', new,
    { measure = { noise_scale = sw.every { steps = 2 } } })
  local each = sw.loss.cross_entropy { weight = { 1, 3 }, divide_by = "examples" }
  t = new { loss = each, micro_batch = 4, measure = { noise_scale = sw.every { steps = 2 } } }
  local whole = new { loss = each }
  local apart = t:fit({ steps = 9 }):weights() - whole:fit({ steps = 9 }):weights()
  lu.assert_true(apart:norm() < 1e-5) -- 9 steps of means over 32 in another order
end

function TestLoss:test_labels_that_do_not_count_in_a_trainer()
  local x = core.tensor({ { 0, 1, 2 }, { 2, 2, 1 } }, "int32")
  local y = core.tensor({ { 0, IGNORED, 1 }, { IGNORED, IGNORED, 2 } }, "int32")
  local function data(o)
    o.train, o.vocabulary, o.classes = { x = x, y = y }, 3, 3
    return sw.data.from_tensors(o)
  end
  local net = sw.nn.Sequential { sw.nn.Embedding(3, 4), sw.nn.Linear(4, 3) }
  local loss = sw.loss.cross_entropy { ignore_index = IGNORED }
  local t = sw.Trainer { model = net, loss = loss, data = data { ignore_index = IGNORED }, lr = 1,
    eval_batch = 1, seed = 3 }
  t:fit { steps = 30 }
  local z, hits = t.model:predict(x), 0
  local counted = { { 1, 1, 0 }, { 1, 3, 1 }, { 2, 3, 2 } }
  for _, at in ipairs(counted) do
    local best = 1
    for c = 2, 3 do if z:get(at[1], at[2], c) > z:get(at[1], at[2], best) then best = c end end
    hits = hits + (best - 1 == at[3] and 1 or 0)
  end
  local n, d = loss(z, y)
  local m = t:evaluate("last", { on = "train" })
  lu.assert_equals(m.accuracy, hits / 3)
  lu.assert_almost_equals(m.loss, n:sum():item() / d:sum():item(), 1e-6)
  lu.assert_error_msg_contains("train: label -100 of example 1 is outside 0 … 2", data, {})
  local noisy = data { ignore_index = IGNORED }
  lu.assert_error_msg_contains("label_noise: the data has labels that do not count, -100",
    noisy.label_noise, noisy, { rate = 0.5 })
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
  lu.assert_error_msg_contains("the target has shape", sw.loss.soft_cross_entropy, tensor(LOGITS),
    tensor { 1, 2 })
end

function TestLoss:test_labels_that_are_real_numbers()
  local logits, rows = sw.zeros { 2, 3 }, sw.full({ 2, 3 }, 1 / 3)
  for _, loss in ipairs { sw.loss.cross_entropy, sw.loss.label_smoothing(0.1),
    sw.loss.cross_entropy { ignore_index = 1 } } do
    lu.assert_error_msg_contains("labels must be whole numbers of int32 or uint8, got real numbers"
      .. " (2, 3); loss.soft_cross_entropy takes probabilities", loss, logits, rows)
  end
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
  lu.assert_error_msg_contains("loss.logistic: the target has shape (3, 2), expected (2, 3)",
    sw.loss.logistic, sw.ones { 2, 3 }, sw.zeros({ 3, 2 }, "int32"))
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
