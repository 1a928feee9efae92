--- The machine and the commit that the record of a run names.
local core = require "swale.core"
local process = require "swale.process"

local M = {}

local function first_match(path, pattern)
  local file = io.open(path)
  if not file then return nil end
  for line in file:lines() do
    local found = line:match(pattern)
    if found then
      file:close()
      return found
    end
  end
  file:close()
  return nil
end

---@class swale.Machine
---@field host string
---@field cpu string?
---@field cores integer
---@field os string

---@return swale.Machine
function M.describe()
  local uv = require "luv"
  local kernel = uv.os_uname()
  local system = first_match("/etc/os-release", '^PRETTY_NAME="?([^"]*)') or kernel.sysname
  return {
    host = uv.os_gethostname(), cores = core.cores(),
    cpu = first_match("/proc/cpuinfo", "^model name%s*:%s*(.*)"),
    os = ("%s, %s %s %s"):format(system, kernel.sysname, kernel.release, kernel.machine),
  }
end

--- Looks for .git first, which is cheaper than starting git.
local function is_in_repository(folder)
  local uv = require "luv"
  local path = uv.fs_realpath(folder)
  while path do
    if uv.fs_stat(path .. "/.git") then return true end
    path = path:match "^(.+)/[^/]+$"
  end
  return false
end

---Returns the commit of a folder, and whether files under version control differ from it.
---@param folder string
---@return { commit: string, dirty: boolean }|nil
function M.revision(folder)
  if not is_in_repository(folder) then return nil end
  local result = process.run({ "git", "-C", folder, "status", "--porcelain=v2", "--branch",
    "--untracked-files=no" }, { timeout = 2, env = { GIT_OPTIONAL_LOCKS = "0" } })
  if not result or result.code ~= 0 then return nil end
  local commit = result.out:match "# branch%.oid (%x+)"
  if not commit then return nil end
  return { commit = commit, dirty = (result.out:find "\n[12u?]" or 0) > 0 }
end

return M
