--- The edge of stability: the largest eigenvalue of the Hessian over the sample and batch
--- sharpness, beside the curvatures near which SGD with the present rate and momentum stays:
--- 2 (1 - m) / lr for small batches, 2 (1 + m) / lr for large ones; of SGD with momentum also
--- E[s'H_B s / s'g], s being the step. Networks are in evaluation
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

local WITH_MOMENTUM <const> = setmetatable({ prepare = function() return true end,
  parts = table.move(M.parts, 1, #M.parts, 2, { "with_momentum" }) }, { __index = M })

---@param _ table
---@param m swale.MeasurementFacts
---@return swale.MeasurementRow
function M.variant(_, m)
  return m.optimizer.kind == "sgd" and m.momentum ~= 0 and WITH_MOMENTUM or M
end

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

local NO_VELOCITY <const> = "no update with momentum was made yet, or it has nesterov or dampening"

---@param with_momentum true|nil
---@param m swale.Measuring
---@return table<string, swale.Estimate>
function M.read(with_momentum, m)
  local s, o = m.state, m.options
  local found = edge.edge(m.model, m.sample, { loss = m.loss, draws = o.draws,
    batch_size = math.min(s.batch_size, #m.sample), relative_error = o.relative_error,
    momentum = s.momentum < 1 and s.momentum or 0, velocity = with_momentum and m.velocity,
    tolerance = o.tolerance, seed = m.random:integer(2 ^ 30) })
  found.top.vector = nil -- as long as the weights
  return { largest_eigenvalue = found.top, batch_sharpness = found.batch_sharpness,
    ratio_of_means = found.ratio_of_means, with_momentum = found.with_momentum
      or with_momentum and estimate.new { signed = true, reason = NO_VELOCITY } or nil,
    small_batch = threshold(2 * (1 - s.momentum) / s.lr, "2 (1 - m) / lr"),
    large_batch = threshold(2 * (1 + s.momentum) / s.lr, "2 (1 + m) / lr") }
end

return M
