--- Loss and accuracy of a network on 10,000 examples.
local core = require "swale.core"
local measure = require "swale.bench.measure"
local networks = require "swale.bench.network"

local M = {}

local EXAMPLES = 10000

local function run(name, batch, o)
  local network = networks.named(name)
  local graph, model = networks.compiled(network, "eval")
  local x, y = networks.examples(network, EXAMPLES)
  local source = core.source { x = x, y = y, classes = 10, shaped = true }
  local program = graph:evaluation()
  local result = measure.calls(function()
    assert(core.evaluate(program, model:weights(), source, batch, model:buffers()))
  end, o.min_time, { reps = 2, warm = 1 })
  result.kind, result.B = "eval", batch
  result.gflops = 2 * EXAMPLES * networks.multiply_adds(network) / result.median_ms / 1e6
  result.examples_per_s = EXAMPLES / result.median_ms * 1e3
  return result
end

---@return swale.BenchRow[]
function M.rows()
  local rows = {}
  for _, name in ipairs { "mlp_F1", "cnn_small" } do
    for _, batch in ipairs { 250, 1000 } do
      rows[#rows + 1] = { name = ("eval10k_%s_B%d"):format(name, batch),
        heavy = name == "cnn_small", run = function(o) return run(name, batch, o) end }
    end
  end
  return rows
end

return M
