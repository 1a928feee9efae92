--- The largest eigenvalue of a network's Hessian on 4,096 examples to a relative residual of 1e-3:
--- seconds and products, beside a gradient of the same examples.
local losses = require "swale.loss"
local measure = require "swale.bench.measure"
local networks = require "swale.bench.network"
local options = require "swale.options"
local subjects = require "swale.measure.subject"

local M = {}

local EXAMPLES <const>, TOLERANCE <const> = 4096, 1e-3

local function eigenvalue(name)
  local network = networks.named(name)
  local model = network.make(require "swale.zoo"):build { seed = 0 }
  local x, y = networks.examples(network, EXAMPLES)
  local sample = { x = x, y = y }
  local subject = subjects.of("bench", model, sample,
    options.check("bench", { loss = losses.cross_entropy }, subjects.spec {}))
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
