--- The result of a child of a batch: from its exit status, the record of its run and its output,
--- which is moved into the directory of the run as output.txt.
local core = require "swale.core"
local folders = require "swale.folders"
local progress = require "swale.progress"
local records = require "swale.run.record"
local standing = require "swale.run.status"

local M = {}

local HEAD, TAIL = 2 ^ 16, 4096 -- bytes read at the beginning and the end of an output
local LAST_LINES = 8

local SIGNALS = { [1] = "SIGHUP", [2] = "SIGINT", [4] = "SIGILL", [6] = "SIGABRT", [7] = "SIGBUS",
  [8] = "SIGFPE", [9] = "SIGKILL", [11] = "SIGSEGV", [15] = "SIGTERM", [24] = "SIGXCPU",
  [25] = "SIGXFSZ" }

local CODES = { [0] = "done", [3] = "diverged", [130] = "interrupted", [143] = "interrupted",
  [129] = "interrupted" }

local function read_head(path)
  local file = io.open(path, "rb")
  local text = file and file:read(HEAD) or ""
  if file then file:close() end
  return text
end

local function read_info(dir) return records.read(dir .. "/run.json") end

---Returns the directory of the run and its run.json. The child prints it as it begins. A script may
---print the same line, but then the record there is not of this process.
---@param log string
---@param pid integer
---@param resumed? string   the directory of the run that the child goes on with
---@return string|nil dir, table? info
function M.find_run(log, pid, resumed)
  for dir in ("\n" .. read_head(log)):gmatch "\nrun: ([^\n]+)" do
    local info = read_info(dir)
    if info and info.pid == pid then return dir, info end
  end
  local info = resumed and read_info(resumed)
  if info and info.pid == pid then return resumed, info end
  return nil
end

---The name of a signal.
---@param signal integer
---@return string
function M.signal_name(signal) return SIGNALS[signal] or "signal " .. signal end

local function status_of(result, o)
  if result.problem then return "not started", result.problem end
  if result.timed_out and (result.code ~= 0 or result.signal ~= 0) then
    if not o.timeout then return "timeout", "its job was out of time" end
    local shown = o.timeout < 1 and progress.seconds or progress.duration
    return "timeout", ("ended after its time, %s"):format(shown(o.timeout))
  end
  if result.signal == 0 then return CODES[result.code] or "failed" end
  if result.stopped and result.signal == 9 then return "killed", "ended at once" end
  local name = M.signal_name(result.signal)
  if result.lost then return "killed", "ended with its job" end
  return "killed", ("ended by %s%s"):format(name, result.signal == 9
    and ", by somebody or by the system, which does so when memory runs out" or "")
end

--- What a process that lacks memory prints: Lua, the core, the C library, the loader.
local NO_MEMORY = { "not enough memory", "out of memory", "[Cc]annot allocate memory",
  "bad_alloc", "ENOMEM" }

local function memory_note(status, log, o)
  if not o.memory or status == "done" then return nil end
  local text = table.concat(M.last_lines(log), "\n")
  for _, pattern in ipairs(NO_MEMORY) do
    if text:find(pattern) then
      return ("it reached the limit of memory, --memory %s"):format(o.memory_text or o.memory)
    end
  end
  return nil
end

--- Writes the outcome into the record of a process that ended without doing so, or because its time
--- was over. One that another process goes on with by now is that one's.
---@param dir string
---@param info table    its run.json
---@param status string
---@param note? string
function M.close_record(dir, info, status, note)
  if info.status == status then return end
  local lock = standing.hold(dir)
  if not lock and standing.is_held(dir) then return end
  standing.clear_unfinished(dir)
  info.status, info.error = status, note
  info.ended = info.ended or records.now()
  standing.write(dir, "run.json", core.json_encode(info, 2) .. "\n")
  standing.release(dir, lock)
end

--- Moves the log into the directory of the run; those of earlier attempts, of this batch or of
--- others, stay.
local function adopt_log(log, dir)
  local place, n = dir .. "/output.txt", 1
  while folders.exists(place) do
    n = n + 1
    place = ("%s/output-%d.txt"):format(dir, n)
  end
  return folders.rename(log, place) and place or log
end

--- The run's record counts if the process wrote its end: it may have ended in another way later.
--- A run that was told to end, because the job that it belongs to was killed, was killed.
local function recorded(info, status, note, lost)
  if lost and info.status == "interrupted" then return status, note end
  if info.status == "running" or status == "timeout" and info.status ~= "done" then
    return status == "done" and "failed" or status, note
  end
  return info.status, note
end

---@param task swale.BatchTask
---@param result swale.PoolResult
---@param o { timeout?: number, memory?: integer, memory_text?: string }
---@return swale.WorkResult
function M.of(task, result, o)
  local status, note = status_of(result, o)
  note = memory_note(status, task.output, o) or note
  local found = { status = status, code = result.code, note = note, log = task.output,
    seconds = result.seconds, attempt = task.attempt, stopped = result.stopped }
  local dir, info = M.find_run(task.output, result.pid, task.work.resume)
  if not dir then return found end
  found.run, found.info = dir, info
  found.status, found.note = recorded(info, status, note, result.lost)
  M.close_record(dir, info, found.status, note)
  found.log = adopt_log(task.output, dir)
  return found
end

local function tail_text(path)
  local file = io.open(path, "rb")
  if not file then return "" end
  local size = file:seek "end"
  file:seek("set", math.max(0, size - TAIL))
  local text = file:read "a"
  file:close()
  return text
end

---Returns the last lines of a file, without control characters.
---@param path string
---@return string[]
function M.last_lines(path)
  local lines = {}
  for line in tail_text(path):gmatch "[^\n]+" do
    lines[#lines + 1] = (line:gsub("^.*\r", ""):gsub("%c", " "))
  end
  return table.move(lines, math.max(1, #lines - LAST_LINES + 1), #lines, 1, {})
end

return M
