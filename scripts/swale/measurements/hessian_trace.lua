--- The trace of the Hessian over the sample by Hutch++, with an interval over the probes. Networks
--- are in evaluation mode. Costs a Hessian product over the sample a probe.
local trace = require "swale.measure.trace"

---@type swale.MeasurementRow
local M = { estimate = "signed", options = { probes = { "count", 48 },
  kind = { choice = { "hvp", "gauss_newton" }, "hvp" }, over = "string|function?" } }

---@param _ nil
---@param m swale.Measuring
---@return swale.Estimate
function M.read(_, m)
  local o = m.options
  return trace.trace(m.model, m.sample, { loss = m.loss, kind = o.kind, over = o.over,
    probes = o.probes, seed = m.random:integer(2 ^ 30) })
end

return M
