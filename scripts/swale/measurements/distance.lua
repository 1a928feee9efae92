--- The distance of the weights from those before the first step, |w - w_0|. Costs a pass over them.

---@type swale.MeasurementRow
local M = { options = {} }

---@param _ nil
---@param m swale.Measuring
---@return number
function M.read(_, m) return m.weights:distance(m.start) end

return M
