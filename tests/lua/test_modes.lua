-- Layers that differ in training and evaluation: buffers, dropout, and their use by a Trainer.
local core = require "swale.core"
local folders = require "swale.folders"
local harness = require "trainer_harness"
local lu = require "luaunit"
local nn = require "swale.nn"
local sw = require "swale"

local function net()
  return nn.Sequential { nn.Linear(64, 12), nn.BatchNorm(12), nn.ReLU(), nn.Dropout(0.2),
    nn.Linear(12, 10) }
end

local function new(changes)
  changes = changes or {}
  changes.model = changes.model or net()
  return harness.new(changes)
end

TestBuffers = {}

function TestBuffers:test_a_second_vector_with_views()
  local m = net():build { seed = 1 }
  lu.assert_equals(m:buffers():shape(), { 12 + 12 + 1 })
  lu.assert_equals(m:buffers():sum():item(), 12) -- variances begin as 1
  m:buffer("1.running_mean"):fill(2)
  lu.assert_equals(m:buffers():sum():item(), 36)
  lu.assert_equals(m:buffer("1.num_batches_tracked"):shape(), {})
  lu.assert_error_msg_contains('no buffer "1.running_men"; did you mean "1.running_mean"?',
    m.buffer, m, "1.running_men")
  lu.assert_nil(nn.Linear(1, 1):build():buffers())
end

function TestBuffers:test_clone_copies_them()
  local a = net():build { seed = 1 }
  local b = a:clone()
  a:buffers():fill(7)
  lu.assert_equals(b:buffers():sum():item(), 12)
end

function TestBuffers:test_state_dict_has_both()
  local a, b = net():build { seed = 1 }, net():build { seed = 2 }
  a:buffers():copy(sw.rand { 25 })
  local state = a:state_dict()
  lu.assert_equals(state["1.running_var"]:shape(), { 12 })
  lu.assert_equals(b:load_state_dict(state):buffers():table(), a:buffers():table())
  state["1.running_var"] = nil
  lu.assert_error_msg_contains('"1.running_var" is missing', b.load_state_dict, b, state)
end

function TestBuffers:test_summary_shows_them_apart()
  local text = net():summary()
  lu.assert_str_contains(text, "\nbuffers\n1.running_mean ")
  lu.assert_str_matches(text, ".*total%s+934\nbuffers.*")
end

function TestBuffers:test_files_hold_them()
  local folder = require("temporary").folder()
  local a, b = net():build { seed = 1 }, net():build { seed = 2 }
  a:buffers():copy(sw.rand { 25 })
  a:save(folder .. "/a.safetensors")
  b:load(folder .. "/a.safetensors")
  folders.remove(folder)
  lu.assert_equals(b:buffers():table(), a:buffers():table())
end

function TestBuffers:test_a_loss_that_is_not_finite_leaves_them()
  local m = net():build { seed = 1 }
  local f = sw.compile(sw.loss.cross_entropy, m, { update_buffers = true })
  local before = m:buffers():table()
  local x = sw.zeros { 2, 64 }
  x:fill(0 / 0)
  local value = f:value(m:weights(), { x = x, y = sw.zeros({ 2 }, "int32") })
  lu.assert_true(value ~= value)
  lu.assert_equals(m:buffers():table(), before)
end

--- sqrt'(0) is infinite: loss finite, gradient not.
function TestBuffers:test_a_gradient_that_is_not_finite_leaves_them_as_well()
  local m = nn.Sequential({ nn.Linear(2, 2), nn.BatchNorm(2), nn.Linear(2, 1, { init = 0 }) })
    :build { seed = 1 }
  m:parameter "2.bias":fill(0)
  local function root(o, y) return sw.ops.sqrt(sw.ops.square(o - y)):reshape { -1 } end
  local f, before = sw.compile(root, m, { update_buffers = true }), m:buffers():table()
  local x = sw.tensor { { 1, 2 }, { 3, 5 } }
  local value, gradient = f:value_and_gradient(m:weights(), { x = x, y = sw.zeros { 2, 1 } })
  lu.assert_equals(value, 0)
  lu.assert_true(gradient:norm() ~= gradient:norm())
  lu.assert_equals(m:buffers():table(), before)
