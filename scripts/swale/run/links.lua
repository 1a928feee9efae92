--- Second names of files, which take no space where the file system has hard links.
local errors = require "swale.errors"
local folders = require "swale.folders"

local M = {}

---Gives a file another name; the file of that name is replaced at once. Copies it where the file
---system has no links.
---@param from string
---@param to string
function M.make(from, to)
  local uv = require "luv"
  local temporary = ("%s.swale.tmp.%d"):format(to, math.tointeger(uv.os_getpid()))
  folders.remove(temporary)
  local ok, problem = uv.fs_link(from, temporary)
  if not ok then ok, problem = uv.fs_copyfile(from, temporary) end
  if ok then ok, problem = uv.fs_rename(temporary, to) end
  folders.remove(temporary) -- renaming one link to another of the same file does nothing
  if not ok then errors.environment(("%s: %s"):format(to, folders.words(problem)), "EIO") end
end

return M
