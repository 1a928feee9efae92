--- The angle between the weights and those before the first step, in radians. Costs some passes
--- over the weights.
local angle = require "swale.measure.angle"

---@type swale.MeasurementRow
local M = { options = {} }

---@param _ nil
---@param m swale.Measuring
---@return number
function M.read(_, m) return angle.between(m.weights, m.start) end

return M
