--- What the noise scale costs: training steps of which each is measured, beside plain ones; at
--- frozen weights, and the Gram matrix of the examples' gradients, beside a gradient.
local core = require "swale.core"
local measure = require "swale.bench.measure"
local network = require "swale.bench.network"

local M = {}

local STEPS = 8 -- of a turn

--- objective: of the noise scale; nil: it is not measured.
local function trainer_of(layer, batch, objective)
  local random = core.random(0, "bench")
  local x = random:fill_uniform(core.zeros { 4096, 784 }, 0, 1)
  local data = require("swale.data").from_tensors { classes = 10,
    train = { x = x, y = network.labels(random, 4096, 10) } }
  return require("swale.trainer").new { model = layer, data = data, lr = 0.01, momentum = 0.9,
    optimizer = require("swale.optim").SGD { weight_decay = 1e-4 },
    batch_size = batch, record = { steps = 1000000 },
    measure = { noise_scale = objective and { every = { steps = 1 }, objective = objective } } }
end

--- Plain and measured steps take turns.
local function cost(layer, batch, o, objective)
  local plain, measured = trainer_of(layer, batch), trainer_of(layer, batch, objective)
  local a, b = measure.turns({ function() plain:fit { steps = STEPS } end,
    function() measured:fit { steps = STEPS } end }, o.min_time)
  return { kind = "noise_scale", B = batch, plain_ms = a.median_ms / STEPS,
    measured_ms = b.median_ms / STEPS, cost = b.median_ms / a.median_ms - 1,
    cost_min = b.min_ms / a.min_ms - 1 }
end

local function cost_of_F1(o, objective)
  return cost(require("swale.zoo").F1 { norm = "none" }, 256, o, objective)
end

local EXAMPLES <const> = 2000

--- A measurement of an MLP 784-256-128-10 on 2,000 examples; a gradient of the same takes turns.
local function beside_gradient(kind, measured, o)
  local nn, random = require "swale.nn", core.random(0, "bench")
  local model = nn.Sequential { nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(),
    nn.Linear(128, 10) }:build { seed = 0 }
  local x = random:fill_uniform(core.zeros { EXAMPLES, 784 }, 0, 1)
  local sample = { x = x, y = network.labels(random, EXAMPLES, 10) }
  local loss = model:loss_on(sample)
  local a, b = measure.turns({ function() measured(model, sample) end,
    function() loss:gradient(model:weights()) end }, o.min_time)
  return { kind = kind, N = EXAMPLES, ms = a.min_ms, gradient_ms = b.min_ms,
    ratio_to_grad = a.min_ms / b.min_ms }
end

local function at_weights(o)
  local noise = require("swale.measure.noise").noise
  return beside_gradient("noise_at_weights", function(model, sample)
    noise(model, sample, { target = "population" })
  end, o)
end

local function gram(o)
  return beside_gradient("gram", require("swale.measure.gram").gram, o)
end

---@return swale.BenchRow[]
function M.rows()
  return {
    { name = "noise_scale_F1_plain_B256", run = function(o) return cost_of_F1(o, "data") end },
    { name = "noise_scale_F1_regularised_B256",
      run = function(o) return cost_of_F1(o, "regularised") end },
    { name = "noise_at_weights_mlp_N2000", run = at_weights },
    { name = "gram_mlp_N2000", heavy = true, run = gram },
  }
end

return M
