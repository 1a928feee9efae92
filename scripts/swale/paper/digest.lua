--- Digests of claims, which each run of a reproduction keeps: a claim that was changed after its
--- runs is known by them.
local core = require "swale.core"
local folders = require "swale.folders"

local M = {}

--- The lines of a file, read once.
local function lines_of(path, cache)
  if cache[path] then return cache[path] end
  local lines = {}
  for line in ((folders.read(path)) or ""):gmatch "([^\n]*)\n?" do lines[#lines + 1] = line end
  cache[path] = lines
  return lines
end

local described, value_of

--- A key as text: its address would be another one in each process.
local function key_of(key, each, state)
  if type(key) ~= "table" and type(key) ~= "function" and type(key) ~= "userdata" then
    return tostring(key)
  end
  return core.json_encode { value_of(key, state), value_of(each, state) }
end

--- Plain data as it is; functions of the folder by their lines and what they use; of all else
--- only the type.
function value_of(value, state)
  if type(value) == "function" then return described(value, state) end
  if type(value) ~= "table" then
    return type(value) == "userdata" and "userdata" or { value }
  elseif getmetatable(value) or state.seen[value] then
    return "table"
  end
  state.seen[value] = true
  local copy = {}
  for key, each in pairs(value) do copy[key_of(key, each, state)] = value_of(each, state) end
  state.seen[value] = nil
  return copy
end

--- The lines of a function, and its upvalues: what it calls may change what it does.
function described(f, state)
  local info = debug.getinfo(f, "S")
  local path = info.source:match "^@(.*)"
  if not path or path:sub(1, #state.folder) ~= state.folder then return "function" end
  if state.seen[f] then return "again" end
  state.seen[f] = true
  local text = table.concat(lines_of(path, state.files), "\n", info.linedefined,
    info.lastlinedefined)
  local uses, i = {}, 1
  local name, value = debug.getupvalue(f, i)
  while name do
    if name ~= "_ENV" then uses[name] = value_of(value, state) end
    i = i + 1
    name, value = debug.getupvalue(f, i)
  end
  state.seen[f] = nil
  return { lines = text, uses = uses }
end

---The digest of a claim: its fields as canonical JSON; functions by the text of their lines and by
---what they use of the folder's files.
---@param claim swale.Claim
---@param folder string
---@return string
function M.of(claim, folder)
  return core.sha256(core.json_encode(value_of(claim, { folder = folder .. "/", files = {},
    seen = {} })))
end

---@class swale.ClaimDigests
---@field digest string               of claims.lua
---@field of table<string, string>    of each claim

---@param claims swale.Claims
---@param folder string
---@param text string   of claims.lua
---@return swale.ClaimDigests
function M.all(claims, folder, text)
  local of = {}
  for _, claim in ipairs(claims.list) do of[claim.id] = M.of(claim, folder) end
  return { digest = core.sha256(text), of = of }
end

return M
