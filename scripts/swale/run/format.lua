--- The version of the formats of a run's files (docs/files.md). A file without one was written
--- before files had it, and is read as version 1.
local M = {}

M.VERSION = 1

---Whether this release reads a file of that version.
---@param path string
---@param version any       what the file says: 1, "1" (a checkpoint's metadata), nil
---@return true|nil ok, string? message, string? code   code: "EFORMAT"
function M.check(path, version)
  local n = version == nil and 1 or math.tointeger(tonumber(version))
  if n == M.VERSION then return true end
  if n and n > M.VERSION then
    return nil, ("%s: format %d is newer than this release of Swale reads, which is %d; update"
      .. " Swale"):format(path, n, M.VERSION), "EFORMAT"
  end
  return nil, ("%s: its format is %s; this release of Swale reads %d"):format(path,
    require("swale.errors").shown(version), M.VERSION), "EFORMAT"
end

return M
