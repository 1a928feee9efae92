--- Runs many pieces of work, each in a process of its own, a few at a time: the half that
--- `swale batch` and `swale sweep` share. A source says what is to be done, a history what is done
--- already, an executor starts processes, a collection keeps the record, a report tells.
local collections = require "swale.batch.collection"
local histories = require "swale.batch.history"
local outcome = require "swale.batch.outcome"
local place = require "swale.run.place"
local reports = require "swale.batch.report"
local works = require "swale.batch.work"

local M = {}

local NAMED = 5 -- pieces of work that were not started, at the end

---@class swale.BatchOptions
---@field kind "batch"|"sweep"
---@field name? string            part of the record's directory
---@field argv string[]           the command, for the record
---@field source swale.WorkSource
---@field jobs integer|nil        at once; nil: as many as there is room for
---@field threads integer         that each computes with
---@field executor? string        "local", or "slurm": the module that runs the processes
---@field slurm? string[]         options of sbatch
---@field timeout? number         seconds for each
---@field retry? integer          attempts after the first one, of what was killed or out of time
---@field memory? integer         bytes for each; memory_text: as it was given
---@field fail_fast? boolean      nothing more after a failure
---@field force? boolean          repeat what is done
---@field failed_only? boolean    only what failed the last time
---@field dry_run? boolean        list, run nothing
---@field tag? string
---@field tensorboard? boolean    each run writes an event file
---@field objective? string      the result that the closing tables have first
---@field tables? boolean         false: no closing tables
---@field paper? table            for the record: what is reproduced
---@field files? table<string, string>   texts that the record keeps, by their names
---@field env? table<string, string>     of each process

---A piece of work on its way.
---@class swale.BatchTask: swale.PoolJob
---@field work swale.Work       what is done, which may be the end of a run
---@field asked swale.Work      what the source asked for
---@field number integer
---@field attempt integer
---@field key string|nil
---@field adopts swale.Job|nil  a job that a batch which was killed has left

---@class swale.ExecutorOptions: swale.ProcessPoolOptions
---@field returned fun(job: swale.PoolJob)   one that was asked for and is not begun
---@field collection swale.Collection
---@field batch swale.BatchOptions
---@field say fun(text: string)

local Batch = {}
Batch.__index = Batch

-- ------------------------------------------------------------------ the next task

--- An executor has run(o), as the pool; and may have adoptable(), the jobs of batches that were
--- killed, and show(o, count), what --dry-run prints.
local EXECUTORS = { ["local"] = "swale.batch.pool", slurm = "swale.batch.slurm" }

---@param name string
---@return table
function M.executor(name) return require(EXECUTORS[name]) end

local function note(self, task, fields)
  local work = task.work
  local event = { work = task.number, script = work.script, overrides = work.overrides,
    seed = work.seed, attempt = task.attempt }
  for name, value in pairs(fields) do event[name] = value end
  self.collection:note(event)
end

local function tell_source(self, task, result)
  if self.o.source.told then self.o.source.told(task.asked, result) end
end

local function skip(self, task, why, run, info)
  self.counts.skipped = self.counts.skipped + 1
  local result = { status = info and info.status or "skipped", code = 0, run = run, info = info,
    seconds = 0, attempt = task.attempt, skipped = true }
  note(self, task, { run = run and run:match "[^/]+$", status = result.status, skipped = true,
    why = why })
  self.report:skip(task, why, run)
  tell_source(self, task, result)
end

--- The work that goes on with a run, if there is one.
local function continued(work, run)
  return run and setmetatable({ resume = run }, { __index = work }) or work
end

--- Makes a task that of a job which a batch that was killed has left. Returns whether there is one.
local function adopts(self, task)
  local identity = next(self.left) and works.identity(task.work)
  local job = identity and self.left[identity]
  if not job then return false end
  self.left[identity], task.adopts = nil, job
  task.work, task.attempt = continued(task.work, job.resume), job.attempt
  return true
end

--- Judges a task. Returns it if it is to be done now; keeps it for later if others do it.
local function judged(self, task)
  if adopts(self, task) then return task end
  local verdict, why, run, info = self.history:judge(task.work, task.key)
  if verdict == "run" then
    task.work = continued(task.work, run)
    return task
  end
  if verdict == "later" then
    table.insert(self.later, task)
  else
    skip(self, task, why, run, info)
  end
  return nil
end

local function new_task(self, work)
  self.number = self.number + 1
  return { work = work, asked = work, number = self.number, attempt = 1,
    key = self.history:key(work) }
end

local function from_source(self)
  while not self.exhausted do
    local work = self.o.source.next()
    if work == "wait" then return work end
    if not work then
      self.exhausted = true
      return nil
    end
    local task = judged(self, new_task(self, work))
    if task then return task end
  end
  return nil
end

--- Tasks that other batches were doing, once around.
local function from_later(self)
  for _ = 1, #self.later do
    local task = judged(self, table.remove(self.later, 1))
    if task then return task end
  end
  if #self.later == 0 then return nil end
  self.report:waits(self.later[1])
  return "wait"
end

