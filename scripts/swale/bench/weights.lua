--- Work beside a step: per-example gradient norms, an average of weights.
local core = require "swale.core"
local measure = require "swale.bench.measure"
local networks = require "swale.bench.network"

local M = {}

--- The largest relative error of norms of a batch, compared with those of one example at a time.
local function worst_error(program, inputs, weights, out, norms)
  local worst = 0
  for i = 1, math.min(#norms, 32) do
    local x, y = inputs[1]:narrow(1, i, 1), inputs[2]:narrow(1, i, 1)
    program:run { inputs = { x, y }, vectors = { weights }, out = out }
    local exact = out:dot(out)
    worst = math.max(worst, math.abs(norms:get(i) - exact) / exact)
  end
  return worst
end

local function example_norms(name, batch, o)
  local network = networks.named(name)
  local graph, model = networks.compiled(network)
  local weights, inputs = model:weights(), { networks.examples(network, batch) }
  local out = core.zeros { #weights }
  local run = { inputs = inputs, vectors = { weights }, out = out }
  local plain, measured = graph:train(), graph:measured()
  local function with_norms() return measured:run(run) end
  local function finish(result)
    result.kind, result.B = "pegrad", batch
    result.gflops = networks.flops(network, batch) / result.median_ms / 1e6
    return result
  end
  if o.brief then return finish(measure.calls(with_norms, o.min_time)) end
  local gradient, result = measure.turns({ function() plain:run(run) end, with_norms }, o.min_time)
  local _, norms = measured:run(run)
  result.grad_ms = gradient.median_ms
  result.ratio_to_grad = result.median_ms / gradient.median_ms
  result.max_rel_err_vs_naive = worst_error(plain, inputs, weights, out, norms)
  return finish(result)
end

local function swa(name, batch, o)
  local step, n = networks.stepper(networks.named(name), batch)
  local each = measure.calls(step, math.min(o.min_time, 0.5))
  local weights = core.random(0, "bench"):fill_normal(core.zeros { n }, 0, 1)
  local average = core.average(n)
  average:update(weights)
  local result = measure.calls(function() average:update(weights) end, math.min(o.min_time, 0.5))
  result.kind, result.B, result.step_ms = "swa", batch, each.median_ms
  result.fraction_of_step = result.median_ms / each.median_ms
  return result
end

---@return swale.BenchRow[]
function M.rows()
  return {
    { name = "pegrad_mlp_F1_nobn_B256",
      run = function(o) return example_norms("mlp_F1_nobn", 256, o) end },
    { name = "pegrad_cnn_small_nobn_B64",
      run = function(o) return example_norms("cnn_small_nobn", 64, o) end },
    { name = "swa_mlp_small", run = function(o) return swa("mlp_small", 32, o) end },
    { name = "swa_mlp_F1", run = function(o) return swa("mlp_F1", 256, o) end },
    { name = "swa_cnn_small", run = function(o) return swa("cnn_small", 64, o) end },
  }
end

return M
