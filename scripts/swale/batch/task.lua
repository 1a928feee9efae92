--- One job of a table, done by the process that Slurm starts for it: runs the command of the line
--- and writes its beginning and its end into the file of its state. If Slurm starts the job again,
--- after its node was lost or its time was over, it goes on with the run.
local commands = require "swale.batch.slurm_commands"
local histories = require "swale.batch.history"
local outcome = require "swale.batch.outcome"
local pool = require "swale.batch.pool"
local standing = require "swale.run.status"
local tables = require "swale.batch.job_table"
local works = require "swale.batch.work"

local M = {}

local PATIENCE = 20 -- seconds for a run to save what it has; Slurm signals a minute early

local ENDED = { done = 0, failed = 1, ["failed: disk full"] = 1, diverged = 3 }

local function uv() return require "luv" end

--- The run of the last attempt that has one.
local function run_of(job, events)
  for i = #events, 1, -1 do
    if events[i].event == "begin" then
      local dir, info = outcome.find_run(job.output, events[i].pid, job.resume)
      if dir then return dir, info end
    end
  end
  return nil
end

local function spent(events)
  local seconds = 0
  for _, event in ipairs(events) do seconds = seconds + (event.seconds or 0) end
  return seconds
end

--- Whether the run got farther in the attempt that ends than in those before.
local function has_advanced(events, step)
  for _, event in ipairs(events) do
    if event.step and (not step or event.step >= step) then return false end
  end
  return step ~= nil
end

--- The id of this task, "12_3". SLURM_JOB_ID of one of them is that of the whole array.
local function slurm_id()
  local array, task = os.getenv "SLURM_ARRAY_JOB_ID", os.getenv "SLURM_ARRAY_TASK_ID"
  return array and task and ("%s_%s"):format(array, task)
end

--- An end that Slurm's signal has caused: the job is to be started again, if that leads anywhere.
local function may_go_on(events, result, info, dir)
  if result.stopped ~= "sigusr1" then return true end -- Slurm decides
  return slurm_id() ~= nil and histories.resumable(dir) ~= nil
    and has_advanced(events, info.last_step)
end

local function close(job, events, result)
  local dir, info = outcome.find_run(job.output, result.pid, job.resume)
  local again = result.stopped and result.code ~= 0 and ENDED[info and info.status] == nil
    and may_go_on(events, result, info, dir)
  local event = { event = "end", pid = result.pid, code = result.code, signal = result.signal,
    seconds = result.seconds, step = info and info.last_step,
    timed_out = result.timed_out or result.stopped == "sigusr1" and not again, final = not again }
  tables.note(job.state, event)
  local requeued = not again or result.stopped ~= "sigusr1"
    or commands.requeue(slurm_id())
  if not requeued then
    event.final, event.timed_out, event.seconds = true, true, 0
    tables.note(job.state, event)
  end
  return result.signal ~= 0 and 128 + result.signal or result.code
end

--- Does the command of a job. Returns its exit status.
local function perform(job, events, dir)
  local code
  local given, time = false, job.timeout and math.max(1, job.timeout - spent(events))
  local work = { script = job.script, overrides = job.overrides, seed = job.seed,
    resume = dir or job.resume }
  pool.run {
    jobs = 1, patience = PATIENCE, stop_signal = "sigterm", also = { "sigusr1" },
    next = function()
      if given then return nil end
      given = true
      return { argv = works.command(work, job.options), output = job.output, env = job.env,
        timeout = time }
    end,
    started = function(_, pid)
      tables.note(job.state, { event = "begin", pid = pid, host = uv().os_gethostname(),
        job = slurm_id() })
    end,
    ended = function(_, result)
      if result.problem then
        io.stderr:write("swale: ", result.problem, "\n")
        tables.note(job.state, { event = "begin", pid = 0 })
      end
      code = close(job, events, result)
    end,
  }
  return code or 1
end

--- The end of a run that has one, though the process that did the job did not write it.
local function note_end(job, info)
  local code = ENDED[info.status]
  tables.note(job.state, { event = "end", pid = info.pid, code = code, signal = 0,
    seconds = info.wall_seconds or 0, final = true })
  return code
end

---@param path string     of the table
---@param n integer       the line
---@return integer|nil code, string? message
function M.run(path, n)
  local job, message = tables.read(path, n)
  if not job then return nil, message end
  local events = tables.events(job.state)
  local last = events[#events]
  if last and last.final then return 0 end
  local dir, info = run_of(job, events)
  if not dir then return perform(job, events, nil) end
  if ENDED[info.status] then return note_end(job, info) end
  -- Slurm starts a job again only when its earlier process is gone.
  if standing.of(dir, info) ~= "running" then outcome.close_record(dir, info, "interrupted") end
  return perform(job, events, dir)
end

return M
