--- Trainings of a linear model against the same sums in double precision: how clipping, decay,
--- momentum, micro-batches and groups interact, and in which order.
local lu = require "luaunit"
local sw = require "swale"

TestByHand = {}

local N, F = 23, 3 -- batches of 5 and 7 carry over the ends of epochs

local X, Y = {}, {}
local stream = sw.random(7, "by hand")
for i = 1, N do
  X[i] = {}
  for f = 1, F do X[i][f] = stream:normal() end
  Y[i] = { X[i][1] - 2 * X[i][2] + 0.3 * stream:normal() }
end

local function data() return sw.data.from_tensors { train = { x = sw.tensor(X),
  y = sw.tensor(Y) } } end

local function trainer_of(o)
  o.model = sw.nn.Linear(F, 1, { init = 0.1, bias_init = 0.0 })
  o.loss, o.sampler, o.data = sw.loss.mse, "sequential", data()
  return sw.Trainer(o)
end

-- ------------------------------------------------------------------ the same by hand

local function residual(w, i)
  local e = w[F + 1] - Y[i][1]
  for f = 1, F do e = e + w[f] * X[i][f] end
  return e
end

--- The gradient of the mean of a batch that begins after so many examples.
local function gradient(w, before, size)
  local g = { 0, 0, 0, 0 }
  for k = before, before + size - 1 do
    local i = k % N + 1
    local e = 2 * residual(w, i) / size
    for f = 1, F do g[f] = g[f] + e * X[i][f] end
    g[F + 1] = g[F + 1] + e
  end
  return g
end

local function clip(g, most)
  local norm = 0
  for _, x in ipairs(g) do norm = norm + x ^ 2 end
  local factor = most and math.min(1, most / math.sqrt(norm)) or 1
  for j = 1, #g do g[j] = g[j] * factor end
end

--- PyTorch's steps, of one weight; s is its state.
local function sgd(h, s, w, g, step)
  g = g + h.decay * w
  if h.momentum == 0 then return w - h.lr * g end
  s.m = step == 1 and g or h.momentum * s.m + (1 - h.dampening) * g
  return w - h.lr * (h.nesterov and g + h.momentum * s.m or s.m)
end

local function adam(h, s, w, g, step)
  if h.decoupled then w = w * (1 - h.lr * h.decay) else g = g + h.decay * w end
  s.m = 0.9 * (s.m or 0) + 0.1 * g
  s.v = 0.999 * (s.v or 0) + 0.001 * g ^ 2
  local m, v = s.m / (1 - 0.9 ^ step), s.v / (1 - 0.999 ^ step)
  return w - h.lr * m / (math.sqrt(v) + 1e-8)
end

--- bias: what its group has of its own.
local function by_hand(o, steps)
  local w, states, before = { 0.1, 0.1, 0.1, 0 }, { {}, {}, {}, {} }, 0
  for step = 1, steps do
    local g = gradient(w, before, o.batch)
    before = before + o.batch
    clip(g, o.clip)
    for j = 1, F + 1 do
      local own = j > F and o.bias or {}
      local h = { lr = o.lr * (own.lr or 1), decay = (o.decay or 0) * (own.decay or 1),
        momentum = o.momentum or 0, dampening = o.dampening or 0, nesterov = o.nesterov,
        decoupled = o.decoupled }
      w[j] = (o.adam and adam or sgd)(h, states[j], w[j], g[j], step)
    end
  end
  return w
end

--- A step rounds each weight, and what leads to it, some 20 times in float32.
local function compare(trainer, steps, wanted)
  trainer:fit { steps = steps }
  local got = trainer:weights():table()
  for j, w in ipairs(wanted) do
    lu.assert_almost_equals(got[j], w, 20 * steps * 2 ^ -24 * math.max(1, math.abs(w)))
  end
end

-- ------------------------------------------------------------------ the cases

function TestByHand:test_batches_carry_over_and_may_be_larger_than_the_data()
  for _, batch in ipairs { 1, 5, 23, 60 } do
    compare(trainer_of { lr = 0.02, batch_size = batch }, 50, by_hand({ lr = 0.02,
      batch = batch }, 50))
  end
