--- Training steps of common networks on synthetic data of their real shapes.
local measure = require "swale.bench.measure"
local mix = require "swale.bench.mix"
local network = require "swale.bench.network"

local M = {}

local NETWORKS = {
  { name = "logreg", sizes = { 784, 10 }, batches = { 1, 32, 256, 4096 } },
  { name = "mlp_small", sizes = { 784, 100, 10 }, batches = { 8, 32, 256 } },
  { name = "mlp_800", sizes = { 784, 800, 800, 10 }, batches = { 32, 256 } },
}

--- Floating-point operations of a step: forward, weight gradients, and input gradients but for the
--- first layer's; two a multiply-add.
local function flops(sizes, batch)
  local all, first = 0, sizes[1] * sizes[2]
  for i = 1, #sizes - 1 do all = all + sizes[i] * sizes[i + 1] end
  return 2 * batch * (3 * all - first)
end

local function run(sizes, batch, o)
  local step, parameters = network.stepper(sizes, batch)
  local result = measure.calls(step, o.min_time)
  result.kind, result.B, result.params = "train_step", batch, parameters
  result.flops_per_step = flops(sizes, batch)
  result.gflops = result.flops_per_step / result.median_ms / 1e6
  result.examples_per_s = batch / result.median_ms * 1e3
  if o.threads > 1 then
    result.scaling, result.share_of_mix = mix.scaling(step, sizes, batch, o)
  end
  return result
end

---@return swale.BenchRow[]
function M.rows()
  local rows = {}
  for _, n in ipairs(NETWORKS) do
    for _, batch in ipairs(n.batches) do
      rows[#rows + 1] = { name = ("%s_B%d"):format(n.name, batch),
        run = function(o) return run(n.sizes, batch, o) end }
    end
  end
  return rows
end

return M
