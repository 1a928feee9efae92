--- The norm of the weights, |w|. Costs a pass over them.

---@type swale.MeasurementRow
local M = { options = {} }

---@param _ nil
---@param m swale.Measuring
---@return number
function M.read(_, m) return m.weights:norm() end

return M
