--- What the noise scale costs: training steps of which each is measured, beside plain ones.
local core = require "swale.core"
local measure = require "swale.bench.measure"
local network = require "swale.bench.network"

local M = {}

local STEPS = 8 -- of a turn

local function trainer_of(layer, batch, noise_scale)
  local random = core.random(0, "bench")
  local x = random:fill_uniform(core.zeros { 4096, 784 }, 0, 1)
  local data = require("swale.data").from_tensors { classes = 10,
    train = { x = x, y = network.labels(random, 4096, 10) } }
  return require("swale.trainer").new { model = layer, data = data, lr = 0.01, momentum = 0.9,
    batch_size = batch, record = { steps = 1000000 },
    measure = noise_scale and { noise_scale = { every = { steps = 1 } } } or nil }
end

--- Plain and measured steps take turns.
local function cost(layer, batch, o)
  local plain, measured = trainer_of(layer, batch, false), trainer_of(layer, batch, true)
  local a, b = measure.turns({ function() plain:fit { steps = STEPS } end,
    function() measured:fit { steps = STEPS } end }, o.min_time)
  return { kind = "noise_scale", B = batch, plain_ms = a.median_ms / STEPS,
    measured_ms = b.median_ms / STEPS, cost = b.median_ms / a.median_ms - 1,
    cost_min = b.min_ms / a.min_ms - 1 }
end

---@return swale.BenchRow[]
function M.rows()
  return { { name = "noise_scale_F1_plain_B256",
    run = function(o) return cost(require("swale.zoo").F1 { norm = "none" }, 256, o) end } }
end

return M
