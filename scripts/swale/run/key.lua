--- Which work a run has done, as a content key: release, script, resolved parameters and seed. A
--- finished run of the same key, whose input files are unchanged, makes the work superfluous.
--- Threads, jobs and the place of the script are not part of it.
local core = require "swale.core"
local folders = require "swale.folders"
local place = require "swale.run.place"
local records = require "swale.run.record"
local standing = require "swale.run.status"

local M = {}

local digests = {} -- by path: of files that this process has read, with size, times and inode

local function mark_of(stat)
  return ("%d %d %d.%d"):format(stat.ino, stat.size, stat.mtime.sec, stat.mtime.nsec)
end

--- The digest of a file, read again only if it was written since.
local function digest_of(path)
  local stat = require "luv".fs_stat(path)
  if not stat or stat.type ~= "file" then return nil end
  local mark = mark_of(stat)
  local known = digests[path]
  if not known or known.mark ~= mark then
    known = { mark = mark, sha256 = (core.file_sha256(path)) }
    digests[path] = known
  end
  return known.sha256
end

---@class swale.KeyParts
---@field script? string           the path of the script
---@field script_sha256? string    its digest, where it is known
---@field params table<string, any>   all, resolved
---@field seed integer

---@param o swale.KeyParts
---@return string|nil key   64 hexadecimal digits; nil: the script cannot be read
function M.of(o)
  local digest = o.script_sha256 or digest_of(o.script)
  return digest and core.sha256(core.json_encode { swale = core._VERSION, script = digest,
    params = o.params, seed = o.seed })
end

-- ------------------------------------------------------------------ unchanged files

local function set_changed(entry)
  local manifests, cache = require "swale.data.manifests", require "swale.data.cache"
  if not manifests.sets[entry.path] then return "the data set %s is not known any more" end
  if entry.sha256 == "missing" then
    return cache.state(entry.path) ~= "missing" and "the data set %s is here now" or nil
  end
  return cache.digest(entry.path) ~= entry.sha256 and "the data set %s has changed" or nil
end

--- A relative path is looked up here and, if it is not, in the folder where the run began.
local function file_changed(entry, cwd)
  local digest = digest_of(entry.path)
  if not digest and cwd and entry.path:sub(1, 1) ~= "/" then
    digest = digest_of(cwd .. "/" .. entry.path)
  end
  if not digest then return "%s is not there any more" end
  return digest ~= entry.sha256 and "%s has changed" or nil
end

---Why a run's input files are not those of today.
---@param info table        run.json, decoded
---@param kinds? table<string, boolean>   of files that are looked at; all
---@return string|nil why   nil: they are
function M.changed(info, kinds)
  for _, entry in ipairs(type(info.files) == "table" and info.files or {}) do
    local why
    if not kinds or kinds[entry.kind] then
      why = entry.set and set_changed(entry) or not entry.set and file_changed(entry, info.cwd)
    end
    if why then return why:format(entry.path) end
  end
  return nil
end

-- ------------------------------------------------------------------ finished runs

local known -- directories by key; of the root
local known_root

local function add(key, dir)
  known[key] = known[key] or {}
  table.insert(known[key], dir)
end

--- Only the keys are kept, so that many runs take little memory.
local function scan(root)
  known, known_root = {}, root
  for _, name in ipairs(folders.entries(root)) do
    local text = folders.read(("%s/%s/run.json"):format(root, name))
    local key = text and text:match '\n  "key": "(%x+)"'
    if key then add(key, root .. "/" .. name) end
  end
end

---The directory of a finished run that has done the work. The runs are read once in the life of
---this process.
---@param key string
---@return string|nil dir
---@return string? why   nil, why: there is one, but its input files have changed
function M.find(key)
  if not known or known_root ~= place.root() then scan(place.root()) end
  local why
  for i = #(known[key] or {}), 1, -1 do
    local dir = known[key][i]
    local info = records.read(dir .. "/run.json")
    if info and info.status == "done" and info.key == key then
      local changed = M.changed(info)
      if not changed then return dir end
      why = why or ("%s since %s"):format(changed, dir:match "[^/]*$")
    end
  end
  return nil, why
end

local UNFINISHED = { running = true, interrupted = true, killed = true, timeout = true,
  ["failed: disk full"] = true }

---A run that began the work and did not end it: one that is running, else the newest that was ended
---from outside and whose input files are unchanged.
---@param key string
---@return string|nil dir
---@return string? status
function M.unfinished(key)
  if not known or known_root ~= place.root() then scan(place.root()) end
  local newest, found
  for _, dir in ipairs(known[key] or {}) do
    local info = records.read(dir .. "/run.json")
    local status = info and info.key == key and standing.of(dir, info)
    if status == "running" then return dir, status end
    if UNFINISHED[status] and not M.changed(info)
      and not (found and found.started > tostring(info.started)) then
      newest, found = dir, { started = tostring(info.started), status = status }
    end
  end
  return newest, found and found.status
end

---Forgets which runs there are.
function M.forget() known = nil end

return M
