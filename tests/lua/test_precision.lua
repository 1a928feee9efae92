-- Values that are easy to get wrong by cancellation, by an intermediate result that overflows, or
-- by 0 times infinity. The right ones are by hand, or from the formulas in double.
local core = require "swale.core"
local flat = require "values_harness".flat
local lu = require "luaunit"
local ops = require "swale.ops"
local sw = require "swale"

local INF = math.huge
local UNIT = { float32 = 2 ^ -24, float64 = 2 ^ -53 } -- of one rounding

--- Equal to `roundings` roundings of what is wanted; infinities and NaN are themselves.
local function assert_close(got, want, roundings, dtype, what)
  lu.assert_equals(#got, #want, what)
  for i, w in ipairs(want) do
    local g = got[i]
    local close = g == w or w ~= w and g ~= g
      or math.abs(g - w) <= roundings * UNIT[dtype] * math.abs(w)
    lu.assert_true(close, ("%s, %s: element %d is %.17g, not %.17g"):format(what, dtype, i, g, w))
  end
end

--- f of tensors, of nodes in a program, and the gradient of the sum of f in each of the operands.
local function both_ways(f, operands, dtype)
  local graph, nodes, inputs = core.graph(), {}, {}
  for k, values in ipairs(operands) do
    inputs[k] = sw.tensor(values, dtype)
    nodes[k] = graph:input(k, "real", inputs[k]:shape())
  end
  local y = f(table.unpack(nodes))
  local outputs = { y, table.unpack(graph:gradient(ops.sum(y), nodes)) }
  local results = { core.program(graph, outputs, { dtype = dtype }):run { inputs = inputs } }
  for k, t in ipairs(results) do results[k] = flat(t) end
  return flat(f(table.unpack(inputs))), table.unpack(results)
end

--- o: operands, value, slopes (one list an operand), roundings of either (8).
local function check(what, f, o)
  for dtype in pairs(UNIT) do
    local eager, value, first, second = both_ways(f, o.operands, dtype)
    assert_close(eager, o.value, o.roundings or 8, dtype, what .. " of tensors")
    assert_close(value, o.value, o.roundings or 8, dtype, what)
    for k, slope in ipairs(o.slopes or {}) do
      assert_close(({ first, second })[k], slope, o.roundings or 8, dtype, what .. ", slope")
    end
  end
end

-- log(1 + x), in double: of Kahan's, exact to a few units for small x
local function log1p(x)
  local u = 1 + x
  return u == 1 and x or math.log(u) * x / (u - 1)
end
local function sigmoid(x) return 1 / (1 + math.exp(-x)) end

TestPrecision = {}

local A, P = log1p(math.exp(-1)), sigmoid(1) -- of the logits 0 and 1: log(1 + 1/e), p of the 1

function TestPrecision:test_log_softmax_of_masked_and_far_classes()
  for _, far in ipairs { -1e9, -INF } do
    for at = 1, 3 do
      local x, y = { 0, 1 }, { -1 - A, -A }
      table.insert(x, at, far)
      table.insert(y, at, far - 1 - A)
      check("log_softmax", ops.log_softmax, { operands = { { x } }, value = y })
    end
  end
  local B = log1p(math.exp(-2))
  check("log_softmax", ops.log_softmax, { operands = { { { 1e5, 1e5 - 2 } } },
    value = { -B, -2 - B } })
  local small = log1p(2 * math.exp(-10))
  check("log_softmax", ops.log_softmax, { operands = { { { 10, 0, 0 } } },
    value = { -small, -10 - small, -10 - small } })
  -- x - max rounded at 100: exp is off by 100 units
  check("log_softmax", ops.log_softmax, { operands = { { { 0, -40, -80 } } }, roundings = 100,
    value = { -math.exp(-40), -40, -80 } })
end

function TestPrecision:test_soft_cross_entropy_leaves_out_what_has_no_probability()
  for _, far in ipairs { -1e9, -INF } do
    for at = 1, 3 do
      local x, q, slope = { 0, 1 }, { 1, 0 }, { -P, P }
      table.insert(x, at, far)
      table.insert(q, at, 0)
      table.insert(slope, at, 0)
      check("soft_cross_entropy", sw.loss.soft_cross_entropy, { operands = { { x }, { q } },
        value = { 1 + A }, slopes = { slope } })
    end
  end
  check("soft_cross_entropy", sw.loss.soft_cross_entropy, {
    operands = { { { 20, 0 } }, { { 1, 0 } } }, value = { log1p(math.exp(-20)) } })
  -- the entropy of what it gives itself: no class of -inf takes part, in no slope either
  local function entropy(x) return sw.loss.soft_cross_entropy(x, ops.softmax(x)) end
  local h = P * A + (1 - P) * (1 + A) -- and dh/dx = p (log p + h), with a minus
  check("entropy", entropy, { operands = { { { -INF, 0, 1 } } }, value = { h }, roundings = 16,
    slopes = { { 0, (1 - P) * (1 + A - h), P * (A - h) } } })
end


function TestPrecision:test_cross_entropy_of_a_class_that_is_nearly_certain()
  for _, margin in ipairs { 5, 10, 20, 40 } do
    local want = log1p(math.exp(-margin))
    for dtype, unit in pairs(UNIT) do
      local x = sw.tensor({ { margin, 0, -INF } }, dtype)
      local loss = sw.loss.cross_entropy(x, sw.tensor({ 0 }, "int32")):item()
      lu.assert_almost_equals(loss, want, (margin + 8) * unit * want)
    end
  end
end

function TestPrecision:test_logistic_loss_far_out_on_both_sides()
  local z, y = { 10, 15, 20, -20, -80, 80, 80, 0 }, { 1, 1, 1, 0, 1, 0, 1, 0.25 }
  local value, slope = {}, {}
  for i, x in ipairs(z) do
    local towards = y[i] == 1 and -1 or 1
    value[i] = x == 0 and math.log(2) or math.max(towards * x, 0) + log1p(math.exp(-math.abs(x)))
    slope[i] = x == 0 and 0.25 or towards * sigmoid(towards * x)
  end
  -- exp is rounded at arguments of up to 80, which are exact here
  check("logistic", sw.loss.logistic, { operands = { z, y }, value = value, slopes = { slope },
    roundings = 12 })
end

function TestPrecision:test_hinge_of_masked_classes_and_of_a_small_excess()
  local function hinge(x) return sw.loss.hinge(x, sw.tensor({ 1 }, "int32")) end
  for dtype in pairs(UNIT) do
    -- 1 - 2^-20 below the label's own, which counts for nothing: the excess is 2^-20
    local x = sw.tensor({ { -INF, 1, 2 ^ -20, -1e9 } }, dtype)
    lu.assert_equals(hinge(x):table(), { 2 ^ -20 / 4 })
  end
end

function TestPrecision:test_label_smoothing_of_a_class_that_is_far_away()
  local loss = sw.loss.label_smoothing(0.25)(sw.tensor { { -1e5, 0, 1 } },
    sw.tensor({ 2 }, "int32")):item()
  -- float32: the mean of 1e5 and little is rounded a few times
  local want = 0.75 * A + 0.25 * (1e5 + 1 + A + 1 + A + A) / 3
  lu.assert_almost_equals(loss, want, 4 * 2 ^ -24 * want)
  local masked = sw.tensor { { -INF, 0, 1 } }
  lu.assert_almost_equals(sw.loss.label_smoothing(0)(masked, sw.tensor({ 2 }, "int32")):item(), A,
    8 * 2 ^ -24 * A)
end

function TestPrecision:test_batch_norm_of_a_constant_channel_in_evaluation()
  local c = 123456.7
  local model = sw.nn.Sequential { sw.nn.Linear(2, 1), sw.nn.BatchNorm(1) }:build { seed = 1 }
  model:parameter("0.weight"):fill(0)
  model:parameter("0.bias"):fill(c)
  model:parameter("1.bias"):fill(0.25)
  model:buffer("1.running_mean"):fill(c)
  model:buffer("1.running_var"):fill(0)
  local x = sw.ones { 3, 2 }
  lu.assert_equals(flat(model:forward(x)), { 0.25, 0.25, 0.25 })
  lu.assert_equals(flat(model:predict(x)), { 0.25, 0.25, 0.25 }) -- folded
end

function TestPrecision:test_slopes_of_tanh_and_sigmoid_in_their_tails()
  local x, slope_s, slope_t = { -40, -20, -3, 0, 3, 20, 40 }, {}, {}
  for i, v in ipairs(x) do
    slope_s[i] = sigmoid(v) * sigmoid(-v)
    slope_t[i] = 4 * sigmoid(2 * v) * sigmoid(-2 * v)
  end
  local s, t = {}, {}
  for i, v in ipairs(x) do s[i], t[i] = sigmoid(v), 2 * sigmoid(2 * v) - 1 end
  t[3], t[5] = -t[5], t[5] -- 2 sigmoid - 1 cancels on the left
  check("sigmoid", ops.sigmoid, { operands = { x }, value = s, slopes = { slope_s },
    roundings = 10 })
  check("tanh", ops.tanh, { operands = { x }, value = t, slopes = { slope_t }, roundings = 10 })
end

-- Phi(-x) = phi(x) / (x + 1 / (x + 2 / (x + …))), x > 0
local function tail(x)
  local below = x
  for k = 60, 1, -1 do below = x + k / below end
  return math.exp(-x * x / 2) / math.sqrt(2 * math.pi) / below
end

function TestPrecision:test_gelu_of_the_largest_values()
  lu.assert_equals(ops.gelu(sw.tensor { 2.5e38 }):item(), sw.tensor({ 2.5e38 }):item())
end

function TestPrecision:test_gelu_on_the_left()
  local x, value, slope = { -12, -9, -5, -3 }, {}, {}
  for i, v in ipairs(x) do
    local phi = math.exp(-v * v / 2) / math.sqrt(2 * math.pi)
    value[i], slope[i] = v * tail(-v), tail(-v) + v * phi
  end
  -- erfc and exp(-u^2) of u = x / sqrt 2 after two roundings: 2 u^2 times as many, 288 at -12, and
  -- a difference of which one term is 144 times the other
  check("gelu", ops.gelu, { operands = { x }, value = value, slopes = { slope },
    roundings = 2 * 144 + 20 })
end

function TestPrecision:test_slopes_of_powers_at_their_edges()
  local a = { 0, 2, 0, 0, 0, 4, 0, INF, 0 }
  local b = { 0, 0, 1, 0.5, 2, 0.5, -1, -1, 3 }
  check("pow", ops.pow, { operands = { a, b }, value = { 1, 1, 0, 0, 0, 2, INF, 0, 0 },
    slopes = { { 0, 0, 1, INF, 0, 0.25, -INF, -0.0, 0 },
      { 0, math.log(2), 0, 0, 0, 2 * math.log(4), -INF, 0, 0 } } })
  for p, slope in pairs { [0] = { 0, 0 }, [1] = { 1, 1 }, [2] = { 0, 4 }, [3] = { 0, 12 },
    [0.5] = { INF, 0.5 ^ 1.5 } } do
    check("power " .. p, function(x) return ops.pow(x, p) end, { operands = { { 0, 2 } },
      value = { 0.0 ^ p, 2.0 ^ p }, slopes = { slope } })
  end
  -- of x^3 in x twice: 6 x; of x^y with y = 1 and 2: 0 and 2
  local graph = core.graph()
  local x, y = graph:input(1, "real", { 2 }), graph:input(2, "real", { 2 })
  local function second(z)
    local first = graph:gradient(ops.sum(z), { x })[1]
    return graph:gradient(ops.sum(first), { x })[1]
  end
  local cube, other = core.program(graph, { second(ops.pow(x, 3)), second(ops.pow(x, y)) })
    :run { inputs = { sw.tensor { 0, 2 }, sw.tensor { 1, 2 } } }
  lu.assert_equals(cube:table(), { 0, 12 })
  lu.assert_equals(other:table(), { 0, 2 })
end

function TestPrecision:test_what_loses_a_comparison_has_no_slope()
  local function root(x) return ops.sqrt(ops.maximum(x, 0)) end
  check("sqrt of max", root, { operands = { { -1, 4 } }, value = { 0, 2 },
    slopes = { { 0, 0.25 } } })
  local function below(x) return ops.sqrt(-ops.minimum(x, 0)) end
  check("sqrt of min", below, { operands = { { 1, -4 } }, value = { 0, 2 },
    slopes = { { 0, -0.25 } } })
end

function TestPrecision:test_means_and_sums_of_what_is_equal_or_huge()
  for n = 2, 300 do lu.assert_equals(sw.ones({ n }):mean():item(), 1) end
  local most = { float32 = 3e38, float64 = 1.5e308 }
  for dtype, m in pairs(most) do
    local x = sw.tensor({ { m, m, m, m }, { m, -m, m, -m } }, dtype)
    local row, all, column = flat(x:mean(2)), x:mean():item(), flat(x:mean(1))
    lu.assert_equals(row, { x:get(1, 1), 0 })
    lu.assert_equals(all, x:get(1, 1) / 2)
    lu.assert_equals(column, { x:get(1, 1), 0, x:get(1, 1), 0 })
  end
  for dtype, m in pairs(most) do -- five channels, one of which overflows in its sum
    local x = sw.ones({ 1, 2, 2, 5 }, dtype)
    for _, at in ipairs { { 1, 1 }, { 1, 2 }, { 2, 1 }, { 2, 2 } } do
      x:set(1, at[1], at[2], 3, m)
    end
    lu.assert_equals(flat(ops.avg_pool2d(x, 2)), { 1, 1, x:get(1, 1, 1, 3), 1, 1 })
  end
  -- 40 of each sign, so that every order of four or 32 partial sums has gone beyond all numbers
  local x = sw.full({ 80 }, 3e38)
  x:narrow(1, 41, 40):fill(-3e38)
  lu.assert_equals(x:sum():item(), 0)
  local wide = sw.tensor({ 1.5e308, 1.5e308, -1.5e308, -1.5e308, 1.5e308 }, "float64")
  lu.assert_equals(wide:sum():item(), 1.5e308)
  lu.assert_equals(wide:mean():item(), 1.5e308 / 5)
  lu.assert_equals(sw.full({ 2 }, 1.5e308, "float64"):sum():item(), INF)
  lu.assert_equals(sw.full({ 2 }, 3e38):sum():item(), INF)
  lu.assert_equals(sw.tensor({ INF, 1 }):mean():item(), INF)
  lu.assert_nan(sw.tensor({ INF, -INF }):mean():item())
end

function TestPrecision:test_variance_of_equal_values_and_with_large_corrections()
  for dtype in pairs(UNIT) do
    for _, n in ipairs { 3, 7, 49, 4097 } do
      local x = sw.full({ n, 2 }, 123456.7):to(dtype)
      lu.assert_equals(flat(x:var(1)), { 0, 0 })
      lu.assert_equals(x:t():contiguous():var(-1):table(), { 0, 0 })
    end
    local x = sw.tensor({ { 5, 6 }, { 5, 5 } }, dtype)
    lu.assert_equals(flat(x:var(2, { correction = 0 })), { 0.25, 0 })
    for _, correction in ipairs { 2, 3 } do
      local v = flat(x:var(2, { correction = correction }))
      lu.assert_equals(v[1], INF)
      lu.assert_nan(v[2])
    end
  end
  local x = sw.tensor { 5, 6 }
  lu.assert_error_msg_contains("axis", x.var, x, 0)
  lu.assert_error_msg_contains("axis", x.var, x, 2)
end

function TestPrecision:test_the_sign_of_what_a_program_flushes_is_0()
  local graph = core.graph()
  local x = graph:input(1, "real", { 4 })
  local given = { 1e-40, -1e-40, 0, 2 }
  for dtype, want in pairs { float32 = { 0, 0, 0, 1 }, float64 = { 1, -1, 0, 1 } } do
    local program = core.program(graph, { ops.sign(x) }, { dtype = dtype })
    lu.assert_equals(program:run({ inputs = { sw.tensor(given, dtype) } }):table(), want)
  end
end

-- 1.5 / sqrt(1.25) and 0.5 / sqrt(1.25), of 1 … 4 about 2.5
local FOUR = { -1.5 / 1.25 ^ 0.5, -0.5 / 1.25 ^ 0.5, 0.5 / 1.25 ^ 0.5, 1.5 / 1.25 ^ 0.5 }

function TestPrecision:test_layer_and_group_norm_of_equal_and_of_huge_values()
  for dtype in pairs(UNIT) do
    for _, case in ipairs { { 123456.7, 7 }, { 1e4 / 3, 4097 }, { 0.1, 49 }, { -3e30, 10 } } do
      local x = sw.full({ 1, case[2] }, case[1]):to(dtype)
      for _, y in ipairs { ops.layer_norm(x), ops.group_norm(x, 1) } do
        lu.assert_equals(ops.abs(y):max():item(), 0)
      end
    end
  end
  local function layer_norm(x) return ops.layer_norm(x) end
  local function group_norm(x) return ops.group_norm(ops.reshape(x, { 1, 4, 1 }), 1) end
  for _, f in ipairs { layer_norm, group_norm } do
    check("norm", f, { operands = { { { 1e30, 2e30, 3e30, 4e30 } } }, value = FOUR,
      roundings = 8 })
    -- neighbours in float32, a difference of 1 beside 2^23, are 1 apart still
    local m = 2 ^ 23
    local value = {}
    for i, y in ipairs(FOUR) do value[i] = y * (1.25 / (1.25 + 1e-5)) ^ 0.5 end
    check("norm", f, { operands = { { { m + 1, m + 2, m + 3, m + 4 } } }, value = value })
  end
  -- without eps a group's size does not matter, be its squares 0 or infinite
  for _, size in ipairs { 1e-30, 1e-20, 1, 1e20, 1e30, 5e37 } do
    local function norm(x) return ops.layer_norm(x, nil, nil, 0) end
    check("norm", norm, { operands = { { { size, 2 * size, 3 * size, 4 * size } } }, value = FOUR })
  end
  local y = ops.layer_norm(sw.tensor({ { 1e300, 2e300, 3e300, 4e300 } }, "float64"))
  assert_close(flat(y), FOUR, 8, "float64", "norm of 1e300")
end

function TestPrecision:test_batch_norm_of_equal_and_of_huge_values()
  for dtype in pairs(UNIT) do
    local one, zero = sw.ones({ 2 }):to(dtype), sw.zeros({ 2 }):to(dtype)
    for _, case in ipairs { { 123456.7, 7 }, { 1e4 / 3, 4097 }, { 0.1, 49 }, { -3e30, 10 } } do
      local x = sw.full({ case[2], 2 }, case[1]):to(dtype)
      lu.assert_equals(ops.abs((ops.batch_norm(x, one, zero))):max():item(), 0)
    end
    local x = sw.tensor({ { 1e30, 1 }, { 2e30, 2 }, { 3e30, 3 }, { 4e30, 4 } }, dtype)
    local y = ops.batch_norm(x, one, zero):t():contiguous():table()
    assert_close(y[1], FOUR, 8, dtype, "batch norm of 1e30")
    local beside = ops.batch_norm(sw.tensor({ { 1, 1 }, { 2, 2 }, { 3, 3 }, { 4, 4 } }, dtype), one,
      zero):t():contiguous():table()
    lu.assert_equals(y[2], beside[1]) -- and its neighbour keeps its bits
  end
end

function TestPrecision:test_group_norm_of_many_short_runs()
  -- one channel a group: 3000 runs of a single element
  local x = sw.randn { 2, 60, 50, 3 }
  local given, want = ops.group_norm(x, 3), ops.group_norm(x:to "float64", 3)
  -- values below 5 of a mean near 0: some 16 roundings of 5
  lu.assert_true(ops.abs(given:to "float64" - want):max():item() < 80 * 2 ^ -24)
  for c = 1, 3 do
    local one = want:select(1, 2):select(3, c)
    lu.assert_almost_equals(one:mean():item(), 0, 1e-14)
    lu.assert_almost_equals(one:var(nil, { correction = 0 }):item(), 1, 1e-4) -- eps takes 1e-5
  end
end
