--- Whether a piece of work is done already, is being done by another batch, or failed before.
---
--- Work that is being done is claimed by a held lock on a file that its content key names, so that
--- two batches at once share the work. The file has the run that came of it until the batch ends.
local collection = require "swale.batch.collection"
local core = require "swale.core"
local folders = require "swale.folders"
local place = require "swale.run.place"
local works = require "swale.batch.work"

local M = {}

---@class swale.WorkHistory
---@field claims table<string, swale.Lock>   held, by key
---@field left string[]                      paths of claims that name runs
local History = {}
History.__index = History

local function keys() return package.searchpath("swale.run.key", package.path) and
  require "swale.run.key" end

--- The outcome of each piece of work when it was done last, in any batch.
local function last_outcomes()
  local outcomes = {}
  for _, dir in ipairs(collection.all()) do
    for event in collection.events(dir) do
      if type(event.overrides) == "table" and math.type(event.seed) == "integer" then
        outcomes[works.identity(event)] = event.status
      end
    end
  end
  return outcomes
end

---@param o swale.BatchOptions
---@return swale.WorkHistory
function M.new(o)
  return setmetatable({ force = o.force, claims = {}, left = {}, root = place.root(),
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

--- The run that a batch which still runs has noted in a claim.
local function noted_run(self, key)
  local text = folders.read(claim_path(self, key))
  local run, batch = (text or ""):match "^([%w%-_.]+) ([%w%-_.]+)$"
  return run and core.is_held(("%s/%s/.lock"):format(self.root, batch))
    and ("%s/%s"):format(self.root, run) or nil
end

local function done_run(self, key)
  local dir = noted_run(self, key) or keys().find(key)
  local text = dir and folders.read(dir .. "/run.json")
  local info = text and core.json_decode(text)
  if type(info) == "table" and info.status == "done" then return dir, info end
  return nil
end

---The content key of a piece of work; nil where it cannot be known.
---@param work swale.Work
---@return string|nil
function History:key(work)
  local module = work.params and not self.force and keys()
  return module and module.of { script = work.script, params = work.params, seed = work.seed }
    or nil
end

local function no_failure(self, work)
  if not self.outcomes then return nil end
  local status = self.outcomes[works.identity(work)]
  if not status then return "it has not run before" end
  return status == "done" and "it was done the last time" or nil
end

---Decides what to do with a piece of work: "later" while another batch does it.
---@param work swale.Work
---@param key string|nil
---@param dry? boolean        claims nothing
---@return "run"|"skip"|"later" verdict
---@return string? why
---@return string? run        the run that did it
---@return table? info        its run.json
function History:judge(work, key, dry)
  local why = no_failure(self, work)
  if why then return "skip", why end
  if not key then return "run" end
  local dir, info = done_run(self, key)
  if dir then return "skip", "done: " .. dir, dir, info end
  if dry then
    local held = core.is_held(claim_path(self, key))
    return held and "later" or "run", held and "another batch is doing it" or nil
  end
  if not claim(self, key) then return "later", "another batch is doing it" end
  dir, info = done_run(self, key) -- done since the first look
  if not dir then return "run" end
  self:release(key)
  return "skip", "done: " .. dir, dir, info
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
---@param batch? string   the id of this batch
function History:release(key, run, batch)
  local lock = key and self.claims[key]
  if not lock then return end
  local path = claim_path(self, key)
  if run then
    note(path, ("%s %s"):format(run:match "[^/]+$", batch))
    self.left[#self.left + 1] = path
  else
    folders.remove(path)
  end
  lock:release()
  self.claims[key] = nil
end

---Removes what other batches do not need any more.
function History:close()
  for key in pairs(self.claims) do self:release(key) end
  for _, path in ipairs(self.left) do folders.remove(path) end
  require "luv".fs_rmdir(self.root .. "/.claims") -- if it is empty
end

return M
