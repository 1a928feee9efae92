--- B_simple at the weights of each mark, from a sample of its own: the noise of this moment, where
--- noise_scale is a mean over the steps of a window. Networks are in evaluation mode. Costs a
--- gradient of each example of the sample.
local noise = require "swale.measure.noise"

---@type swale.MeasurementRow
local M = { estimate = true, options = { by = { choice = { "examples", "micro" }, "examples" },
  batch_size = "count?", target = { choice = { "train", "population" }, "train" } } }

---@param _ nil
---@param m swale.Measuring
---@return swale.Estimate
function M.read(_, m)
  local o = m.options
  return noise.noise(m.model, m.sample, { loss = m.loss, by = o.by, batch_size = o.batch_size,
    target = o.target, seed = m.seed }).b_simple
end

return M
