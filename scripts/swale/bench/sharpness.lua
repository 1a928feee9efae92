--- Sharpness of a network on 10,000 examples, in the full space, from one start: seconds and
--- evaluations, beside a gradient of the same examples.
local measure = require "swale.bench.measure"
local networks = require "swale.bench.network"

local M = {}

local EXAMPLES <const>, ITERATIONS <const> = 10000, 10

--- One evaluation is a gradient of all examples; what remains is the optimiser's.
local function sharpness(name)
  local model, sample, subject = networks.subject(name, EXAMPLES)
  local function gradient() subject:value_and_gradient(model:weights()) end
  gradient()
  local gradient_s, phi = measure.once(gradient), nil
  local seconds = measure.once(function()
    phi = require("swale.measure.sharpness").sharpness(model, sample,
      { starts = 1, iterations = ITERATIONS, companions = false })
  end)
  return { kind = "sharpness", N = EXAMPLES, iterations = ITERATIONS, seconds = seconds,
    evaluations = phi.effort.evaluations, sharpness = phi.value, gradient_s = gradient_s,
    ratio_to_grads = seconds / (phi.effort.evaluations * gradient_s) }
end

---@return swale.BenchRow[]
function M.rows()
  return { { name = "sharpness_mlp_F1_N10000", heavy = true,
    run = function() return sharpness "mlp_F1" end } }
end

return M
