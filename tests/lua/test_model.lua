local lu = require "luaunit"
local nn = require "swale.nn"
local sw = require "swale"

TestModel = {}

local function net() return nn.Sequential { nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2) } end

function TestModel:test_parameters_are_views_of_one_vector()
  local m = net():build { seed = 1 }
  lu.assert_equals(m:weights():shape(), { 3 * 4 + 4 + 4 * 2 + 2 })
  m:weights():fill(0)
  m:parameter("2.bias"):fill(5)
  lu.assert_equals(m:weights():narrow(1, 25, 2):table(), { 5, 5 })
  lu.assert_equals(m:weights():sum():item(), 10)
end

function TestModel:test_the_same_seed_gives_the_same_weights()
  local a, b, c = net():build { seed = 7 }, net():build { seed = 7 }, net():build { seed = 8 }
  lu.assert_equals(a:weights():table(), b:weights():table())
  lu.assert_not_equals(a:weights():table(), c:weights():table())
end

function TestModel:test_another_layer_leaves_the_others_weights_alone()
  local small = net():build { seed = 7 }
  local large = nn.Sequential { nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2), nn.Linear(2, 2) }
    :build { seed = 7 }
  for _, path in ipairs(small:state_paths()) do
    lu.assert_equals(large:parameter(path):table(), small:parameter(path):table())
  end
end

function TestModel:test_state_dict_goes_there_and_back()
  local a, b = net():build { seed = 1 }, net():build { seed = 2 }
  local state = a:state_dict()
  b:load_state_dict(state)
  lu.assert_equals(b:weights():table(), a:weights():table())
  a:weights():fill(0)
  lu.assert_not_equals(state["0.weight"]:norm(), 0)
end

function TestModel:test_load_state_dict_takes_all_or_nothing()
  local a = net():build { seed = 1 }
  local before, state = a:weights():table(), net():build({ seed = 2 }):state_dict()
  state["2.bias"] = nil
  lu.assert_error_msg_contains('"2.bias" is missing', a.load_state_dict, a, state)
  lu.assert_error_msg_contains("tensors must be a table, not 3", a.load_state_dict, a, 3)
  state["2.bias"] = sw.zeros { 3 }
  lu.assert_error_msg_contains("shape (3), the model needs (2)", a.load_state_dict, a, state)
  state["2.bias"], state["2.bais"] = sw.zeros { 2 }, sw.zeros { 2 }
  lu.assert_error_msg_contains('no parameter "2.bais"; did you mean "2.bias"?',
    a.load_state_dict, a, state)
  lu.assert_equals(a:weights():table(), before)
end

function TestModel:test_clone_has_weights_of_its_own()
  local a = net():build { seed = 1 }
  local b = a:clone()
  a:weights():fill(0)
  lu.assert_not_equals(b:weights():norm(), 0)
end

function TestModel:test_forward_takes_other_weights()
  local m = nn.Linear(2, 1, { bias = false }):build()
  lu.assert_equals(m:forward(sw.tensor { { 1, 2 } }, sw.tensor { 10, 100 }):item(), 210)
end

function TestModel:test_summary()
  lu.assert_equals(net():summary(), table.concat({
    "0.weight  (4, 3)                 12",
    "0.bias    (4)                     4",
    "2.weight  (2, 4)                  8",
    "2.bias    (2)                     2",
    "total                            26" }, "\n"))
end

function TestModel:test_refusals()
  lu.assert_error_msg_contains("has no parameters", function() nn.ReLU():build() end)
  lu.assert_error_msg_contains('unknown option "sed"; did you mean "seed"?',
    function() net():build { sed = 1 } end)
end

TestCompile = {}

local function digits_batch(n)
  local split = sw.data.load("digits").train
  return { x = split:gather { 1, 2, 3, n } , y = select(2, split:gather { 1, 2, 3, n }) }
end

function TestCompile:test_gradients_agree_with_differences_in_double()
  local model = nn.Sequential { nn.Linear(64, 10), nn.Tanh(), nn.Linear(10, 10) }:build { seed = 1 }
  local f = sw.compile(sw.loss.cross_entropy, model)
  lu.assert_error_msg_contains("f must be what sw.compile gives, an instance of one",
    sw.check_gradient, 3)
  lu.assert_error_msg_contains("w must be a tensor, not 3", f.value_and_gradient, f, 3, {})
  local worst, by_path = sw.check_gradient(f, digits_batch(4))
  lu.assert_true(worst < 1e-7) -- central differences of step 1e-5 in double
  lu.assert_not_nil(by_path["2.bias"])
end

function TestCompile:test_a_loop_of_ones_own_trains()
  local data = sw.data.load "digits"
  local model = nn.Linear(64, 10):build { seed = 1 }
  local f, w, first, last = sw.compile(sw.loss.cross_entropy, model), model:weights(), nil, nil
  for batch in data.train:batches { size = 64, epochs = 3 } do
    local value, g = f:value_and_gradient(w, batch)
    first, last = first or value, value
    w:add(-0.1, g)
  end
  lu.assert_true(last < 0.5 * first)
end

function TestCompile:test_a_loss_that_is_a_mean_already()
  local model = nn.Linear(2, 1, { init = 1, bias_init = "zeros" }):build()
  local mine = function(output, target) return ((output - target) * (output - target)):mean() end
  local batch = { x = sw.tensor { { 1, 1 }, { 2, 2 } }, y = sw.tensor { { 1 }, { 1 } } }
  lu.assert_almost_equals(sw.compile(mine, model):value(model:weights(), batch), 5, 1e-6)
end

function TestCompile:test_refusals()
  local model = nn.Linear(2, 2):build()
  local batch = { x = sw.zeros { 3, 2 }, y = sw.zeros({ 3 }, "int32") }
  local function value(loss) return sw.compile(loss, model):value(model:weights(), batch) end
  lu.assert_error_msg_contains("the loss function returned nil", value, function() end)
  lu.assert_error_msg_contains("for each example, (batch), or their mean, (), not (batch, 2)",
    value, function(output) return output end)
  local f = sw.compile(sw.loss.cross_entropy, model)
  lu.assert_error_msg_contains("a batch is { x = tensor, y = tensor }", f.value, f,
    model:weights(), { x = 1 })
  batch.y:fill(2)
  lu.assert_error_msg_contains("label 2", f.value, f, model:weights(), batch)
end
