--- The largest eigenvalue of the Hessian over the sample, with its residual bound. Networks are in
--- evaluation mode. Costs some 10 to 50 Hessian products over the sample.
local eigenvalues = require "swale.measure.eigenvalues"

---@type swale.MeasurementRow
local M = { estimate = "signed", options = { tolerance = { "positive", 1e-3 },
  kind = { choice = { "hvp", "gauss_newton" }, "hvp" }, over = "string|function?" } }

---@param _ nil
---@param m swale.Measuring
---@return swale.Estimate
function M.read(_, m)
  local o = m.options
  local top = eigenvalues.eigenvalues(m.model, m.sample, { loss = m.loss, kind = o.kind,
    over = o.over, tolerance = o.tolerance, seed = m.seed })[1]
  top.vector = nil -- as long as the weights
  return top
end

return M
