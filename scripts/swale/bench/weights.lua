--- What is done beside a step: per-example gradient norms, an average of weights. The network F1 of
--- others' benchmarks has batch normalisation in its steps; here it has not.
local core = require "swale.core"
local measure = require "swale.bench.measure"
local network = require "swale.bench.network"

local M = {}

local SMALL, F1 = { 784, 100, 10 }, { 784, 512, 512, 512, 512, 512, 10 }

--- Of the norms of a batch to those of one example at a time.
local function worst_error(program, inputs, weights, out, norms)
  local worst = 0
  for i = 1, #norms do
    local x, y = inputs[1]:narrow(1, i, 1), inputs[2]:narrow(1, i, 1)
    program:run { inputs = { x, y }, vectors = { weights }, out = out }
    local exact = out:dot(out)
    worst = math.max(worst, math.abs(norms:get(i) - exact) / exact)
  end
  return worst
end

local function example_norms(o)
  local batch, random = 256, core.random(0, "bench")
  local graph, weights = network.compiled(F1)
  local inputs = { random:fill_normal(core.zeros { batch, F1[1] }, 0, 1),
    network.labels(random, batch, 10) }
  local out = core.zeros { #weights }
  local run = { inputs = inputs, vectors = { weights }, out = out }
  local plain, measured = graph:train(), graph:measured()
  local gradient = measure.calls(function() plain:run(run) end, o.min_time)
  local result = measure.calls(function() measured:run(run) end, o.min_time)
  local _, norms = measured:run(run)
  result.kind, result.B, result.grad_ms = "pegrad", batch, gradient.median_ms
  result.ratio_to_grad = result.median_ms / gradient.median_ms
  result.max_rel_err_vs_naive = worst_error(plain, inputs, weights, out, norms)
  return result
end

local function swa(sizes, batch, o)
  local step, n = network.stepper(sizes, batch)
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
    { name = "pegrad_mlp_F1_B256_goodfellow", run = example_norms },
    { name = "swa_mlp_small", run = function(o) return swa(SMALL, 32, o) end },
    { name = "swa_mlp_F1", run = function(o) return swa(F1, 256, o) end },
  }
end

return M
