--- Values of runs as texts: short ones for tables, exact ones for files.
local core = require "swale.core"
local progress = require "swale.progress"

local M = {}

---A value for a table: numbers with six digits.
---@param value any
---@return string
function M.short(value)
  if value == nil then return "" end
  if math.type(value) == "float" then
    return value ~= value and "nan" or (("%.6g"):format(value))
  end
  if type(value) == "table" then return core.json_encode(value) end
  return require("swale.table").plain(tostring(value))
end

---A value for a file: numbers exactly, with 15 to 17 digits; nan, inf and -inf as such.
---@param value any
---@return string
function M.exact(value)
  if value == nil then return "" end
  if math.type(value) == "float" then
    if value ~= value then return "nan" end
    for digits = 15, 17 do -- the fewest that give the same number again
      local text = ("%%.%dg"):format(digits):format(value)
      if tonumber(text) == value then return text end
    end
  end
  if type(value) == "table" then return core.json_encode(value) end
  return tostring(value)
end

---A time of a record, "2026-11-28T10:00:00Z", as "2026-11-28 10:00".
---@param text any
---@return string
function M.time(text)
  return tostring(text or ""):gsub("^(%d+%-%d+%-%d+)T(%d+:%d+):%d+Z$", "%1 %2"):gsub("%c", " ")
end

---@param seconds any
---@return string
function M.seconds(seconds)
  return type(seconds) == "number" and seconds == seconds and progress.seconds(seconds) or ""
end

---A number of bytes: "1.2 MB".
---@param bytes integer
---@return string
function M.bytes(bytes)
  for _, unit in ipairs { { 1e9, "GB" }, { 1e6, "MB" }, { 1e3, "kB" } } do
    if bytes >= unit[1] then return ("%.1f %s"):format(bytes / unit[1], unit[2]) end
  end
  return ("%d bytes"):format(bytes)
end

return M
