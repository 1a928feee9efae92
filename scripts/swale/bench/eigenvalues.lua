--- The largest eigenvalue of a network's Hessian on 4,096 examples to a relative residual of 1e-3:
--- seconds and products, beside a gradient of the same examples.
local measure = require "swale.bench.measure"
local networks = require "swale.bench.network"

local M = {}

local EXAMPLES <const>, TOLERANCE <const> = 4096, 1e-3

local function eigenvalue(name)
  local model, sample, subject = networks.subject(name, EXAMPLES)
  local function gradient() subject:value_and_gradient() end
  gradient()
  local gradient_s, top = measure.once(gradient), nil
  local seconds = measure.once(function()
    top = require("swale.measure.eigenvalues").eigenvalues(model, sample,
      { tolerance = TOLERANCE })[1]
  end)
  return { kind = "eigenvalue", N = EXAMPLES, tolerance = TOLERANCE, seconds = seconds,
    products = top.products, value = top.value, residual = top.residual, gradient_s = gradient_s,
    ratio_to_grads = seconds / (top.products * gradient_s) }
end

---@return swale.BenchRow[]
function M.rows()
  return { { name = "eigenvalue_mlp_F1_N4096", heavy = true,
    run = function() return eigenvalue "mlp_F1" end } }
end

return M
