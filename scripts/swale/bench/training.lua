--- Training steps of common networks on synthetic data of their real shapes, and their parts.
local core = require "swale.core"
local measure = require "swale.bench.measure"
local mix = require "swale.bench.mix"
local networks = require "swale.bench.network"

local M = {}

local function step(network, batch, o)
  local advance, parameters = networks.stepper(network, batch)
  local result = measure.calls(advance, o.min_time, network.heavy and { reps = 3, warm = 1 })
  result.kind, result.B, result.params = "train_step", batch, parameters
  result.flops_per_step = networks.flops(network, batch)
  result.gflops = result.flops_per_step / result.median_ms / 1e6
  result.examples_per_s = batch / result.median_ms * 1e3
  if o.threads > 1 and not o.brief then
    result.scaling, result.share_of_mix = mix.scaling(advance, network, batch, o)
  end
  return result
end

-- ------------------------------------------------------------------ parts of a step

local function indices(n)
  local index = core.zeros({ n }, "int32")
  for i = 1, n do index:set(i, i * 97 % 50000) end
  return index
end

--- The least time of each part of a step. Backward and update are differences: the backward pass
--- includes the forward one, and updates run while gradients are computed.
local function parts(name, batch, o)
  local network = networks.named(name)
  local source, index = networks.source(network), indices(batch)
  local graph, model = networks.compiled(network)
  local x, y = source:gather(index)
  local buffers = model:buffers()
  local run = { inputs = { x, y }, vectors = { model:weights(), buffers },
    out = core.zeros { #model:weights() }, state = buffers and buffers:clone() }
  local forward, both = core.program(graph.graph, { graph.loss }), graph:train()
  local gather, loss, gradient, whole = measure.turns({ function() source:gather(index) end,
    function() forward:run(run) end, function() both:run(run) end,
    (networks.stepper(network, batch)) }, o.min_time / 4)
  return { kind = "parts", B = batch, gather_ms = gather.min_ms, forward_loss_ms = loss.min_ms,
    backward_ms = gradient.min_ms - loss.min_ms,
    opt_step_ms = whole.min_ms - gradient.min_ms - gather.min_ms }
end

---@return swale.BenchRow[]
function M.rows()
  local rows = {}
  for _, n in ipairs(networks.NETWORKS) do
    for _, batch in ipairs(n.batches) do
      rows[#rows + 1] = { name = ("%s_B%d"):format(n.name, batch), heavy = n.heavy,
        run = function(o) return step(n, batch, o) end }
    end
  end
  for _, part in ipairs { { "mlp_small", 32 }, { "mlp_F1", 256 }, { "lenet", 64 },
    { "cnn_small", 64 } } do
    rows[#rows + 1] = { name = ("parts_%s_B%d"):format(part[1], part[2]),
      run = function(o) return parts(part[1], part[2], o) end }
  end
  return rows
end

return M
