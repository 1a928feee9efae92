-- Gradients, updates and running statistics that are not finite while the loss is: none reaches
-- averages or checkpoints, and the training stops.
local core = require "swale.core"
local harness = require "trainer_harness"
local lu = require "luaunit"
local ops = require "swale.ops"
local sw = require "swale"

TestNotFinite = {}

-- |w - 1| as a root of a square: the loss is 0 at w = 1, its derivative 0 / 0.
local function root(changes)
  local o = { model = sw.nn.Linear(1, 1, { bias = false, init = 1 }), lr = 0.1, batch_size = 4,
    loss = function(out, y) return ops.sqrt(ops.square(out - y)):reshape { -1 } end,
    data = sw.data.from_tensors { train = { x = sw.ones { 4, 1 }, y = sw.ones { 4, 1 } } } }
  for key, value in pairs(changes or {}) do o[key] = value end
  return sw.Trainer(o)
end

local function diverges(trainer, length, ...)
  local ok, fault = pcall(trainer.fit, trainer, length)
  lu.assert_false(ok)
  lu.assert_equals(type(fault) == "table" and fault.kind or fault, "diverged")
  for _, part in ipairs { ... } do lu.assert_str_contains(fault.message, part) end
end

function TestNotFinite:test_no_optimizer_takes_the_gradient()
  local function own(w, g, _, hyper) w:add(-hyper.lr, g) end
  for name, changes in pairs {
    sgd = {}, momentum = { momentum = 0.9 }, adam = { optimizer = sw.optim.Adam {} },
    adamw = { optimizer = sw.optim.AdamW {} }, lua = { optimizer = own },
    clipped = { clip_norm = 1 }, parts = { micro_batch = 2 },
    clipped_parts = { micro_batch = 3, clip_norm = 1 }, lua_clipped = { optimizer = own,
      clip_norm = 1 } } do
    local ema = sw.average.EMA {}
    changes.average = ema
    local trainer = root(changes)
    diverges(trainer, { steps = 1 }, "step 1: ", 'the gradient of "weight" is not finite',
      "the loss is 0 ", "lr 0.1")
    local s = trainer:state()
    lu.assert_equals({ name, s.step, s.fault, trainer:weights():get(1), ema.count },
      { name, 0, "gradient", 1, 0 })
  end
end

function TestNotFinite:test_it_does_not_go_on()
  local trainer = root()
  diverges(trainer, { steps = 1 })
  lu.assert_error_msg_contains("stopped at step 1", trainer.fit, trainer, { steps = 1 })
  lu.assert_error_msg_contains("must not be used", trainer.evaluate, trainer, "last")
end

-- At the root's zero only the first layer's own penalty has a bad derivative.
function TestNotFinite:test_the_segment_is_named_and_no_bad_block_is_written()
  local layer = sw.nn.Lambda(function(x, p)
    return x:matmul(p.good) + ops.sqrt(ops.sum(ops.square(p.bad)))
  end, { bad = { shape = { 3 }, init = 0 }, good = { shape = { 1, 1 }, init = 1 } })
  local trainer = root { model = layer, loss = sw.loss.mse }
  diverges(trainer, { steps = 1 }, 'the gradient of "bad"')
  for i = 1, 4 do lu.assert_equals(core.type(trainer:weights()) and
    trainer:weights():get(i) - trainer:weights():get(i), 0) end
end

-- w = 1 - 1e39 (in float32 infinite): the loss before it was finite, and no step follows.
function TestNotFinite:test_a_last_update_that_overflows()
  for _, optimizer in ipairs { sw.optim.SGD {}, sw.optim.Adam {},
    function(w, g, _, hyper) w:add(-hyper.lr, g) end } do
    local run = harness.fake_run()
    local trainer = harness.new { lr = 1e39, optimizer = optimizer,
      average = sw.average.EMA {} }
    local ok, fault = pcall(trainer.fit, trainer, { steps = 1, run = run })
    lu.assert_false(ok)
    lu.assert_str_contains(fault.message, "the update made weights of ")
    lu.assert_equals(trainer:state().fault, "weights")
    lu.assert_equals({ #run.checkpoints, trainer.average.count }, { 0, 0 })
  end
end

function TestNotFinite:test_weights_that_a_hook_spoils()
  local trainer = harness.new()
  trainer:on("step", function(s) if s.step == 3 then trainer:weights():set(5, 0 / 0) end end)
  local run = harness.fake_run()
  local ok, fault = pcall(trainer.fit, trainer, { steps = 3, run = run })
  lu.assert_false(ok)
  lu.assert_str_contains(fault.message, '"0.weight"')
  lu.assert_equals(#run.checkpoints, 0)
end

-- Inputs of 1e25 have a variance of 1e50; the normed outputs, and the loss, are finite.
function TestNotFinite:test_running_statistics()
  local x = sw.randn { 8, 2 } * 1e25
  local trainer = sw.Trainer { lr = 0.1, batch_size = 8, loss = sw.loss.mse,
    model = sw.nn.Sequential { sw.nn.BatchNorm(2), sw.nn.Linear(2, 1) },
    data = sw.data.from_tensors { train = { x = x, y = sw.zeros { 8, 1 } } } }
  local before = trainer.model:buffers():table()
  diverges(trainer, { steps = 1 }, "not finite")
  lu.assert_equals(trainer.model:buffers():table(), before)
end

-- ------------------------------------------------------------------ norms beyond float32

local function far(x, changes)
  local o = { model = sw.nn.Linear(1, 1, { bias = false, init = 1 }), loss = sw.loss.mse,
    lr = 0.1, batch_size = 4, clip_norm = 1, data = sw.data.from_tensors {
      train = { x = sw.full({ 4, 1 }, x), y = sw.zeros { 4, 1 } } } }
  for key, value in pairs(changes or {}) do o[key] = value end
  return sw.Trainer(o)
end

-- loss x^2 and gradient 2 x^2 at w = 1, clipped to length 1: w = 1 - 0.1. At 9e18 the factor is
-- below the normal numbers of float32. Some ten roundings of 2^-24.
function TestNotFinite:test_a_clipped_gradient_has_length_one()
  local function own(w, g, _, hyper) w:add(-hyper.lr, g) end
  for _, x in ipairs { 1e2, 1e9, 1e15, 1e18, 9e18 } do
    for _, changes in ipairs { {}, { micro_batch = 1 }, { optimizer = own } } do
      local trainer = far(x, changes)
      trainer:fit { steps = 1 }
      lu.assert_almost_equals(trainer:weights():get(1), 0.9, 1e-6)
      lu.assert_almost_equals(trainer:state().grad_norm / (2 * x * x), 1, 1e-6)
    end
  end
end

-- Unclipped, the norm in the state is right at either end: 2 x^2, rate 0.
function TestNotFinite:test_the_norm_of_large_and_small_gradients()
  for _, x in ipairs { 1e18, 1e15, 1, 1e-15, 1e-18 } do
    local trainer = far(x, { clip_norm = 1e38, lr = 0 })
    trainer:fit { steps = 1 }
    lu.assert_almost_equals(trainer:state().grad_norm / (2 * x * x), 1, 1e-6)
  end
end