local function prepare(self, task)
  local o = self.o
  if task.adopts then
    task.output = task.adopts.output
    return task
  end
  task.argv = works.command(task.work, o)
  task.output = works.output(self.collection.output, task.number, task.work, task.attempt)
  task.timeout = o.timeout
  task.env = { SWALE_COLLECTION = self.collection.id, SWALE_TAG = o.tag or false,
    SWALE_ATTEMPT = tostring(task.attempt), SWALE_RUNS = self.runs,
    SWALE_REVISIONS = self.revisions(task.work.script) }
  for name, value in pairs(o.env or {}) do task.env[name] = value end
  return task
end

local function next_task(self)
  if self.o.fail_fast and self.counts.failed > 0 then return "stop" end
  if self.collection.problem then return nil end -- the running ones go on
  local task = table.remove(self.again, 1) or from_source(self)
  if type(task) ~= "table" then task = from_later(self) or task end
  if type(task) == "table" then
    self.running = self.running + 1
    return prepare(self, task)
  end
  if task == "wait" and self.running == 0 and #self.later == 0 then
    self.collection.problem = "the source of the work waits for a result, but nothing runs"
    return nil
  end
  return task
end

-- ------------------------------------------------------------------ the end of a task

local AGAIN = { killed = true, timeout = true }

--- What a task is tried again as: the run goes on where it was killed or out of time, and begins
--- anew where `swale resume` refused it. nil: not again.
local function another_try(self, task, result)
  if result.stopped then return nil end
  if task.work.resume and not result.run and result.status == "failed" then return task.asked end
  if not AGAIN[result.status] or task.attempt > (self.o.retry or 0) then return nil end
  return continued(task.asked, histories.resumable(result.run or task.work.resume))
end

--- Puts a task back, if it may be tried again.
local function try_again(self, task, result)
  local work = another_try(self, task, result)
  if not work then return false end
  table.insert(self.again, { work = work, asked = task.asked, number = task.number,
    attempt = task.attempt + 1, key = task.key })
  return true
end

local function ended(self, task, result)
  self.running = self.running - 1
  local found = outcome.of(task, result, self.o)
  note(self, task, { run = found.run and found.run:match "[^/]+$", status = found.status,
    why = found.note, seconds = found.seconds })
  local again = try_again(self, task, found)
  self.report:ended(task, found, again)
  if again then return end
  local counts, done = self.counts, found.status == "done"
  counts.ran = counts.ran + 1
  if not done then counts.failed = counts.failed + 1 end
  self.history:release(task.key, done and found.run or nil)
  tell_source(self, task, found)
end

--- A task that was not begun.
local function returned(self, task)
  self.running = self.running - 1
  table.insert(self.again, 1, { work = task.work, asked = task.asked, number = task.number,
    attempt = task.attempt, key = task.key })
end

-- ------------------------------------------------------------------ the whole

--- Names of work that was not started.
local function rest_of(self)
  local names = {}
  local function add(task)
    if #names < NAMED then names[#names + 1] = works.name(task.work) end
  end
  for _, task in ipairs(self.again) do add(task) end
  for _, task in ipairs(self.later) do add(task) end
  while not self.exhausted and #names < NAMED do
    local work = self.o.source.next()
    if type(work) ~= "table" then break end
    add { work = work }
  end
  return names
end

local CODES = { sigint = 130, sigterm = 143, sighup = 129 }

local function close(self, stopped, trouble)
  local counts = self.counts
  self.history:close(self.collection.id)
  local fault = self.o.source.problem and self.o.source.problem()
  local status = stopped and "interrupted" or (counts.failed > 0 or fault or trouble) and "failed"
    or "done"
  local ok, problem = self.collection:finish(status, counts)
  problem = self.collection.problem or not ok and problem or fault or trouble
  local early = stopped or trouble or self.collection.problem
  self.report:close { stopped = stopped, counts = counts, collection = self.collection,
    problem = problem, rest = early and rest_of(self) or nil }
  if CODES[stopped] then return CODES[stopped] end
  return (counts.failed > 0 or stopped or problem) and 1 or 0
end

local function run_tasks(self)
  local o = self.o
  return M.executor(o.executor).run {
    jobs = o.jobs, next = function() return next_task(self) end,
    started = function(task, pid)
      note(self, task, { status = "running" })
      self.report:started(task, pid)
    end,
    ended = function(task, result) ended(self, task, result) end,
    stopping = function(_, count) self.report:stopping(count) end,
    tick = function() self.report:draw() end,
    returned = function(task) returned(self, task) end,
    say = function(text) self.report:say(text) end,
    collection = self.collection, batch = o,
  }
end

---Does the work of a source and prints the outcome.
---@param o swale.BatchOptions
---@return integer code   exit status: 0 all done, 1 some failed; interrupted: 130, 143, 129
---@return swale.Collection|nil collection   the record; nil with dry_run
function M.run(o)
  o = setmetatable({ executor = o.executor or "local" }, { __index = o })
  if o.dry_run then return require("swale.batch.dry").run(o) end
  local self = setmetatable({ o = o, number = 0, running = 0, again = {}, later = {},
    runs = place.root(),
    counts = { ran = 0, skipped = 0, failed = 0 } }, Batch)
  self.history = histories.new(o)
  local adoptable = not o.force and M.executor(o.executor).adoptable
  self.left = adoptable and adoptable() or {}
  self.collection = collections.create(o)
  self.revisions = require("swale.run.source").revisions(self.collection.dir)
  self.report = reports.new(o.source.total, { objective = o.objective, tables = o.tables })
  return close(self, run_tasks(self)), self.collection
end

return M
