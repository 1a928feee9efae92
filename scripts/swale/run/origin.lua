--- Where a run comes from: the batch or sweep that started this process tells by environment
--- variables. They are taken away, so that what a script starts does not count as theirs.
local M = {}

local taken

local function take(name)
  local value = os.getenv(name)
  if not value or value == "" then return nil end
  require "luv".os_unsetenv(name)
  return value
end

---@return { collection: string?, tag: string?, attempt: integer }
function M.get()
  taken = taken or { collection = take "SWALE_COLLECTION", tag = take "SWALE_TAG",
    attempt = math.tointeger(tonumber(take "SWALE_ATTEMPT")) or 1 }
  return taken
end

return M
