--- One layer in several places: refused, unless it is copied or shared.
local lu = require "luaunit"
local sw = require "swale"
local nn = sw.nn

local function refuses(wanted, f, ...) lu.assert_error_msg_contains(wanted, f, ...) end

TestPlaces = {}

function TestPlaces:test_two_of_one_layer_are_refused_naming_both_remedies()
  local l = nn.Linear(2, 2)
  local wanted = 'nn.Linear(2 -> 2) is in two places, "0" and "2". Two layers with weights of their'
    .. " own: layer:copy(). One, whose weights are used twice, as PyTorch would: nn.shared(layer)"
  refuses(wanted, nn.Sequential, { l, nn.ReLU(), l })
  refuses('"0.0" and "1"', nn.Sequential, { nn.Sequential { l }, l })
  refuses('"body" and "shortcut"', nn.Residual, { l, l })
  local block = nn.Sequential { nn.ReLU(), l }
  refuses('"0" and "1"', nn.Sequential, { block, block })
  refuses('"0" and "1.1"', nn.Sequential, { l, block })
end

function TestPlaces:test_without_parameters_it_does_not_matter()
  local relu = nn.ReLU()
  local net = nn.Sequential { nn.Linear(2, 2), relu, nn.Linear(2, 2), relu }
  lu.assert_equals(net:build():weights():numel(), 12)
end

function TestPlaces:test_two_networks_may_have_it()
  local l = nn.Linear(2, 2)
  lu.assert_equals(nn.Sequential { l }:build():weights():table(),
    nn.Sequential { l }:build():weights():table())
  lu.assert_equals(l:build():weights():table(), l:build():weights():table())
end

function TestPlaces:test_copies_have_weights_of_their_own()
  local l = nn.Sequential { name = "a", nn.Linear(2, 2, { init = 3 }), nn.ReLU() }
  local copy = l:copy { name = "b" }
  local model = nn.Sequential { l, copy }:build()
  lu.assert_equals(model:state_paths(), { "a.0.weight", "a.0.bias", "b.0.weight", "b.0.bias" })
  lu.assert_equals(model:parameter("b.0.weight"):table(), { { 3, 3 }, { 3, 3 } })
  lu.assert_not_equals(model:parameter("b.0.bias"):table(), model:parameter("a.0.bias"):table())
  lu.assert_equals(tostring(l:copy()), tostring(l))
  refuses('unknown option "nam"; did you mean "name"?', l.copy, l, { nam = "b" })
end

function TestPlaces:test_a_copy_of_a_shared_layer_is_apart()
  local tied = nn.shared(nn.Linear(2, 2))
  local again = tied:copy()
  local paths = nn.Sequential { tied, again, tied, again }:build():state_paths()
  lu.assert_equals(paths, { "0.weight", "0.bias", "1.weight", "1.bias" })
end

TestShared = {}

local function tied_twice(o)
  local tied = nn.shared(nn.Linear(1, 1, o))
  return nn.Sequential { tied, tied }
end

--- Whatever way it is said, there is one segment, drawn as the first place alone would be.
function TestShared:test_has_one_segment_under_the_first_path()
  local l = nn.Linear(3, 3)
  local s = nn.shared(l)
  local alone = nn.Sequential { l }:build { seed = 4 }:weights():table()
  for _, net in ipairs { nn.Sequential { s, nn.Tanh(), s }, nn.Sequential { l, nn.Tanh(), s },
    nn.Sequential { nn.shared(l), nn.Tanh(), nn.shared(l) } } do
    local model = net:build { seed = 4 }
    lu.assert_equals(model:state_paths(), { "0.weight", "0.bias" })
    lu.assert_equals(model:weights():table(), alone)
    lu.assert_equals(model:clone():weights():table(), alone)
  end
  local deep = nn.Sequential { nn.Sequential { s, name = "a" }, nn.Residual { s } }
  lu.assert_equals(deep:build():state_paths(), { "a.0.weight", "a.0.bias" })
end

function TestShared:test_names()
  local s = nn.shared(nn.Linear(1, 1, { name = "l" }))
  lu.assert_equals(nn.Sequential { s, s }:build():state_paths(), { "l.weight", "l.bias" })
  local other = nn.shared(nn.Linear(1, 1), { name = "m" })
  lu.assert_equals(nn.Sequential { other, other }:build():state_paths(), { "m.weight", "m.bias" })
end

--- o = w (w x + b) + b, so do/dw = 2 w x + b, do/db = w + 1; second derivatives 2 x, 1, 0. With
--- w = 1/2, b = 1/4, x = 2 all is exact: o = 7/8, gradient (9/4, 3/2), H (1, 2) = (6, 1).
function TestShared:test_derivatives_are_those_of_tied_weights()
  local f = sw.compile(function(o) return o:mean() end, tied_twice())
  local batch = { x = sw.tensor({ { 2 } }, "float64"), y = sw.zeros({ 1, 1 }, "float64") }
  local w = sw.tensor({ 0.5, 0.25 }, "float64")
  local value, gradient = f:value_and_gradient(w, batch)
  lu.assert_equals(value, 0.875)
  lu.assert_equals(gradient:table(), { 2.25, 1.5 })
  lu.assert_equals(f:hvp(w, batch, sw.tensor({ 1, 2 }, "float64")):table(), { 6, 1 })
  lu.assert_equals(f:full_hessian(w, batch):table(), { { 4, 1 }, { 1, 0 } })
  lu.assert_equals(f.model:forward(batch.x, w):table(), { { 0.875 } })
