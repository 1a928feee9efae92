--- The outcome of a child of a batch: its exit status, the record of its run, and its output, which
--- is moved into the directory of the run as output.txt.
local core = require "swale.core"
local folders = require "swale.folders"
local standing = require "swale.run.status"

local M = {}

local HEAD, TAIL = 2 ^ 16, 4096 -- bytes read at the beginning and the end of an output
local LAST_LINES = 8

local SIGNALS = { [1] = "SIGHUP", [2] = "SIGINT", [4] = "SIGILL", [6] = "SIGABRT", [7] = "SIGBUS",
  [8] = "SIGFPE", [9] = "SIGKILL", [11] = "SIGSEGV", [15] = "SIGTERM", [24] = "SIGXCPU",
  [25] = "SIGXFSZ" }

local CODES = { [0] = "done", [3] = "diverged", [130] = "interrupted", [143] = "interrupted",
  [129] = "interrupted" }

---@class swale.BatchRow
---@field script string
---@field seed integer
---@field status string
---@field failed boolean
---@field seconds number
---@field log string|nil             what it printed
---@field run string|nil             its directory
---@field note string|nil            what the log cannot say
---@field summary table<string, any> numbers and words that the run is about

local function read_head(path)
  local file = io.open(path, "rb")
  local text = file and file:read(HEAD) or ""
  if file then file:close() end
  return text
end

local function read_info(dir)
  local text = folders.read(dir .. "/run.json")
  local info = text and core.json_decode(text)
  return type(info) == "table" and info or nil
end

--- The directory of the run, which the child prints as it begins. A script may print the same line,
--- but then the record there is not of this process.
local function find_run(log, pid)
  for dir in ("\n" .. read_head(log)):gmatch "\nrun: ([^\n]+)" do
    local info = read_info(dir)
    if info and info.pid == pid then return dir, info end
  end
  return nil
end

---The name of a signal.
---@param signal integer
---@return string
function M.signal_name(signal) return SIGNALS[signal] or "signal " .. signal end

local function status_of(result)
  if result.problem then return "not started", result.problem end
  if result.timed_out then return "out of time", "ended, because its time was over" end
  if result.signal == 0 then return CODES[result.code] or "failed" end
  local name = M.signal_name(result.signal)
  return "killed", ("ended by %s%s"):format(name, result.signal == 9
    and ", by somebody or by the system, which does so when memory runs out" or "")
end

--- Writes the outcome into the record of a process that ended without doing so.
local function close_record(dir, info, status, note)
  if info.status ~= "running" then return end
  standing.clear(dir)
  info.status, info.error = status, note
  info.ended = os.date "!%Y-%m-%dT%H:%M:%SZ"
  core.write_file(dir .. "/run.json", core.json_encode(info, 2) .. "\n")
end

local function adopt_log(log, dir)
  local place = dir .. "/output.txt"
  return folders.rename(log, place) and place or log
end

local function plain_summary(info)
  local summary = {}
  for name, value in pairs(type(info.summary) == "table" and info.summary or {}) do
    if type(value) ~= "table" then summary[name] = value end
  end
  return summary
end

---@param job { script: string, seed: integer, output: string }
---@param result swale.PoolResult
---@return swale.BatchRow
function M.of(job, result)
  local status, note = status_of(result)
  local row = { script = job.script, seed = job.seed, status = status, failed = status ~= "done",
    seconds = result.seconds, log = job.output, note = note, summary = {} }
  local dir, info = find_run(job.output, result.pid)
  if dir then
    close_record(dir, info, status == "done" and "failed" or status, note)
    row.run, row.log, row.summary = dir, adopt_log(job.output, dir), plain_summary(info)
  end
  return row
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
