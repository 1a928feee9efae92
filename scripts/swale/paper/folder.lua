--- The folder of a paper: found by its name, with what paper.lua and claims.lua return.
local cli = require "swale.cli"
local digests = require "swale.paper.digest"
local errors = require "swale.errors"
local folders = require "swale.folders"

local M = {}

---@class swale.PaperFolder
---@field path string
---@field name string
---@field paper swale.Paper
---@field claims swale.Claims
---@field text string                   of claims.lua
---@field digests swale.ClaimDigests

--- The folder `experiments` of this Swale: beside scripts/ in a checkout, in its data if installed.
local function experiments()
  local here = package.searchpath("swale.paper", package.path)
  local root = require("luv").fs_realpath(here):match "^(.*)/swale/paper/init%.lua$"
  for _, path in ipairs { root .. "/../experiments", root .. "/../../swale/experiments",
    root .. "/../../../swale/experiments" } do
    if folders.is_folder(path) then return require("luv").fs_realpath(path) end
  end
  return nil
end

--- Names of the folders that hold a paper.
---@return string[]
function M.names()
  local root, names = experiments(), {}
  for _, name in ipairs(root and folders.entries(root) or {}) do
    if folders.exists(("%s/%s/paper.lua"):format(root, name)) then names[#names + 1] = name end
  end
  return names
end

--- A path as it is called from here.
local function from_here(path)
  local here = require("luv").cwd() .. "/"
  return path:sub(1, #here) == here and path:sub(#here + 1) or path
end

---@param word string   a folder, or a name below experiments/
---@return string|nil path, string? message
function M.find(word)
  local path = word:gsub("(.)/+$", "%1"):gsub("/paper%.lua$", "")
  if folders.exists(path .. "/paper.lua") then return path end
  local root = experiments()
  local named = root and ("%s/%s"):format(root, word)
  if named and folders.exists(named .. "/paper.lua") then return from_here(named) end
  if folders.is_folder(path) then return nil, path .. ": there is no paper.lua in it" end
  local names = M.names()
  return nil, ('there is no paper "%s"%s There are: %s.'):format(word,
    errors.suggestion(word, names), #names > 0 and table.concat(names, ", ") or "none")
end

local function loaded(path, is, what)
  local chunk, message = cli.load_script(path)
  if not chunk then errors.environment(message, "EIO") end
  local value = chunk(path)
  if not is(value) then errors.environment(("%s must return %s"):format(path, what), "EINVAL") end
  return value
end

---Loads both files. Raises for what is wrong in them.
---@param path string
---@return swale.PaperFolder
function M.load(path)
  local at_claims = path .. "/claims.lua"
  local claims = loaded(at_claims, require("swale.paper.claims").is_claims, "sw.claims { … }")
  local paper = loaded(path .. "/paper.lua", require("swale.paper").is_paper, "sw.paper { … }")
  local text = errors.check(folders.read(at_claims))
  local name = require("luv").fs_realpath(path):match "[^/]+$"
  return { path = path, name = name, paper = paper, claims = claims, text = text,
    digests = digests.all(claims, path, text) }
end

return M