end

--- A step of 1/8 from w = 1/2, b = 1/4 with x = 2: (1/2 - 9/32, 1/4 - 3/16), all in eighths.
function TestShared:test_trains()
  local data = sw.data.from_tensors { train = { x = sw.full({ 4, 1 }, 2), y = sw.zeros { 4, 1 } } }
  local trainer = sw.Trainer { model = tied_twice { init = 0.5, bias_init = 0.25 }, data = data,
    lr = 0.125, batch_size = 4, loss = function(o) return o:mean() end }
  trainer:fit { steps = 1 }
  lu.assert_equals(trainer:weights():table(), { 0.21875, 0.0625 })
  lu.assert_equals(trainer:plan { steps = 1 }.bytes.weights, 8)
end

function TestShared:test_gradients_of_a_shared_block()
  local block = nn.shared(nn.TransformerBlock(4, 2))
  local model = nn.Sequential { nn.Embedding(5, 4), block, block, nn.Linear(4, 5) }:build()
  local tokens = sw.tensor({ { 0, 1, 4 }, { 3, 2, 2 } }, "int32")
  local function loss(o, y) return sw.loss.cross_entropy(o:reshape { -1, 5 }, y:reshape { -1 }) end
  local function mean(o, y) return loss(o, y):mean() end
  local worst = sw.check_gradient(sw.compile(mean, model), { x = tokens, y = tokens })
  lu.assert_true(worst < 1e-6, worst)
end

function TestShared:test_norms_of_examples_are_refused_by_name()
  local f = sw.compile(sw.loss.mse, tied_twice())
  local batch = { x = sw.ones { 2, 1 }, y = sw.ones { 2, 1 } }
  refuses('"0.weight" is used again as "1.weight" (nn.shared)', f.example_norms, f,
    f.model:weights(), batch)
  refuses('measure: noise_scale needs per-example gradient norms, but there are none: "0.weight"',
    sw.Trainer, { model = tied_twice(), loss = sw.loss.mse, lr = 0.1,
      data = sw.data.from_tensors { train = batch },
      measure = { noise_scale = sw.every { steps = 1 } } })
end

function TestShared:test_running_statistics_are_refused_by_name()
  local block = nn.shared(nn.Sequential { nn.Linear(2, 2), nn.BatchNorm(2) })
  refuses('nn.shared: nn.BatchNorm(2 channels) at "1.1" keeps running statistics', nn.Sequential,
    { block, block })
  lu.assert_equals(#nn.Sequential { block }:build():state_paths(), 4)
  local plain = nn.shared(nn.Sequential { nn.Linear(2, 2), nn.LayerNorm(2) })
  lu.assert_equals(#nn.Sequential { plain, plain }:build():state_paths(), 4)
end

function TestShared:test_refusals()
  refuses("the first argument must be a layer, not nil", nn.shared)
  refuses("the first argument must be a layer, not a table", nn.shared, { nn.ReLU() })
end

-- ------------------------------------------------------------------ files

local function with_file(f)
  local name = os.tmpname()
  local ok, why = pcall(f, name .. ".safetensors")
  os.remove(name)
  os.remove(name .. ".safetensors")
  if not ok then error(why, 0) end
end

function TestShared:test_files_have_one_tensor_and_pytorchs_have_both()
  local model = tied_twice():build { seed = 3 }
  with_file(function(path)
    model:save(path)
    lu.assert_equals(sw.load(path)["1.weight"], nil)
    lu.assert_equals(tied_twice():build():load(path):weights():table(), model:weights():table())
    model:save(path, { layout = "pytorch" })
    local tensors = sw.load(path)
    lu.assert_equals(tensors["1.weight"]:table(), tensors["0.weight"]:table())
    lu.assert_equals(tied_twice():build():load(path, { layout = "pytorch" }):weights():table(),
      model:weights():table())
    tensors["1.bias"] = tensors["1.bias"] + 1
    sw.save(path, tensors)
    refuses('"0.bias" and "1.bias" differ, but are one parameter of the model (nn.shared)',
      model.load, model, path)
  end)
end

function TestShared:test_layouts_that_would_differ_are_refused()
  local l = nn.Linear(4, 4)
  local tied = nn.shared(l)
  local model = nn.Sequential { nn.Conv2d(1, 1, 1), nn.Flatten(), tied, tied }:build()
  with_file(function(path)
    model:save(path, { layout = "pytorch", input = { 2, 2, 1 } }) -- one channel: nothing moves
    local two = nn.Sequential { nn.Conv2d(1, 2, 1), nn.Flatten(), nn.shared(nn.Linear(8, 8)) }
    two = nn.Sequential { two, two.list[3].layer }:build()
    refuses('"0.2.weight" and "1.weight" are one parameter (nn.shared), but would lie differently',
      two.save, two, path, { layout = "pytorch", input = { 2, 2, 1 } })
  end)
end

function TestShared:test_check_counts_its_weights_once()
  local rows = require("swale.check.layers").rows(tied_twice(), { features = { 1 } })
  lu.assert_equals({ rows[1].path, rows[1].weights }, { "0", 2 })
  lu.assert_equals({ rows[2].path, rows[2].weights }, { "1", 0 })
end
