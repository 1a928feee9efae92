local core = require "swale.core"
local lu = require "luaunit"
local nn = require "swale.nn"
local sw = require "swale"

TestNN = {}

function TestNN:test_linear_is_x_w_transposed_plus_b()
  local m = nn.Linear(2, 3, { init = sw.tensor { { 1, 2 }, { 3, 4 }, { 5, 6 } },
    bias_init = sw.tensor { 10, 20, 30 } }):build { seed = 1 }
  lu.assert_equals(m:forward(sw.tensor { { 1, 1 }, { 0, 2 } }):table(),
    { { 13, 27, 41 }, { 14, 28, 42 } })
end

function TestNN:test_linear_without_bias()
  local m = nn.Linear(2, 1, { bias = false, init = 1 }):build()
  lu.assert_equals(m:state_paths(), { "weight" })
  lu.assert_equals(m:forward(sw.tensor { { 2, 3 } }):item(), 5)
end

function TestNN:test_activations()
  local x = sw.tensor { { -1, 0, 2 } }
  local function out(layer) return layer:call(x, {}):table()[1] end
  lu.assert_equals(out(nn.ReLU()), { 0, 0, 2 })
  lu.assert_almost_equals(out(nn.Tanh())[3], 0.964027580, 1e-6)    -- float32
  lu.assert_almost_equals(out(nn.Sigmoid())[1], 0.268941421, 1e-6) -- float32
  lu.assert_equals(nn.Flatten():call(sw.zeros { 2, 3, 4 }, {}):shape(), { 2, 12 })
end

function TestNN:test_paths_are_positions_from_zero_or_names()
  local net = nn.Sequential { nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2, { name = "head" }),
    nn.Sequential { nn.Tanh(), nn.Linear(2, 2) } }
  lu.assert_equals(net:build():state_paths(), { "0.weight", "0.bias", "head.weight", "head.bias",
    "3.1.weight", "3.1.bias" })
end

function TestNN:test_lambda_computes_on_tensors_and_nodes()
  local layer = nn.Lambda(function(x, p) return x * p.scale + p.shift end,
    { scale = sw.tensor { 2, 3 }, shift = { shape = { 2 }, init = "ones" } })
  local m = nn.Sequential({ layer }):build()
  lu.assert_equals(m:forward(sw.tensor { { 1, 1 } }):table(), { { 3, 4 } })
  local f = sw.compile(sw.loss.mse, m)
  local value = f:value(m:weights(), { x = sw.tensor { { 1, 1 } }, y = sw.tensor { { 0, 0 } } })
  lu.assert_almost_equals(value, 12.5, 1e-6)
end

function TestNN:test_a_function_stands_for_a_lambda()
  local net = nn.Sequential { nn.Linear(1, 1, { init = 1, bias = false }),
    function(x) return x * 3 end }
  lu.assert_equals(net:build():forward(sw.tensor { { 2 } }):item(), 6)
end

function TestNN:test_a_wrong_shape_names_the_layer_and_its_line()
  local line = debug.getinfo(1, "l").currentline + 1
  local fc = nn.Linear(748, 100, { name = "fc1" })
  local net = nn.Sequential { fc, nn.ReLU() }
  local ok, message = pcall(require("swale.compile").graph, net, sw.loss.cross_entropy,
    { features = { 784 }, labels = true, target = {} })
  lu.assert_false(ok)
  lu.assert_str_matches(message:match "^(.-)\n",
    ".*test_nn.lua:%d+: takes 748 inputs, the last axis, but the input is %(batch, 784%): "
      .. "nn.Linear%(784, 100%) takes that")
  lu.assert_str_contains(message, "an example of the data has 784 features")
  lu.assert_str_contains(message,
    ('test_nn.lua:%d: in nn.Linear "fc1" (declared 748 -> 100)'):format(line))
end

function TestNN:test_a_linear_layer_says_what_is_missing_before_it()
  local function refuses(message, layers, x)
    lu.assert_error_msg_contains(message, function() nn.Sequential(layers):build():forward(x) end)
  end
  refuses("nn.Flatten() before it makes rows", { nn.GELU(), nn.Linear(12, 3) },
    sw.zeros { 5, 2, 3, 2 })
  refuses("(5, 12): nn.Linear(12, 3) takes that", { nn.Flatten(), nn.Linear(2, 3) },
    sw.zeros { 5, 2, 3, 2 })
  local graph = require("swale.compile").graph
  local labels = { features = { 6 }, index = true, labels = true }
  lu.assert_error_msg_contains("nn.Embedding makes vectors of them", graph, nn.Linear(6, 3),
    sw.loss.cross_entropy, labels)
  local images = { features = { 4, 4, 2 }, labels = true }
  lu.assert_error_msg_contains("the outputs still have positions", graph, nn.Conv2d(2, 10, 3),
    sw.loss.cross_entropy, images)
