--- Whether a piece of work is done already, is being done by another batch, or failed before.
---
--- Work that is being done is claimed by a held lock on a file that its content key names, so that
--- two batches at once share the work. Then the file names the run that did it, for batches that
--- looked at the runs before; the last batch that ends removes these files.
local collection = require "swale.batch.collection"
local core = require "swale.core"
local folders = require "swale.folders"
local keys = require "swale.run.key"
local place = require "swale.run.place"
local records = require "swale.run.record"
local standing = require "swale.run.status"
local works = require "swale.batch.work"

local M = {}

---@class swale.WorkHistory
---@field claims table<string, swale.Lock>   held, by key
---@field waited table<string, boolean>       keys of work that others were doing
local History = {}
History.__index = History

--- The outcome of each piece of work when it was last run, in any batch.
local function last_outcomes()
  local outcomes = {}
  for _, dir in ipairs(collection.all()) do
    for event in collection.events(dir) do
      if event.status ~= "skipped" and type(event.overrides) == "table" then
        outcomes[works.identity(event)] = event.status
      end
    end
  end
  return outcomes
end

---@param o swale.BatchOptions
---@return swale.WorkHistory
function M.new(o)
  return setmetatable({ force = o.force, claims = {}, waited = {}, root = place.root(),
    outcomes = o.failed_only and last_outcomes() or nil }, History)
end

local function claim_path(self, key) return ("%s/.claims/%s"):format(self.root, key) end

--- nil: another process holds it.
local function claim(self, key)
  local made = folders.make_folder(self.root .. "/.claims")
  local lock, _, code = core.hold(claim_path(self, key))
  if lock then self.claims[key] = lock end
  return lock ~= nil or not made or code ~= "EHELD"
end

--- The record of a run that is done.
local function info_of(dir)
  local info = records.read(dir .. "/run.json")
  return info and info.status == "done" and info or nil
end

--- The run that a claim names, and its run.json.
local function noted_run(self, key)
  local id = (folders.read(claim_path(self, key)) or ""):match "^[%w%-_.]+$"
  local dir = id and ("%s/%s"):format(self.root, id)
  local info = dir and info_of(dir)
  if info and info.key == key and not keys.changed(info) then return dir, info end
  return nil
end

--- The run that has done the work, and its run.json; nil, and why a run that did it does not count.
local function done_run(self, key)
  local dir, info = noted_run(self, key)
  if dir then return dir, info end
  local why
  dir, why = keys.find(key)
  if dir then return dir, info_of(dir) end
  return nil, why
end

---The content key of a piece of work; nil where it cannot be known.
---@param work swale.Work
---@return string|nil
function History:key(work)
  if not work.params or self.force then return nil end
  return keys.of { script = work.script, params = work.params, seed = work.seed }
end

---Returns the directory of a run if `swale resume` can go on with it: it has a checkpoint.
---@param run string|nil
---@return string|nil
function M.resumable(run)
  return run and #folders.entries(run .. "/checkpoints") > 0 and run or nil
end

local function no_failure(self, work)
  if not self.outcomes then return nil end
  local status = self.outcomes[works.identity(work)]
  if not status then return "it has not run before" end
  return status == "done" and "it was done the last time" or nil
end

local function done_text(dir) return "done by " .. dir:match "[^/]+$" end

---Decides what to do with a piece of work: "later" while another process does it.
---@param work swale.Work
---@param key string|nil
---@param dry? boolean        claims nothing
---@return "run"|"skip"|"later" verdict
---@return string? why
---@return string? run        that did it, or that is to be continued
---@return table? info        the run.json of one that did it
function History:judge(work, key, dry)
  local why, dir, info = no_failure(self, work), nil, nil
  if key then dir, info = done_run(self, key) end
  if why then return "skip", why, dir, dir and info end -- a sweep is told its result
  if not key then return "run" end
  if dir then return "skip", done_text(dir), dir, info end
  local held, refused = "another process is doing it", info
  if dry and core.is_held(claim_path(self, key)) then return "later", held end
  if not dry and not claim(self, key) then
    self.waited[key] = true
    return "later", held
  end
  if self.waited[key] then keys.forget() end -- what others began is to be found, too
  self.waited[key] = nil
  local begun, status = keys.unfinished(key)
  dir, info = done_run(self, key) -- done since the first look
  if not dir and status ~= "running" then
    begun = M.resumable(begun)
    return "run", begun and "goes on with " .. begun:match "[^/]+$" or refused, begun
  end
  self:release(key)
  if dir then return "skip", done_text(dir), dir, info end
  return "later", held
end

--- Writes into the file that is locked: another one under its name would not be.
local function note(path, text)
  local file = io.open(path, "wb")
  if not file then return end
  file:write(text)
  file:close()
end

---Ends the claim on a piece of work.
---@param key string|nil
---@param run? string     the directory of the run that did it
function History:release(key, run)
  local lock = key and self.claims[key]
  if not lock then return end
  local path = claim_path(self, key)
  if run then note(path, run:match "[^/]+$") else folders.remove(path) end
  lock:release()
  self.claims[key] = nil
end

--- Whether another batch is running: it holds the lock of its collection.
local function others_run(root, own)
  for _, name in ipairs(folders.entries(root)) do
    local dir = root .. "/" .. name
    if name ~= own and (name:find "_batch_" or name:find "_sweep_")
      and standing.is_held(dir) and folders.exists(dir .. "/collection.json") then
      return true
    end
  end
  return false
end

--- Removes the files that no process holds: a batch that has just begun may hold some.
local function remove_claims(folder)
  for _, name in ipairs(folders.entries(folder)) do
    local path = folder .. "/" .. name
    local lock = core.hold(path)
    if lock then
      folders.remove(path)
      lock:release()
    end
  end
  require("luv").fs_rmdir(folder) -- unless there are others
end

---Ends the claims.
---@param own string   the id of this batch
function History:close(own)
  for key in pairs(self.claims) do self:release(key) end
  local folder = self.root .. "/.claims"
  if folders.exists(folder) and not others_run(self.root, own) then remove_claims(folder) end
end

return M
