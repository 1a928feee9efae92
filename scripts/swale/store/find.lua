--- Which run or collection a word of a command line means: a path, a name below the root, a unique
--- part of one, or "last", the run that began last.
local folder = require "swale.store.folder"
local folders = require "swale.folders"
local place = require "swale.run.place"

local M = {}

local SHOWN = 6 -- names in a message

local FILES = { run = "/run.json", collection = "/collection.json" }

--- When a run began, to the second; then by when its directory was made.
local function began(root, entry)
  local info = require("swale.core").json_decode(folders.read(root .. "/" .. entry.id
    .. "/run.json") or "")
  local stat = require "luv".fs_stat(root .. "/" .. entry.id)
  local birth = stat and stat.birthtime or { sec = 0, nsec = 0 }
  local started = type(info) == "table" and type(info.started) == "string" and info.started or ""
  return ("%s %012d.%09d"):format(started, birth.sec, birth.nsec)
end

local function last(root, entries)
  local best, latest
  for _, entry in ipairs(entries) do
    local time = began(root, entry)
    if not latest or time > latest then best, latest = entry, time end
  end
  return best
end

local function listed(entries)
  local names = {}
  for i = 1, math.min(#entries, SHOWN) do names[i] = entries[i].id end
  if #entries > SHOWN then names[#names + 1] = ("%d more"):format(#entries - SHOWN) end
  return table.concat(names, ", ")
end

local function of_kind(root, kind)
  local list = {}
  for _, entry in ipairs(folder.list(root)) do
    if entry.kind == kind then list[#list + 1] = entry end
  end
  return list
end

local function nearest(text, entries)
  local names = {}
  for i, entry in ipairs(entries) do names[i] = entry.id end
  local near = require("swale.errors").nearest(text, names)
  return near and "; did you mean " .. near .. "?" or ""
end

local function by_part(text, kind, root, entries)
  local found = {}
  for _, entry in ipairs(entries) do
    if entry.id:find(text, 1, true) then found[#found + 1] = entry end
  end
  if #found == 1 then return root .. "/" .. found[1].id end
  if #found > 1 then
    return nil, ('"%s" is a part of the names of %d %ss: %s'):format(text, #found, kind,
      listed(found))
  end
  return nil, ('there is no %s "%s", neither at that path nor below %s%s'):format(kind, text, root,
    nearest(text, entries))
end

local function find(text, kind)
  local root, name = place.root(), text:gsub("(.)/+$", "%1")
  if name == "" then return nil, ("which %s? The name is empty"):format(kind) end
  for _, dir in ipairs { name, root .. "/" .. name } do
    if folders.exists(dir .. FILES[kind]) then return dir end
  end
  local entries = of_kind(root, kind)
  if name ~= "last" then return by_part(name, kind, root, entries) end
  local entry = kind == "run" and last(root, entries) or entries[#entries]
  if entry then return root .. "/" .. entry.id end
  return nil, ("there is no %s below %s yet"):format(kind, root)
end

---@param text string
---@return string|nil dir, string? message
function M.run(text) return find(text, "run") end

---The same for a batch or a sweep.
---@param text string
---@return string|nil dir, string? message
function M.collection(text) return find(text, "collection") end

return M
