--- The lines of a terminal that show what runs, redrawn in place; nothing elsewhere.
local M = {}

---@class swale.BatchLive
---@field terminal boolean
local Live = {}
Live.__index = Live

---@return swale.BatchLive
function M.new()
  return setmetatable({ terminal = false }, Live)
end

function Live:add() end
function Live:remove() end
function Live:draw() end
function Live:clear() end

return M
