--- The status of a run: as in run.json, unless that is "running" and the writer does not exist any
--- more. The writer holds a lock on a file in the run's directory; on file systems without locks,
--- its process is looked up.
local core = require "swale.core"
local folders = require "swale.folders"

local M = {}

local RESERVE = 1 << 14 -- bytes, reserved so that the end of a run can be written on a full disk

local function lock_path(dir) return dir .. "/.lock" end

local function host() return require "luv".os_gethostname() end

local function boot_id()
  local text = folders.read "/proc/sys/kernel/random/boot_id"
  return text and text:match "^[%x-]+"
end

--- When a process began, in ticks since the machine started: field 22 of /proc/PID/stat, the 20th
--- behind the name, which may contain anything.
local function start_of(pid)
  local text = folders.read(("/proc/%d/stat"):format(pid))
  local n = 0
  for word in (text and text:match ".*%)(.*)" or ""):gmatch "%S+" do
    n = n + 1
    if n == 20 then return math.tointeger(tonumber(word)) end
  end
  return nil
end

---Identifies the writer of a record: no two processes have the same values.
---@return { host: string, pid: integer, process_start: integer?, boot_id: string? }
function M.writer()
  local pid = math.tointeger(require "luv".os_getpid())
  return { host = host(), pid = pid, process_start = start_of(pid), boot_id = boot_id() }
end

---Marks a run's directory as being written by this process.
---@param dir string
---@return swale.Lock|nil   nil: the file system has no locks
function M.hold(dir)
  local lock = core.hold(lock_path(dir))
  local file = lock and io.open(lock_path(dir), "wb")
  if file then
    file:write(("\0"):rep(RESERVE))
    file:close()
  end
  return lock
end

--- Frees the reserved space.
local function free_reserve(dir)
  local file = io.open(lock_path(dir), "wb")
  if file then file:close() end
end

---Whether a process holds a directory; nil: that cannot be found out.
---@param dir string
---@return boolean|nil
function M.is_held(dir) return (core.is_held(lock_path(dir))) end

---Replaces a file of a directory that is held; on a full disk by using the reserved space.
---@param dir string
---@param name string
---@param text string
---@return true|nil ok, string? message, string? code
function M.write(dir, name, text)
  local path = dir .. "/" .. name
  local ok, message, code = core.write_file(path, text)
  if code ~= "ENOSPC" then return ok, message, code end
  free_reserve(dir)
  return core.write_file(path, text)
end

---Ends the writing of a run's directory.
---@param dir string
---@param lock swale.Lock|nil
function M.release(dir, lock)
  folders.remove(lock_path(dir))
  if lock then lock:release() end
end

local function is_alive(info)
  local pid = math.tointeger(info.pid)
  if not pid or info.boot_id and info.boot_id ~= boot_id() then return false end
  if info.process_start then return start_of(pid) == info.process_start end
  return require "luv".kill(pid, 0) ~= nil
end

---Returns the status of a run: "killed" if run.json has "running" and its writer does not exist any
---more, "running on HOST" if it is on another machine, where that is not known.
---@param dir string
---@param info table   what run.json holds
---@return string
function M.of(dir, info)
  if info.status ~= "running" then return info.status end
  local held = M.is_held(dir)
  if held then return "running" end
  local there = info.host or type(info.machine) == "table" and info.machine.host
  if there and there ~= host() then return "running on " .. tostring(there) end
  return held == nil and is_alive(info) and "running" or "killed"
end

local function is_unfinished(path)
  local stat = path:find "%.%l+%.tmp%.%d+$" and require "luv".fs_lstat(path)
  return stat and stat.type == "file"
end

---Removes the unfinished files that a killed writer left.
---@param dir string
function M.clear_unfinished(dir)
  for _, folder in ipairs { dir, dir .. "/checkpoints", dir .. "/plots" } do
    local stat = require "luv".fs_lstat(folder)
    for _, name in ipairs(stat and stat.type == "directory" and folders.entries(folder) or {}) do
      if is_unfinished(folder .. "/" .. name) then folders.remove(folder .. "/" .. name) end
    end
  end
end

---Removes all that a killed writer left besides its records, unless another one has begun.
---@param dir string
function M.clear(dir)
  local lock, _, code = core.hold(lock_path(dir))
  if code == "EHELD" then return end
  M.clear_unfinished(dir)
  M.release(dir, lock)
end

return M
