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

---@class swale.RunOrigin
---@field collection string|nil
---@field tag string|nil
---@field attempt integer
---@field claims swale.ClaimDigests|nil   those that a run is to decide

--- Digests come as JSON.
local function claims()
  local text = take "SWALE_CLAIMS"
  return text and require("swale.core").json_decode(text) or nil
end

---Sets it in the process that judges the runs.
---@param o { collection: string, claims: swale.ClaimDigests }
function M.set(o) taken = { collection = o.collection, claims = o.claims, attempt = 1 } end

---@return swale.RunOrigin
function M.get()
  taken = taken or { collection = take "SWALE_COLLECTION", tag = take "SWALE_TAG",
    attempt = math.tointeger(tonumber(take "SWALE_ATTEMPT")) or 1, claims = claims() }
  return taken
end

return M