end

-- A Lambda that counts how often it was trained, and shows it in evaluation.
local function counter()
  return nn.Lambda(function(x, p, context)
    if context.mode == "eval" then return x * p.scale + p.count end
    context:set(p.count, p.count + 1)
    return x * p.scale
  end, { scale = sw.ones { 1 } }, { modes = true, buffers = { count = sw.zeros { 1 } } })
end

function TestBuffers:test_a_lambda_may_keep_some()
  local m = counter():build()
  lu.assert_true(m.layer:has_modes())
  local f = sw.compile(sw.loss.mse, m, { update_buffers = true })
  local batch = { x = sw.zeros { 2, 1 }, y = sw.zeros { 2, 1 } }
  for _ = 1, 3 do f:value(m:weights(), batch) end
  lu.assert_equals(m:forward(sw.zeros { 1, 1 }):item(), 3)
  lu.assert_equals(sw.compile(sw.loss.mse, m, { mode = "eval" }):value(m:weights(), batch), 9)
  lu.assert_equals(m:loss_on(batch, sw.loss.mse)(m:weights()), 9)
  lu.assert_equals(m:loss_on(batch, sw.loss.mse, { mode = "train" })(m:weights()), 0)
  lu.assert_equals(m:buffers():item(), 3) -- only those that are asked to update it do
end

function TestBuffers:test_what_may_be_set()
  local function refuses(words, f)
    local layer = nn.Lambda(f, { w = sw.ones { 1 } }, { buffers = { b = sw.zeros { 1 } } })
    lu.assert_error_msg_contains(words, function()
      sw.compile(sw.loss.mse, layer):value(sw.ones { 1 },
        { x = sw.zeros { 1, 1 }, y = sw.zeros { 1, 1 } })
    end)
  end
  refuses("not a buffer of a layer", function(x, p, c) c:set(p.w, p.b) return x * p.w end)
  refuses('"b" is set twice', function(x, p, c)
    c:set(p.b, p.b + 1)
    c:set(p.b, p.b + 2)
    return x * p.w
  end)
  refuses('"b" has shape (1), its new value (1, 1)', function(x, p, c)
    c:set(p.b, p.b:reshape { 1, 1 })
    return x * p.w
  end)
end

TestDropoutLayer = {}

local function dropped(step, seed)
  local layer = nn.Sequential { nn.Dropout(0.25), nn.Linear(400, 1, { bias = false, init = 1 }) }
  local m = layer:build()
  local f = sw.compile(sw.loss.mse, m, { seed = seed })
  local batch = { x = sw.ones { 50, 400 }, y = sw.zeros { 50, 1 }, step = step }
  local _, g = f:value_and_gradient(m:weights(), batch)
  return f:value(m:weights(), batch), g:table()
end

-- A sum of 400 masks of mean 1 and variance 1/3 has mean square 400^2 + 133; of 50 of them the mean
-- is known to about 2 * 400 * 11.5 / sqrt(50) = 1300, 5 of them are 4 %.
function TestDropoutLayer:test_keeps_the_mean()
  lu.assert_almost_equals(dropped(0) / (400 ^ 2 + 133), 1, 0.04)
end

function TestDropoutLayer:test_follows_from_seed_and_step()
  local value, gradient = dropped(3)
  lu.assert_equals({ dropped(3) }, { value, gradient })
  lu.assert_not_equals(select(2, dropped(4)), gradient)
  lu.assert_not_equals(select(2, dropped(3, 9)), gradient)
end

function TestDropoutLayer:test_evaluation_drops_nothing()
  local x = sw.randn { 2, 3 }
  lu.assert_equals(nn.Dropout(0.9):call(x, {}):table(), x:table())
  lu.assert_false(nn.Dropout(0):has_modes())
  lu.assert_error_msg_contains("p is from 0 to below 1, not 1", nn.Dropout, 1)
end

