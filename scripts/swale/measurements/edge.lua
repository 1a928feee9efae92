--- The edge of stability: the largest eigenvalue of the Hessian over the sample and batch
--- sharpness, beside the curvatures near which SGD with the present rate and momentum stays:
--- 2 (1 - m) / lr for small batches, 2 (1 + m) / lr for large ones. Networks are in evaluation
--- mode. Costs some 10 to 50 Hessian products over the sample, and a gradient and a curvature of a
--- batch a draw.
local edge = require "swale.measure.edge"
local errors = require "swale.errors"
local estimate = require "swale.estimate"

---@type swale.MeasurementRow
local M = { estimate = "signed", options = { relative_error = { "positive", 0.1 },
  draws = { "count", 200 }, tolerance = { "positive", 1e-3 } },
  parts = { "largest_eigenvalue", "batch_sharpness", "ratio_of_means", "small_batch",
    "large_batch" } }

---@param facts swale.MeasurementFacts
---@param o table
function M.check(facts, o)
  if o.draws < 2 then
    errors.misuse("measure: %s: draws must be at least 2; an interval takes 6", facts.name)
  end
end

local function threshold(value, what)
  return estimate.new { value = value, low = value, high = value, signed = true,
    interval = "exact", target = what }
end

---@param _ nil
---@param m swale.Measuring
---@return table<string, swale.Estimate>
function M.read(_, m)
  local s, o = m.state, m.options
  local found = edge.edge(m.model, m.sample, { loss = m.loss, draws = o.draws,
    batch = math.min(s.batch_size, #m.sample), relative_error = o.relative_error,
    tolerance = o.tolerance, seed = m.random:integer(2 ^ 30) })
  found.top.vector = nil -- as long as the weights
  return { largest_eigenvalue = found.top, batch_sharpness = found.batch_sharpness,
    ratio_of_means = found.ratio_of_means,
    small_batch = threshold(2 * (1 - s.momentum) / s.lr, "2 (1 - m) / lr"),
    large_batch = threshold(2 * (1 + s.momentum) / s.lr, "2 (1 + m) / lr") }
end

return M
