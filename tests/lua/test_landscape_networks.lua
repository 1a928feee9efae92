--- Landscapes of networks: one computed by hand, batch norm as the trainer evaluates, bits.
local harness = require "landscape_harness"
local lu = require "luaunit"
local metrics = require "swale.trainer.metrics"
local nn = require "swale.nn"
local sw = require "swale"
local temporary = require "temporary"

local land = sw.landscape
local mix, vector, counted_calls, normed, trainer_of = harness.mix, harness.vector,
  harness.counted_calls, harness.normed, harness.trainer_of

local function tanh(v) return 1 - 2 / (math.exp(2 * v) + 1) end

--- Loss of a network 2-2-1 with tanh, by hand; w: rows of the first weight, bias, second, bias.
local function by_hand(x, y, w)
  local sum = 0
  for i = 1, #x do
    local h1 = tanh(w[1] * x[i][1] + w[2] * x[i][2] + w[5])
    local h2 = tanh(w[3] * x[i][1] + w[4] * x[i][2] + w[6])
    sum = sum + (w[7] * h1 + w[8] * h2 + w[9] - y[i][1]) ^ 2
  end
  return sum / #x
end

TestLandscapeNetworks = {}

-- Exchanging the hidden units gives the same function; on the way the units become equal.
function TestLandscapeNetworks:test_the_barrier_to_a_permuted_copy()
  local x = { { 1, 0 }, { 0, 1 }, { 1, 1 }, { -1, 0.5 } }
  local y = { { 1 }, { -1 }, { 0.5 }, { -2 } }
  local w = { 2, -1, -1, 2, 0.5, -0.5, 1.5, -1.5, 0.25 }
  local permuted = { -1, 2, 2, -1, -0.5, 0.5, -1.5, 1.5, 0.25 }
  local data = sw.data.from_tensors { train = { x = sw.tensor(x), y = sw.tensor(y) } }
  local model = nn.Sequential { nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 1) }:build()
  local function barrier(to)
    return land.barrier(vector(w), vector(to), { on = data, model = model, loss = sw.loss.mse,
      points = 11, dtype = "float64" })
  end
  local path = barrier(permuted)
  local a = by_hand(x, y, w)
  lu.assert_almost_equals({ path.rows[1].train_loss, path.rows[11].train_loss }, { a, a }, 1e-12)
  local most = 0
  for i = 0, 10 do
    most = math.max(most, by_hand(x, y, mix(1 - i / 10, w, i / 10, permuted)) - a)
  end
  lu.assert_true(most > 0.1)
  local height, at = path:barrier()
  lu.assert_almost_equals(height, most, 1e-12)
  lu.assert_true(at > 0 and at < 1)
  lu.assert_almost_equals(barrier(w):barrier(), 0, 1e-14)
end

-- The rule for the statistics holds at every point: at an end it is that of trainer:evaluate.
function TestLandscapeNetworks:test_batch_norm_as_the_trainer_evaluates()
  local trainer = trainer_of()
  local w = trainer.average.captured
  for _, how in ipairs { "pooled", "layerwise", "running" } do
    local line = land.line(w[1], w[3], { on = trainer, batch_norm = how, from = 0, to = 1,
      points = 2 })
    for i, weights in ipairs { w[1], w[3] } do
      for _, on in ipairs { "train", "test" } do
        local found = trainer:evaluate(weights, { on = on, batch_norm = how })
        lu.assert_equals({ line.rows[i][on .. "_loss"], line.rows[i][on .. "_accuracy"] },
          { found.loss, found.accuracy }, how)
      end
    end
  end
end

function TestLandscapeNetworks:test_batch_norm_by_the_batch_itself()
  local trainer = trainer_of()
  local model, sample = trainer.model, trainer.data.train:sample(200)
  local exact = model:loss_on(sample, nil, { mode = "train" })(model:weights())
  local o = { on = sample, batch_norm = "train", from = 0, to = 0, points = 1 }
  lu.assert_almost_equals(land.line(model, model, o).rows[1].sample_loss, exact, 1e-5)
  local dropped = normed(true):build()
  dropped:weights():copy(model:weights())
  lu.assert_almost_equals(land.line(dropped, dropped, o).rows[1].sample_loss, exact, 1e-5)
end

function TestLandscapeNetworks:test_nothing_is_changed()
  local trainer = trainer_of()
  local before = { trainer:weights():clone(), trainer.model:buffers():clone() }
  sw.rand(1)
  local state = trainer:state()
  land.random_plane(trainer, { on = trainer, grid = 2 })
  land.rays(trainer, { on = trainer, rise = 0.5, n = 1 })
  lu.assert_equals(trainer:weights():table(), before[1]:table())
  lu.assert_equals(trainer.model:buffers():table(), before[2]:table())
  lu.assert_equals(trainer:state().step, state.step)
end

function TestLandscapeNetworks:test_threads_change_no_bit()
  local trainer, threads, found = trainer_of(), sw.threads(), {}
  for i, n in ipairs { 1, 2 } do
    sw.set_threads(n)
    found[i] = select(2, land.random_plane(trainer, { on = trainer, grid = 3 }):table())
  end
  sw.set_threads(threads)
  lu.assert_equals(found[1], found[2])
end

-- Networks that begin with a convolution are computed for several weights at once.
function TestLandscapeNetworks:test_several_weights_at_once_have_the_bits_of_each()
  local data = sw.data.load "digits"
  local small = data.shape
  local trainer = sw.Trainer { data = data, lr = 0.1, eval_batch = 100, model = nn.Sequential {
    nn.Conv2d(small[3], 3, 3, { padding = 1 }), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.5),
    nn.Conv2d(3, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(20, 10) } }
  trainer:fit { steps = 3 }
  local other = nn.Sequential { trainer.model.layer }:build { seed = 9 }:weights()
  local function line(file)
    return land.line(trainer, other, { on = trainer, points = 11, file = file })
  end
  lu.assert_equals(counted_calls(metrics, "evaluate", function() self.line = line() end), 0)
  temporary.with_folder(function(folder)
    for _ = 1, 2 do lu.assert_equals(line(folder .. "/line.jsonl").rows, self.line.rows) end
  end)
  for i, alpha in ipairs(self.line.alpha) do
    local w = sw.zeros({ other:numel() }, "float64")
    w:add(1 - alpha, trainer:weights():to "float64"):add(alpha, other:to "float64")
    local found = trainer:evaluate(w:to "float32", { on = "test" })
    lu.assert_equals({ self.line.rows[i].test_loss, self.line.rows[i].test_accuracy },
      { found.loss, found.accuracy }, i)
  end
end