function TestDropoutLayer:test_gradients()
  local net2 = nn.Sequential { nn.Linear(3, 8), nn.Tanh(), nn.Dropout(0.4), nn.Linear(8, 2) }
  local batch = { x = sw.randn { 6, 3 }, y = sw.tensor({ 0, 1, 1, 0, 1, 0 }, "int32") }
  lu.assert_true(sw.check_gradient(net2:build { seed = 1 }, batch) < 1e-7)
end

-- H v is the change of the gradient along v, by the masks of one step; and so it is linearized.
function TestDropoutLayer:test_second_derivatives_see_the_same_masks()
  local m = nn.Sequential { nn.Linear(3, 8), nn.Tanh(), nn.Dropout(0.4), nn.Linear(8, 2) }
    :build { seed = 1 }
  local f = sw.compile(sw.loss.cross_entropy, m)
  local w, v = m:weights():to "float64", sw.randn({ m:weights():numel() }):to "float64"
  local batch = { x = sw.randn { 6, 3 }, y = sw.tensor({ 0, 1, 1, 0, 1, 0 }, "int32"), step = 7,
    position = 42 }
  local _, ahead = f:value_and_gradient(w:clone():add(1e-5, v), batch)
  local _, behind = f:value_and_gradient(w:clone():add(-1e-5, v), batch)
  local want = (ahead - behind) * (1 / 2e-5)
  local linear = f:linearize(w, batch)
  for _, got in ipairs { f:hvp(w, batch, v), linear(v), linear(v) } do
    lu.assert_true((got - want):norm() < 1e-6 * want:norm())
  end
  batch.step = 8
  lu.assert_true((f:hvp(w, batch, v) - want):norm() > 1e-3 * want:norm())
end

local function dropping() return nn.Sequential { nn.Dropout(0.2), harness.net() } end

function TestDropoutLayer:test_micro_batches_see_the_same_masks()
  local function weights(micro)
    return new { model = dropping(), micro_batch = micro }:fit({ steps = 20 }):weights()
  end
  local whole = weights()
  lu.assert_true((weights(16) - whole):norm() < 1e-5 * whole:norm()) -- sums in another order
  local plain = new { model = harness.net() }:fit({ steps = 20 }):weights()
  lu.assert_true((plain - whole):norm() > 1e-3 * whole:norm())
end

TestTrainingModes = {}

function TestTrainingModes:test_the_same_bits_for_any_number_of_threads()
  local threads = sw.threads()
  local function trained(n)
    sw.set_threads(n)
    local t = new {}:fit { steps = 60 }
    return { t:weights():table(), t.model:buffers():table() }
  end
  local one, two = trained(1), trained(2)
  sw.set_threads(threads)
  lu.assert_equals(one, two)
end

-- Batch by batch in Lua, with the same order, seed and steps.
function TestTrainingModes:test_a_loop_of_ones_own_does_the_same()
  local t = new { optimizer = sw.optim.SGD {} }:fit { steps = 30 }
  local m = net():build { seed = 1 }
  local f = sw.compile(sw.loss.cross_entropy, m, { update_buffers = true, seed = 1 })
  for batch in t.data.train:batches { size = 32, seed = 1 } do
    if batch.step == 30 then break end
    local _, g = f:value_and_gradient(m:weights(), batch)
    m:weights():add(-0.05, g)
  end
  lu.assert_equals(m:buffer("1.num_batches_tracked"):item(), 30)
  lu.assert_true((m:buffers() - t.model:buffers()):norm() < 1e-5 * m:buffers():norm())
  lu.assert_true((m:weights() - t:weights()):norm() < 1e-5 * m:weights():norm())
end

