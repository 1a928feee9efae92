--- The update that leads to a mark: `ratio`, its length over that of the weights before it, and
--- `angle`, between it and the way from the start to these, in radians; pi/2 where it leads neither
--- on nor back. Costs some passes over the weights.
local angle = require "swale.measure.angle"

---@type swale.MeasurementRow
local M = { options = {}, parts = { "ratio", "angle" } }

---@return { before: swale.Tensor|nil } kept
function M.prepare() return {} end

---@param kept table
---@param weights swale.Tensor
function M.before(kept, weights)
  kept.before = kept.before and kept.before:copy(weights) or weights:clone()
end

---@param kept table
---@param m swale.Measuring
---@return table<string, number>
function M.read(kept, m)
  local update = m.weights - kept.before
  return { ratio = update:norm() / kept.before:norm(),
    angle = angle.between(update, kept.before - m.start) }
end

---@param kept table
---@return table saved
function M.save(kept) return { before = kept.before and kept.before:clone() } end

---@param kept table
---@param saved table
function M.load(kept, saved) kept.before = saved.before and saved.before:clone() end

return M
