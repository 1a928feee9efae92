--- Removing runs and collections. A directory is first renamed to a hidden one, so that a kill
--- leaves no half of a run; what a kill left is removed the next time.
local core = require "swale.core"
local folders = require "swale.folders"
local records = require "swale.run.record"
local standing = require "swale.run.status"

local M = {}

local HIDDEN = ".removed_"
local HELD = "a process is about to write it"

local function split(dir)
  local clean = dir:gsub("(.)/+$", "%1")
  return clean:match "^(.*)/[^/]*$" or ".", clean:match "[^/]*$"
end

--- Why a directory is not removed: it is elsewhere, a link, or being written.
local function obstacle(root, dir)
  local uv = require "luv"
  local parent, name = split(dir)
  local stat = uv.fs_lstat(dir)
  if not stat or stat.type ~= "directory" then return "it is not a directory but a link" end
  if name == "." or name == ".." or uv.fs_realpath(parent) ~= uv.fs_realpath(root) then
    return "it is not in " .. root
  end
  for _, file in ipairs { "/run.json", "/collection.json" } do
    local info = records.read(dir .. file)
    local status = info and standing.of(dir, info)
    if type(status) == "string" and status:find "^running" then
      return "it is " .. status
    end
  end
  return standing.is_held(dir) and HELD or nil
end

---What keeps directories from being removed: the first obstacle; nil if there is none.
---@param root string
---@param dirs string[]
---@return string|nil
function M.obstacle(root, dirs)
  for _, dir in ipairs(dirs) do
    local why = obstacle(root, dir)
    if why then return dir .. ": " .. why end
  end
  return nil
end

---The bytes of all files in a folder.
---@param path string
---@return integer
function M.bytes(path)
  local stat = require "luv".fs_lstat(path)
  if not stat then return 0 end
  if stat.type ~= "directory" then return stat.size end
  local sum = 0
  for _, name in ipairs(folders.entries(path)) do sum = sum + M.bytes(path .. "/" .. name) end
  return sum
end

--- What a kill left of earlier removals.
local function clear(root)
  for _, name in ipairs(folders.entries(root)) do
    if name:sub(1, #HIDDEN) == HIDDEN then folders.remove(root .. "/" .. name) end
  end
end

--- Hides a directory. The lock keeps `swale resume` from beginning meanwhile.
local function hide(root, dir, hidden)
  local why = obstacle(root, dir)
  if why then return nil, why end
  local lock, _, code = core.hold(dir .. "/.lock")
  if code == "EHELD" then return nil, HELD end
  local ok, problem = folders.rename(dir, hidden)
  if not ok then
    standing.release(dir, lock)
    return nil, problem
  end
  if lock then lock:release() end
  return true
end

---Removes directories of runs and collections below the root.
---@param root string
---@param dirs string[]
---@return integer removed
---@return string[] problems
function M.all(root, dirs)
  local removed, problems = 0, {}
  clear(root)
  for _, dir in ipairs(dirs) do
    local parent, name = split(dir)
    local hidden = ("%s/%s%s"):format(parent, HIDDEN, name)
    local ok, why = hide(root, dir, hidden)
    if ok then
      folders.remove(hidden)
      removed = removed + 1
    else
      problems[#problems + 1] = ("%s stays: %s"):format(name, why)
    end
  end
  return removed, problems
end

return M
