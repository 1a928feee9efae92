--- The jobs of a batch that a cluster runs. jobs.jsonl in the record of the batch has a line for
--- each; slurm/NNNNNN.jsonl, its state, a line for each beginning and each end. The batch writes
--- the table, the process that does the job its state, so that either can be killed.
local collections = require "swale.batch.collection"
local core = require "swale.core"
local folders = require "swale.folders"
local lines = require "swale.run.lines"
local works = require "swale.batch.work"

local M = {}

---@class swale.JobEvent
---@field event "begin"|"end"
---@field pid integer         of the run's process
---@field host? string
---@field code? integer       of an end: exit status, signal, seconds
---@field signal? integer
---@field seconds? number
---@field timed_out? boolean
---@field step? integer       that the run had reached
---@field final? boolean      nothing follows; else Slurm may start the job again

---@class swale.Job
---@field work integer        as in members.jsonl, with attempt, script, overrides, seed
---@field options table       of the command: threads, memory
---@field env table<string, string|false>
---@field output string       the file that gets what it prints
---@field state string        the file of its state
---@field timeout? number     seconds
---@field resume? string      the run that it goes on with
---@field name string         of the Slurm job, and index: the task of its array
---@field index integer

---@class swale.JobTable
---@field path string
---@field folder string       of the states and of what Slurm writes
---@field count integer       of lines
local Table = {}
Table.__index = Table

---@param dir string   of the collection
---@return swale.JobTable
function M.open(dir)
  local errors = require "swale.errors"
  dir = errors.check(require "luv".fs_realpath(dir))
  errors.check(folders.make_folder(dir .. "/slurm"))
  return setmetatable({ path = dir .. "/jobs.jsonl", folder = dir .. "/slurm", count = 0,
    file = errors.check(lines.open(dir .. "/jobs.jsonl")) }, Table)
end

--- Makes an empty file. It is there before its writer on another machine begins, because file
--- systems of clusters remember for a while that a file is missing.
local function touch(path)
  local file, problem = io.open(path, "ab")
  if not file then return nil, problem end
  return file:close()
end

local function record_of(task, o, state, name, index)
  return { work = task.number, attempt = task.attempt, script = task.work.script,
    overrides = task.work.overrides, seed = task.work.seed, options = o, env = task.env,
    output = task.output, timeout = task.timeout, resume = task.work.resume, state = state,
    name = name, index = index }
end

---Appends the jobs of an array.
---@param tasks swale.BatchTask[]
---@param o table    options of the command
---@param name string
---@return swale.Job[]|nil jobs, string? message
function Table:append(tasks, o, name)
  local jobs = {}
  for i, task in ipairs(tasks) do
    local state = ("%s/%06d.jsonl"):format(self.folder, self.count + i)
    local job = record_of(task, o, state, name, i - 1)
    local ok, message = touch(state)
    if ok then ok, message = self.file:write(core.json_encode(job) .. "\n") end
    if not ok then return nil, message end
    jobs[i] = job
  end
  self.count = self.count + #jobs
  return jobs
end

---Ends the table and removes what Slurm has left empty.
function Table:close()
  self.file:close()
  for _, name in ipairs(folders.entries(self.folder)) do
    local path = self.folder .. "/" .. name
    if name:find "%.txt$" and folders.size(path) == 0 then folders.remove(path) end
  end
end

-- ------------------------------------------------------------------ states

---Returns the events of a job so far, without an incomplete last one.
---@param path string   of its state
---@return swale.JobEvent[]
function M.events(path)
  local list = {}
  for line in (folders.read(path) or ""):gmatch "([^\n]*)\n" do
    local event = core.json_decode(line)
    if type(event) == "table" then list[#list + 1] = event end
  end
  return list
end

---@param path string   of the state
---@param event swale.JobEvent
---@return true|nil ok, string? message
function M.note(path, event)
  local file, message = lines.open(path)
  if not file then return nil, message end
  local ok
  ok, message = file:write(core.json_encode(event) .. "\n")
  if ok then ok, message = require "luv".fs_fsync(file.fd) end
  file:close()
  return ok and true or nil, message
end

---Returns line n of a table.
---@param path string
---@param n integer
---@return swale.Job|nil job, string? message
function M.read(path, n)
  local file, message = io.open(path, "rb")
  if not file then return nil, message end
  local text
  for line in file:lines() do
    n = n - 1
    if n == 0 then text = line break end
  end
  file:close()
  local job = text and core.json_decode(text)
  if type(job) == "table" then return job end
  return nil, path .. ": there is no such line"
end

-- ------------------------------------------------------------------ what a batch has left

local function is_left(dir)
  local info = core.json_decode(folders.read(dir .. "/collection.json") or "")
  return type(info) == "table" and info.executor == "slurm" and info.status ~= "done"
    and info.cwd == require "luv".cwd() and folders.exists(dir .. "/jobs.jsonl")
    and core.is_held(dir .. "/.lock") ~= true
end

local function is_ended(job)
  local events = M.events(job.state)
  return #events > 0 and events[#events].final == true
end

---Returns the jobs without an end, of batches of this folder that no process leads any more.
---They may be in the cluster's queue.
---@return table<string, swale.Job> jobs   by the identity of the work
function M.left()
  local jobs = {}
  for _, dir in ipairs(collections.all()) do
    local file = is_left(dir) and io.open(dir .. "/jobs.jsonl", "rb")
    for line in file and file:lines() or function() end do
      local job = core.json_decode(line)
      if type(job) == "table" and not is_ended(job) then jobs[works.identity(job)] = job end
    end
    if file then file:close() end
  end
  return jobs
end

return M
