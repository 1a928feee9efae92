--- The record of a batch or a sweep: a directory with collection.json (what was asked for, and its
--- end), members.jsonl (a line for each beginning and each end of a piece of work) and output/,
--- what children printed that have no run. Its writer holds a lock, as that of a run does.
local core = require "swale.core"
local errors = require "swale.errors"
local folders = require "swale.folders"
local format = require "swale.run.format"
local lines = require "swale.run.lines"
local place = require "swale.run.place"
local records = require "swale.run.record"
local standing = require "swale.run.status"

local M = {}

---@class swale.Collection
---@field dir string
---@field id string
---@field problem string|nil   why members.jsonl cannot be written
local Collection = {}
Collection.__index = Collection

local function description(o, dir)
  local writer = standing.writer()
  local revision = require("swale.machine").revision "." or {}
  return {
    format = format.VERSION, kind = o.kind, id = dir:match "[^/]+$", argv = o.argv,
    cwd = require "luv".cwd(), commit = revision.commit, dirty = revision.dirty,
    started = records.now(), status = "running", executor = o.executor, tag = o.tag,
    total = o.source.total, settings = o.source.settings, strategy = o.source.strategy,
    paper = o.paper,
    jobs = o.jobs, threads = o.threads, pid = writer.pid, host = writer.host,
    process_start = writer.process_start, boot_id = writer.boot_id,
  }
end

local function write(self)
  return standing.write(self.dir, "collection.json", core.json_encode(self.info, 2) .. "\n")
end

local function begin(self, o)
  self.lock = standing.hold(self.dir)
  self.info = description(o, self.dir)
  errors.check(write(self))
  self.output = self.dir .. "/output"
  errors.check(folders.make_folder(self.output))
  for name, text in pairs(o.files or {}) do
    errors.check(core.write_file(("%s/%s"):format(self.dir, name), text))
  end
  self.members = errors.check(lines.open(self.dir .. "/members.jsonl"))
end

---Makes the directory and writes what is known at the start. Raises if it cannot.
---@param o swale.BatchOptions
---@return swale.Collection
function M.create(o)
  local dir = place.make(o.name and o.kind .. "_" .. o.name or o.kind)
  local self = setmetatable({ dir = dir, id = dir:match "[^/]+$" }, Collection)
  local ok, fault = pcall(begin, self, o)
  if ok then return self end
  folders.remove(dir) -- interrupted, or a full disk: there is nothing in it yet
  error(fault, 0)
end

---Appends an event of a piece of work. If that fails, self.problem says why.
---@param event table   work, script, overrides, seed, status, attempt, …
function Collection:note(event)
  local ok, message, code = self.members:write(core.json_encode(event) .. "\n")
  if ok or self.problem then return end
  self.problem = ("%s cannot be written: %s"):format(self.members.path,
    code == "ENOSPC" and "the disk is full" or message)
end

---Ends the record.
---@param status string
---@param counts { ran: integer, skipped: integer, failed: integer }
---@return true|nil ok, string? message
function Collection:finish(status, counts)
  self.info.status, self.info.counts, self.info.ended = status, counts, records.now()
  self.members:close()
  if #folders.entries(self.output) == 0 then folders.remove(self.output) end
  local ok, message = write(self)
  if not ok then return nil, message end
  standing.release(self.dir, self.lock)
  return true
end

-- ------------------------------------------------------------------ reading

local function are_texts(list)
  if type(list) ~= "table" then return false end
  for _, value in pairs(list) do if type(value) ~= "string" then return false end end
  return true
end

--- Whether a line has what each event has, in the types that Collection:note writes.
local function is_event(event)
  if type(event) ~= "table" then return false end
  local seconds = event.seconds or 0
  return math.type(event.work) == "integer" and math.type(event.seed) == "integer"
    and type(event.script) == "string" and type(event.status) == "string"
    and are_texts(event.overrides) and type(event.run or "") == "string"
    and type(seconds) == "number" and seconds >= 0 and seconds < 2 ^ 53
end

---Iterates over the events of a collection. What is not one, such as an incomplete last line, is
---left out.
---@param dir string
---@return fun(): table|nil
function M.events(dir)
  local file = io.open(dir .. "/members.jsonl", "rb")
  return function()
    for line in file and file:lines() or function() end do
      local event = core.json_decode(line)
      if is_event(event) then return event end
    end
    if file then file:close() end
    file = nil
  end
end

---The directories of the collections below the root, oldest first. Raises for a newer format.
---@return string[]
function M.all()
  local root, list = place.root(), {}
  for _, name in ipairs(folders.entries(root)) do
    local dir = root .. "/" .. name
    local path = dir .. "/collection.json"
    local info = records.read(path)
    if info then
      errors.check(format.check(path, info.format))
      list[#list + 1] = { dir = dir, started = tostring(info.started) }
    end
  end
  table.sort(list, function(a, b)
    if a.started ~= b.started then return a.started < b.started end
    return a.dir < b.dir
  end)
  for i, found in ipairs(list) do list[i] = found.dir end
  return list
end

return M
