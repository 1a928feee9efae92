--- The directories of runs: below one root, each with a name of its own.
local errors = require "swale.errors"
local folders = require "swale.folders"

local M = {}

---Returns the root: SWALE_RUNS, or runs/ in the current folder.
---@return string
function M.root()
  local given = os.getenv "SWALE_RUNS"
  return given and given ~= "" and given or "runs"
end

--- Four letters or digits. Not from math.random, which a script may have seeded.
local function suffix(attempt)
  local uv = require "luv"
  -- whole numbers, which wrap around; luv gives some of its as floats
  local time, pid = math.floor(uv.hrtime() / 1000), math.floor(uv.os_getpid())
  local x = time * 2654435761 + pid * 40503 + attempt * 69621
  local letters = {}
  for i = 1, 4 do
    x = x ~ (x >> 17)
    x = x * 0x9E3779B97F4A7C15
    local digit = ((x >> 33) % 36) + 1
    letters[i] = ("0123456789abcdefghijklmnopqrstuvwxyz"):sub(digit, digit)
  end
  return table.concat(letters)
end

local function refuse(root, message, code)
  errors.environment(("the run's directory cannot be made in %s: %s.\n  SWALE_RUNS names another"
    .. " place."):format(root, message), code)
end

---Makes the directory of a run. mkdir is atomic, so two processes never share one.
---@param name string   of the experiment
---@return string dir
function M.make(name)
  local uv, root = require "luv", M.root()
  local ok, message, code = folders.make_folder(root)
  if not ok then refuse(root, message, code) end
  local safe = name:gsub("[^%w%-_.]+", "-")
  for attempt = 1, 100 do
    local dir = ("%s/%s_%s_%s"):format(root, os.date "%Y-%m-%d", safe, suffix(attempt))
    local made, problem, fault = uv.fs_mkdir(dir, 511)
    if made then return dir end
    if fault ~= "EEXIST" then refuse(root, folders.words(problem), "EIO") end
  end
  return refuse(root, "a hundred names are taken", "EIO")
end

---Goes to the folder that a run was started in, where its script finds its files, if it is there.
---@param dir string     of the run
---@param info table
---@return string dir    as it is called from there
function M.enter(dir, info)
  local uv = require "luv"
  local full = uv.fs_realpath(dir)
  if not full or not info.cwd or not folders.is_folder(info.cwd) then return dir end
  uv.chdir(info.cwd)
  local named = M.root() .. "/" .. full:match "[^/]*$"
  return uv.fs_realpath(named) == full and named or full
end

return M
