--- What all that write or read run.json and collection.json share: times, and reading without a
--- message.
local core = require "swale.core"
local folders = require "swale.folders"

local M = {}

---The time, in UTC, as records have it.
---@return string
function M.now() return tostring(os.date "!%Y-%m-%dT%H:%M:%SZ") end

---Returns what a JSON file holds, of whatever format; nil if it cannot be read or is no table.
---@param path string
---@return table|nil
function M.read(path)
  local text = folders.read(path)
  local info = text and core.json_decode(text)
  return type(info) == "table" and info or nil
end

return M
