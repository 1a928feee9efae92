--- Hessian-vector products, relative to a gradient of the same network and batch: the first one at
--- a point, and each further one there.
local core = require "swale.core"
local compiled = require "swale.compiled"
local losses = require "swale.loss"
local measure = require "swale.bench.measure"
local networks = require "swale.bench.network"

local M = {}

local function product(name, batch, o)
  local network = networks.named(name)
  local model = network.make(require "swale.zoo"):build { seed = 0 }
  local x, y = networks.examples(network, batch)
  local f, at = compiled.compile(losses.cross_entropy, model), { x = x, y = y }
  local w = model:weights()
  local v = core.random(1, "bench"):fill_normal(core.zeros { #w }, 0, 1)
  local function at_once() f:hvp(w, at, v) end
  local function finish(result)
    result.kind, result.B = "hvp", batch
    result.gflops = networks.hessian_flops(network, batch) / result.median_ms / 1e6
    return result
  end
  if o.brief then return finish(measure.calls(at_once, o.min_time)) end
  local map = f:linearize(w, at)
  local function gradient() f:value_and_gradient(w, at) end
  local first, result = measure.turns({ gradient, at_once }, o.min_time)
  local second, further = measure.turns({ gradient, function() map(v) end }, o.min_time)
  result.grad_ms = first.median_ms
  result.ratio_to_grad = result.median_ms / first.median_ms
  result.further_ms = further.median_ms
  result.further_ratio_to_grad = further.median_ms / second.median_ms
  result.kept, result.kept_mib = map.kept, map.bytes / 2 ^ 20
  return finish(result)
end

---@return swale.BenchRow[]
function M.rows()
  local rows = {}
  for _, row in ipairs { { "mlp_F1", 256 }, { "mlp_F1_nobn", 256 }, { "cnn_small", 64 } } do
    local name, batch = table.unpack(row)
    rows[#rows + 1] = { name = ("hvp_%s_B%d"):format(name, batch),
      heavy = name == "cnn_small", run = function(o) return product(name, batch, o) end }
  end
  return rows
end

return M
