--- Which run or collection a word of a command line means: a path, a name below the root, a unique
--- part of one, or "last", the one that began last.
local folder = require "swale.store.folder"
local folders = require "swale.folders"
local place = require "swale.run.place"
local records = require "swale.run.record"

local M = {}

local SHOWN = 6 -- names in a message

local FILES = { run = "/run.json", collection = "/collection.json" }

--- When a run or collection began, to the second; then by when its directory was made.
local function began(dir, info)
  local stat = require "luv".fs_stat(dir)
  local birth = stat and stat.birthtime or { sec = 0, nsec = 0 }
  local started = type(info.started) == "string" and info.started or ""
  return ("%s %012d.%09d"):format(started, birth.sec, birth.nsec)
end

--- The entry that began last: its directory, its JSON and the time; nil without entries.
local function last(root, entries)
  local best, latest
  for _, entry in ipairs(entries) do
    local dir = root .. "/" .. entry.id
    local info = records.read(dir .. FILES[entry.kind]) or {}
    local time = began(dir, info)
    if not latest or time > latest then best, latest = { dir = dir, info = info }, time end
  end
  return best, latest
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

--- nil, message, and whether it means several.
local function by_part(text, kind, root, entries)
  local found = {}
  for _, entry in ipairs(entries) do
    if entry.id:find(text, 1, true) then found[#found + 1] = entry end
  end
  if #found == 1 then return root .. "/" .. found[1].id end
  if #found > 1 then
    return nil, ('"%s" is a part of the names of %d %ss: %s'):format(text, #found, kind,
      listed(found)), true
  end
  return nil, ('there is no %s "%s", neither at that path nor below %s%s'):format(kind, text, root,
    nearest(text, entries))
end

--- At that path, or below the root.
local function at_path(name, kind)
  for _, dir in ipairs { name, place.root() .. "/" .. name } do
    if folders.exists(dir .. FILES[kind]) then return dir end
  end
end

local function find(text, kind)
  local root, name = place.root(), text:gsub("(.)/+$", "%1")
  if name == "" then return nil, ("which %s? The name is empty"):format(kind) end
  local dir = at_path(name, kind)
  if dir then return dir end
  local entries = of_kind(root, kind)
  if name ~= "last" then return by_part(name, kind, root, entries) end
  local found = last(root, entries)
  if found then return found.dir end
  return nil, ("there is no %s below %s yet"):format(kind, root)
end

--- What was begun last: the run, or the batch or sweep that it is of, or one that skipped all.
local function last_of_all(root)
  local run, run_began = last(root, of_kind(root, "run"))
  local collection, collection_began = last(root, of_kind(root, "collection"))
  if not collection or run and collection_began < run_began
    and run.info.collection ~= collection.dir:match "[^/]+$" then
    return run and run.dir, "run"
  end
  return collection.dir, "collection"
end

--- The last batch of `swale reproduce` of a paper, one of the full size if there is any.
local function of_paper(root, name)
  local all, full = {}, {}
  for _, entry in ipairs(of_kind(root, "collection")) do
    local paper = (records.read(root .. "/" .. entry.id .. FILES.collection) or {}).paper
    if type(paper) == "table" and paper.name == name then
      all[#all + 1] = entry
      if paper.size == "full" then full[#full + 1] = entry end
    end
  end
  local best = last(root, #full > 0 and full or all)
  return best and best.dir
end

---@param text string
---@return string|nil dir, string? message
function M.run(text)
  local dir, message = find(text, "run")
  return dir, message
end

---The same for a batch or a sweep.
---@param text string
---@return string|nil dir, string? message
function M.collection(text)
  local dir, message = find(text, "collection")
  return dir, message
end

---For commands that take sets of runs: a run, else a batch or a sweep. "last" is what was begun
---last by a command: a batch or sweep, if the last run is of one. A paper's name is its last batch.
---@param text string
---@return string|nil dir, "run"|"collection"|string what   nil, message
function M.any(text)
  if text == "last" then
    local dir, kind = last_of_all(place.root())
    if dir then return dir, kind end
  end
  local batch = not at_path(text, "run") and of_paper(place.root(), text)
  if batch then return batch, "collection" end
  local dir, message, are_runs = find(text, "run")
  if dir then return dir, "run" end
  local collection, other, are_many = find(text, "collection")
  if collection then return collection, "collection" end
  return nil, are_many and not are_runs and other or message
end

return M