end

function TestNN:test_an_error_in_a_lambda_keeps_its_own_line()
  local net = nn.Sequential { nn.Linear(1, 1), function() error("my own words") end }
  local ok, message = pcall(function() return net:build():forward(sw.zeros { 1, 1 }) end)
  lu.assert_false(ok)
  lu.assert_str_contains(message, "test_nn.lua:")
  lu.assert_str_contains(message, "my own words")
  lu.assert_str_contains(message, "in nn.Lambda")
end

function TestNN:test_an_error_that_is_no_text_passes_through()
  local value = {}
  local net = nn.Sequential { nn.Linear(1, 1), function() error(value) end }
  local _, raised = pcall(function() return net:build():forward(sw.zeros { 1, 1 }) end)
  lu.assert_is(raised, value)
end

function TestNN:test_refusals()
  lu.assert_error_msg_contains("inputs must be a whole number above 0", nn.Linear, 0, 3)
  lu.assert_error_msg_contains("outputs", nn.Linear, 3)
  lu.assert_error_msg_contains('unknown option "biass"; did you mean "bias"?', nn.Linear, 1, 1,
    { biass = true })
  lu.assert_error_msg_contains('no initialiser "kaiming"; did you mean "kaiming', nn.Linear, 1, 1,
    { init = "kaiming" })
  lu.assert_error_msg_contains("is part of paths", nn.Linear, 1, 1, { name = "a.b" })
  lu.assert_error_msg_contains("entry 2 must be a layer or a function", nn.Sequential,
    { nn.ReLU(), 3 })
  lu.assert_error_msg_contains("no layers", nn.Sequential, {})
  lu.assert_error_msg_contains("list of layers", nn.Sequential, nn.ReLU())
  lu.assert_error_msg_contains('the name "a"', nn.Sequential,
    { nn.ReLU { name = "a" }, nn.Tanh { name = "a" } })
  lu.assert_error_msg_contains("a tensor or { shape", nn.Lambda, print, { p = 3 })
end

TestInitializers = {}

local N = 40000

local function filled(init, shape)
  local t = core.zeros(shape)
  local out, size = shape[1], t:numel()
  nn.initializers.fill(init, t, core.random(3, "init/test"),
    { fan_in = size // out, fan_out = out })
  return t:reshape { -1 }:to "float64"
end

local function moments(t)
  local mean = t:sum():item() / t:numel()
  return mean, math.sqrt(t:dot(t) / t:numel() - mean * mean)
end

-- 40,000 draws: a deviation is known to about 0.4 %, its 5 sigma are 2 %
local function check_deviation(init, want)
  local mean, deviation = moments(filled(init, { 100, N // 100 }))
  lu.assert_almost_equals(deviation / want, 1, 0.02)
  lu.assert_almost_equals(mean / want, 0, 0.025)
end

function TestInitializers:test_deviations()
  check_deviation("kaiming_uniform", 1 / math.sqrt(400) / math.sqrt(3))
  check_deviation({ "kaiming_uniform", a = 0 }, math.sqrt(2 / 400))
  check_deviation("kaiming_normal", math.sqrt(2 / 400))
  check_deviation("xavier_uniform", math.sqrt(2 / 500))
  check_deviation({ "xavier_normal", gain = 2 }, 2 * math.sqrt(2 / 500))
  check_deviation({ "normal", std = 0.3 }, 0.3)
end

function TestInitializers:test_bounds_and_constants()
  local t = filled({ "uniform", low = 2, high = 3 }, { 10, 100 })
  lu.assert_true(-((-t):max():item()) >= 2 and t:max():item() <= 3)
  lu.assert_equals(filled("ones", { 1, 2 }):table(), { 1, 1 })
  lu.assert_equals(filled("zeros", { 1, 2 }):table(), { 0, 0 })
  lu.assert_equals(filled({ "constant", value = 7 }, { 1, 2 }):table(), { 7, 7 })
  lu.assert_equals(filled(5, { 1, 2 }):table(), { 5, 5 })
  lu.assert_equals(filled(function(x) x:fill(9) end, { 1, 2 }):table(), { 9, 9 })
end

function TestInitializers:test_pytorchs_linear()
  local m = nn.Linear(784, 100):build { seed = 1 }
  local bound = 1 / math.sqrt(784)
  for _, path in ipairs { "weight", "bias" } do
    local t = m:parameter(path)
    lu.assert_true(t:max():item() <= bound and t:max():item() > 0.9 * bound)
  end
end

function TestNN:test_a_constructor_is_no_layer()
  lu.assert_error_msg_contains("entry 2: nn.ReLU makes a layer when it is called: nn.ReLU()",
    nn.Sequential, { nn.Linear(2, 2), nn.ReLU })
end