function TestTrainingModes:test_evaluation_is_in_mode_eval()
  local t = new {}:fit { epochs = 3 }
  local valid = t.data.valid
  local outputs, labels = t.model:predict(valid)
  local hits = sw.ops.eq(sw.ops.cast(labels), sw.ops.cast(valid.y:to "int32")):sum():item()
  lu.assert_almost_equals(t:evaluate("last").accuracy, hits / #valid, 1e-6)
  lu.assert_true(hits > 0.9 * #valid)
  local each = sw.ops.cross_entropy(outputs, valid.y:to "int32")
  lu.assert_almost_equals(t:evaluate("last").loss, each:mean():item(), 1e-5)
end

function TestTrainingModes:test_best_weights_keep_their_statistics()
  local t = new {}:fit { epochs = 2 }
  local best = t.engine.evaluator.best
  lu.assert_not_nil(best.buffers)
  local again = t:evaluate(best.weights, { buffers = best.buffers })
  lu.assert_equals(again.loss, t:evaluate("best").loss)
  lu.assert_equals(again.loss, best.metrics.loss)
end

function TestTrainingModes:test_averages_get_statistics_of_their_own()
  local swa = sw.average.SWA { every = { steps = 20 } }
  local t = new { average = swa }:fit { epochs = 2 }
  local weights = swa:weights()
  local function with(buffers)
    return t:evaluate(weights, { on = "test", buffers = buffers }).loss
  end
  for _, method in ipairs { "pooled", "layerwise" } do
    local buffers = t.model:reestimate(t.data.train, { method = method, weights = weights })
    lu.assert_equals(t:evaluate("swa", { on = "test", batch_norm = method }).loss, with(buffers))
  end
  local running = t:evaluate("swa", { on = "test", batch_norm = "running" }).loss
  lu.assert_equals(running, with(t.model:buffers()))
  lu.assert_not_equals(running, t:evaluate("swa", { on = "test" }).loss)
  lu.assert_error_msg_contains('must be one of "pooled"', t.evaluate, t, "swa",
    { batch_norm = "poled" })
end

function TestTrainingModes:test_the_last_weights_may_have_others_too()
  local t = new {}:fit { epochs = 1 }
  local own = t.model:reestimate(t.data.train, { method = "layerwise" })
  for _, which in ipairs { "last", "best" } do
    local found = t:evaluate(which, { batch_norm = "layerwise" }).loss
    lu.assert_equals(found, t:evaluate(which, { buffers = own }).loss)
    lu.assert_not_equals(found, t:evaluate(which).loss)
    lu.assert_equals(t:evaluate(which).loss, t:evaluate(which, { batch_norm = "running" }).loss)
  end
end

function TestTrainingModes:test_re_estimated_once_a_capture()
  local reestimate, calls = require "swale.reestimate", 0
  local buffers = reestimate.buffers
  reestimate.buffers = function(o)
    calls = calls + 1
    return buffers(o)
  end
  local t = new { average = sw.average.SWA {} }:fit { epochs = 2 }
  local after_fit = calls
  t:evaluate("swa")
  t:evaluate("swa", { on = "test" })
  reestimate.buffers = buffers
  lu.assert_equals({ after_fit, calls }, { 2, 2 })
end

function TestTrainingModes:test_an_average_that_was_restored_is_another()
  local swa = sw.average.SWA { every = { steps = 5 } }
  local t = new { average = swa }:fit { steps = 10 }
  local before = t:evaluate("swa").loss
  swa:restore(t:weights() * 0.5, swa.count)
  local own = t.model:reestimate(t.data.train, { weights = swa:weights() })
  lu.assert_equals(t:evaluate("swa").loss, t:evaluate(swa:weights(), { buffers = own }).loss)
  lu.assert_not_equals(t:evaluate("swa").loss, before)
end

-- Without a validation set the average is not evaluated before the end.
function TestTrainingModes:test_the_last_checkpoint_has_the_statistics_of_averages()
  local digits = sw.data.load "digits"
  local data = sw.data.from_tensors { classes = 10,
    train = { x = digits.train.x:to "float32", y = digits.train.y } }
  for method, there in pairs { pooled = true, running = false } do
    local run = harness.fake_run()
    local t = new { data = data, average = sw.average.SWA {}, batch_norm = method }
      :fit { epochs = 1, run = run }
    local found = run.checkpoints[#run.checkpoints].tensors["buffers.average"]
    lu.assert_equals(found ~= nil, there)
    if found then
      local own = t:evaluate(t.average:weights(), { buffers = found })
      lu.assert_equals(own.loss, t:evaluate("swa").loss)
    end
  end
end

function TestTrainingModes:test_checkpoints_hold_them()
  local run = harness.fake_run()
  local t = new { average = sw.average.SWA {} }:fit { epochs = 2, run = run }
  local last = run.checkpoints[#run.checkpoints]
  lu.assert_equals(last.tensors.buffers:table(), t.model:buffers():table())
  local folder = require("temporary").folder()
  sw.save(folder .. "/c.safetensors", last.tensors, last.metadata)
  local m = net():build { seed = 9 }
  lu.assert_equals(m:load(folder .. "/c.safetensors"):buffers():table(),
    t.model:buffers():table())
  m:load(folder .. "/c.safetensors", { which = "average" })
  folders.remove(folder)
  local own = t:evaluate("swa", { on = "test" })
  lu.assert_equals(t:evaluate(m:weights(), { on = "test", buffers = m:buffers() }).loss, own.loss)
  lu.assert_equals(core.json_decode(last.metadata.buffer_segments)[1].path, "1.running_mean")
  lu.assert_str_contains(last.metadata.buffer_segments, 'num_batches_tracked","shape":[]')
  lu.assert_error_msg_contains("Trainer:evaluate: 3 buffers, the model has 25", t.evaluate, t,
    "last", { buffers = sw.zeros { 3 } })
  lu.assert_error_msg_contains("one split of a data set, such as data.train", m.loss_on, m, t.data)
  lu.assert_not_nil(run.best[1].tensors.buffers)
end

function TestTrainingModes:test_an_optimizer_in_lua_keeps_them_too()
  local t = new { optimizer = function(w, g, _, hyper) w:add(-hyper.lr, g) end }
    :fit { steps = 5 }
  lu.assert_equals(t.model:buffer("1.num_batches_tracked"):item(), 5)
end

function TestTrainingModes:test_micro_batches_and_batch_norm()
  local function refuses(words, model, micro)
    lu.assert_error_msg_contains(words, new, { model = model, micro_batch = micro })
  end
  refuses('"1", nn.BatchNorm(12 channels), normalises over the whole batch', net(), 16)
  refuses("micro_batch = { size = 16, couple = true }", net(), 16)
  local ghost = function(n)
    return nn.Sequential { nn.Linear(64, 12), nn.GhostBatchNorm(n)(12), nn.Linear(12, 10) }
  end
  refuses("normalises over ghosts of 6, which do not divide it", ghost(6), 16)
  refuses("depends on the others of its batch", nn.Sequential { function(x)
    return x - x:mean(1, true)
  end, nn.Linear(64, 10) }, 16)
  local coupled = new { micro_batch = { size = 16, couple = true } }
  lu.assert_equals(coupled:fit({ steps = 3 }):state().step, 3)
  lu.assert_error_msg_contains("leaves one example of a batch of 33 alone", new,
    { model = ghost(8), micro_batch = 16, batch_size = 33 })
  local function trained(micro)
    local t = new { model = ghost(8), micro_batch = micro }:fit { steps = 10 }
    return t:weights(), t.model
  end
  local whole, model = trained()
  for _, size in ipairs { 16, 24 } do -- sums in another order
    local weights, other = trained(size)
    lu.assert_true((weights - whole):norm() < 1e-5 * whole:norm())
    lu.assert_true((other:buffers() - model:buffers()):norm() < 1e-5 * model:buffers():norm())
    lu.assert_equals(other:buffer "1.num_batches_tracked":item(), 10)
  end
end

function TestTrainingModes:test_the_noise_scale_wants_examples_apart()
  local ok, message = pcall(new, { measure = { noise_scale = sw.every { steps = 5 } } })
  lu.assert_false(ok)
  lu.assert_str_contains(message, "noise_scale needs per-example gradient norms")
  lu.assert_str_contains(message, "A batch norm in training mode makes each example depend on")
  lu.assert_str_contains(message, ":example_norms(w, batch)")
  lu.assert_str_contains(message, "nn.GhostBatchNorm")
  lu.assert_equals(new { model = dropping(), measure = { noise_scale = sw.every { steps = 1 } } }
    :fit({ steps = 200 }):state().noise_scale.status ~= "pending", true)
end
