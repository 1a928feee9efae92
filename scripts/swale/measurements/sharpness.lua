--- Sharpness at the weights of each mark (Keskar et al. 2017, metric 2.1): the best point found, a
--- lower bound. Networks are in evaluation mode. Costs some 12 gradients of the sample for each
--- start.
local sharpness = require "swale.measure.sharpness"

---@type swale.MeasurementRow
local M = { estimate = true, options = { epsilon = { "positive", 1e-3 }, subspace = "count?",
  starts = { "count", 1 }, iterations = { "count", 10 } } }

---@param _ nil
---@param m swale.Measuring
---@return swale.Estimate
function M.read(_, m)
  local o = m.options
  return sharpness.sharpness(m.model, m.sample, { loss = m.loss, epsilon = o.epsilon,
    subspace = o.subspace, starts = o.starts, iterations = o.iterations, companions = false,
    seed = m.seed })
end

return M
