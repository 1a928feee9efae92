--- How large a report may be, and what was left out to keep it so.
local M = {}

--- Bytes of each part: 20 MB in all, with what the page itself has.
local BYTES = { table = 5e6, curves = 10e6, pictures = 4e6 }

---@class swale.ReportRoom
---@field left table<string, integer>   bytes of each part that are left
---@field out string[]                  what was left out
local Room = {}
Room.__index = Room

---@return swale.ReportRoom
function M.new()
  local left = {}
  for part, bytes in pairs(BYTES) do left[part] = bytes end
  return setmetatable({ left = left, out = {} }, Room)
end

---Takes bytes of a part, if there are as many left.
---@param part "table"|"curves"|"pictures"
---@param bytes integer
---@return boolean
function Room:take(part, bytes)
  if bytes > self.left[part] then return false end
  self.left[part] = self.left[part] - bytes
  return true
end

---Notes what is left out.
---@param words string
function Room:leave(words) table.insert(self.out, words) end

return M