end

function TestByHand:test_sgd()
  compare(trainer_of { lr = 0.02, batch_size = 5,
    optimizer = sw.optim.SGD { momentum = 0.9, dampening = 0.3 } }, 50,
    by_hand({ lr = 0.02, batch = 5, momentum = 0.9, dampening = 0.3 }, 50))
  compare(trainer_of { lr = 0.02, batch_size = 7,
    optimizer = sw.optim.SGD { momentum = 0.9, nesterov = true, weight_decay = 0.1 } }, 50,
    by_hand({ lr = 0.02, batch = 7, momentum = 0.9, nesterov = true, decay = 0.1 }, 50))
end

--- Clipped is the mean over the whole batch, before decay and momentum.
function TestByHand:test_clipping_with_micro_batches_decay_and_momentum()
  for _, micro in ipairs { 2, 3, 7, 100 } do
    compare(trainer_of { lr = 0.05, batch_size = 7, micro_batch = micro, clip_norm = 0.5,
      optimizer = sw.optim.SGD { momentum = 0.5, weight_decay = 0.1 } }, 50,
      by_hand({ lr = 0.05, batch = 7, clip = 0.5, momentum = 0.5, decay = 0.1 }, 50))
  end
end

function TestByHand:test_adam()
  compare(trainer_of { lr = 0.01, batch_size = 5,
    optimizer = sw.optim.Adam { weight_decay = 0.1 } },
    200, by_hand({ lr = 0.01, batch = 5, adam = true, decay = 0.1 }, 200))
  compare(trainer_of { lr = 0.01, batch_size = 5, micro_batch = 2, clip_norm = 0.1,
    optimizer = sw.optim.AdamW { weight_decay = 0.1 } }, 200,
    by_hand({ lr = 0.01, batch = 5, adam = true, decoupled = true, decay = 0.1, clip = 0.1 }, 200))
end

function TestByHand:test_groups_have_rates_and_decays_of_their_own()
  compare(trainer_of { lr = 0.02, batch_size = 5, optimizer = sw.optim.SGD { weight_decay = 0.5,
    groups = { { match = "bias", weight_decay = 0 } } } }, 50,
    by_hand({ lr = 0.02, batch = 5, decay = 0.5, bias = { decay = 0 } }, 50))
  compare(trainer_of { lr = 0.02, batch_size = 5, optimizer = sw.optim.AdamW { weight_decay = 0.5,
    groups = { { match = "bias", lr = 3 } } } }, 50,
    by_hand({ lr = 0.02, batch = 5, adam = true, decoupled = true, decay = 0.5,
      bias = { lr = 3 } }, 50))
end

--- A mean of N examples, however the last batch of an evaluation comes out: N terms, summed.
function TestByHand:test_evaluation_weighs_the_last_batch_by_its_size()
  for _, size in ipairs { 1, 2, 5, 7, 22, 23, 24, 1000 } do
    local trainer = trainer_of { lr = 0.05, batch_size = 5, eval_batch = size }
    trainer:fit { steps = 3 }
    local w, sum = trainer:weights():table(), 0
    for i = 1, N do sum = sum + residual(w, i) ^ 2 end
    lu.assert_almost_equals(trainer:evaluate("last", { on = "train" }).loss, sum / N,
      (N + 10) * 2 ^ -24 * sum / N)
  end
end

function TestByHand:test_an_average_of_a_step_at_a_time()
  local ema = sw.average.EMA { decay = 0.5 }
  trainer_of { lr = 0.05, batch_size = 5, average = ema }:fit { steps = 3 }
  local w = {}
  for step = 1, 3 do w[step] = by_hand({ lr = 0.05, batch = 5 }, step) end
  for j, got in ipairs(ema:weights():table()) do
    lu.assert_almost_equals(got, 0.25 * w[1][j] + 0.25 * w[2][j] + 0.5 * w[3][j], 60 * 2 ^ -24)
  end
end
