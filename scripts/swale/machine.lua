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

-- ------------------------------------------------------------------ revisions

local LONGEST_CHANGES = 1 << 20 -- bytes

---@class swale.Revision
---@field commit string
---@field dirty boolean            files under version control differ from it
---@field changes? string          in which way, as `git diff` says
---@field changes_file? string     the file that has them

---The root of the repository that a file is in. Looks for .git, which is cheaper than starting git.
---@param path string
---@return string|nil
function M.root(path)
  local uv = require "luv"
  local folder = uv.fs_realpath(path:match "^(.*)/[^/]*$" or ".")
  while folder do
    if uv.fs_stat(folder .. "/.git") then return folder end
    folder = folder:match "^(.+)/[^/]+$"
  end
  return nil
end

local function git(root, words, o)
  o.env = { GIT_OPTIONAL_LOCKS = "0" }
  return process.run(table.move(words, 1, #words, 4, { "git", "-C", root }), o)
end

local function changes_of(root)
  local result = git(root, { "diff", "--no-color", "--no-ext-diff", "--no-textconv", "HEAD" },
    { timeout = 5, limit = LONGEST_CHANGES })
  if not result then return nil end
  local cut = result.too_long and "\n(cut here: it is longer)\n" or ""
  return result.out:sub(1, LONGEST_CHANGES) .. cut
end

---Asks git for the commit of a work tree, and what differs from it.
---@param root string
---@return swale.Revision|nil
function M.ask(root)
  local result = git(root, { "status", "--porcelain=v2", "--branch", "--untracked-files=no" },
    { timeout = 2 })
  if not result or result.code ~= 0 then return nil end
  local commit = result.out:match "# branch%.oid (%x+)"
  if not commit then return nil end
  local dirty = (result.out:find "\n[12u?]" or 0) > 0
  return { commit = commit, dirty = dirty, changes = dirty and changes_of(root) or nil }
end

---The revision of the repository that a file is in: from SWALE_REVISIONS, where a batch asked for
---all its children, or from git.
---@param path string
---@return swale.Revision|nil
function M.revision(path)
  local root = M.root(path)
  if not root then return nil end
  local known = (core.json_decode(os.getenv "SWALE_REVISIONS" or "") or {})[root]
  if type(known) ~= "table" then return M.ask(root) end
  return not known.unknown and known or nil
end

return M
