--- The files that this process reads as inputs of a run: its script, the modules that require
--- loads, data sets, and files of sw.load. Their digests tell whether the same work is done again.
--- Swale's own modules belong to the release, not here.
local core = require "swale.core"

local M = {}

---@class swale.InputFile
---@field path string          as it was opened; of a data set its name
---@field kind "script"|"module"|"data"|"load"
---@field sha256 string        of a data set: of what its manifest says; "missing": it was not here
---@field set? boolean         it is a data set with a manifest
---@field name? string         of a module

local list, by_path, written = {}, {}, {}
local texts = { modules = {} } -- of the script and of modules, which a run stores
local listener                 -- is told of modules that are loaded later
local own_folder               -- of the run: what it wrote is no input

local LIBRARY = debug.getinfo(1, "S").source:match "^@(.*/)run/inputs%.lua$"

local function add(entry)
  local known = (entry.set and "set " or "") .. entry.path
  if by_path[known] then return end
  by_path[known] = entry
  list[#list + 1] = entry
end

---Notes the script of this process, and forgets what an earlier one has read.
---@param path string
---@param text string
function M.script(path, text)
  list, by_path, written, texts = {}, {}, {}, { script = text, modules = {} }
  add { path = path, kind = "script", sha256 = core.sha256(text) }
end

---Notes a module that require loads.
---@param name string
---@param path string
---@param text string
function M.module(name, path, text)
  if LIBRARY and path:sub(1, #LIBRARY) == LIBRARY then return end
  add { path = path, kind = "module", sha256 = core.sha256(text), name = name }
  texts.modules[name] = text
  if listener then listener(name, text) end
end

---Notes a file that is read, unless this process or its run wrote it.
---@param path string
---@param kind "data"|"load"
function M.file(path, kind)
  if by_path[path] or written[path] then return end
  if own_folder and path:sub(1, #own_folder) == own_folder then return end
  local digest = core.file_sha256(path)
  if digest then add { path = path, kind = kind, sha256 = digest } end
end

---Notes that this process has written a file.
---@param path string
function M.wrote(path) written[path] = not by_path[path] or nil end

---Notes a data set with a manifest.
---@param name string
---@param digest string   of its manifest, or "missing"
function M.set(name, digest) add { path = name, kind = "data", sha256 = digest, set = true } end

---Returns the inputs so far, in the order in which they were read first.
---@return swale.InputFile[]
function M.list() return table.move(list, 1, #list, 1, {}) end

---Returns the texts of the script and of the modules by name.
---@return { script: string?, modules: table<string, string> }
function M.texts() return texts end

---Begins or ends the run of this process.
---@param folder string|nil                           its directory; nil: it has ended
---@param f? fun(name: string, text: string)          is called for modules loaded from now on
function M.follow(folder, f)
  own_folder, listener = folder and folder .. "/", f
end

return M
