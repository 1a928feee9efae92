--- source/ of a run: the script and the modules as they were executed, and what the work tree
--- differed from its commit, so that the run can be repeated when they have changed.
local core = require "swale.core"
local errors = require "swale.errors"
local folders = require "swale.folders"
local inputs = require "swale.run.inputs"
local machine = require "swale.machine"

local M = {}

local LONGEST = 1 << 20 -- bytes of a text that is stored

local function uv() return require "luv" end

--- A file name that no two names of modules share.
local function safe(name)
  return (name:gsub("[^%w_.%-]", function(c) return ("%%%02X"):format(c:byte()) end))
end

local function folder_of(dir) return dir .. "/source" end

---The path of a stored module.
---@param dir string    of the run
---@param name string   as require takes it
---@return string
function M.module_path(dir, name)
  return ("%s/modules/%s.lua"):format(folder_of(dir), safe(name))
end

---The path of the stored script.
---@param dir string
---@param script string   the path that the run was started with
---@return string
function M.script_path(dir, script) return folder_of(dir) .. "/" .. script:match "[^/]*$" end

---The path of what the work tree differed by.
---@param dir string
---@return string
function M.changes_path(dir) return folder_of(dir) .. "/changes.diff" end

--- Without core.write_file, which waits for the disk: 6 ms a file. A digest tells what is whole.
local function put(path, text)
  errors.check(folders.make_folder(path:match "^(.*)/"))
  local file, problem = io.open(path, "wb")
  local ok = file and file:write(text)
  if file then ok, problem = file:close() and ok, problem or path .. ": cannot be written" end
  if not ok then errors.environment(problem, "EIO") end
end

--- A text that is too long is replaced by a note, which `swale rerun` recognises by its digest.
local function put_code(path, text)
  if #text > LONGEST then
    text = ("-- not stored: %d bytes, more than %d\n"):format(#text, LONGEST)
  end
  put(path, text)
end

--- Links to the difference that the parent stored for all its children, or copies it.
local function put_changes(dir, revision)
  local path = M.changes_path(dir)
  if revision.changes_file and (uv().fs_link(revision.changes_file, path)
      or uv().fs_copyfile(revision.changes_file, path)) then
    return
  end
  if revision.changes then put(path, revision.changes) end
end

---Stores what this process executes, and the modules that it loads from now on.
---@param dir string                       of the run
---@param script string
---@param revision swale.Revision|nil
function M.store(dir, script, revision)
  local texts = inputs.texts()
  if not texts.script then return end
  put_code(M.script_path(dir, script), texts.script)
  for name, text in pairs(texts.modules) do put_code(M.module_path(dir, name), text) end
  if revision and revision.dirty then put_changes(dir, revision) end
  inputs.follow(dir, function(name, text) put_code(M.module_path(dir, name), text) end)
end

--- The revision as a child is told it: the difference is in a file.
local function told(root, folder)
  local revision = machine.ask(root) or { unknown = true }
  local changes = revision.changes
  revision.changes = nil
  local path = ("%s/changes-%s.diff"):format(uv().fs_realpath(folder), core.sha256(root):sub(1, 8))
  if changes and core.write_file(path, changes) then revision.changes_file = path end
  return core.json_encode { [root] = revision }
end

---Asks git once for all children: what their SWALE_REVISIONS holds, by the script.
---@param folder string      keeps the differences of work trees
---@return fun(script: string): string|false
function M.revisions(folder)
  local roots, texts = {}, {}
  return function(script)
    if roots[script] == nil then roots[script] = machine.root(script) or false end
    local root = roots[script]
    if root and not texts[root] then texts[root] = told(root, folder) end
    return root and texts[root]
  end
end

return M
