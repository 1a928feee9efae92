--- Slurm's commands, as lists of arguments, and the one script that it is given. Nothing that a
--- user types is part of that script: it reaches sbatch as arguments, a job as a line of the table.
local errors = require "swale.errors"
local process = require "swale.process"

local M = {}

local ARRAY_SIZE = 1001 -- Slurm's default

--- Options of sbatch that are the executor's own.
local OWN = { array = true, wrap = true, parsable = true, wait = true, chdir = true,
  ["test-only"] = true, ["job-name"] = true, dependency = true, output = true }

--- Variables that a job needs to find Swale, where the site does not pass them on.
local KEPT = { "LUA_PATH_5_4", "LUA_CPATH_5_4", "SWALE_HOME", "SWALE_BUILD" }

local SCRIPT = [[
#!/bin/sh
# Written by Swale. Each task of the array does the line of jobs.jsonl that is its index plus the
# offset, which is the first argument. SIGUSR1 says that the time of the job is nearly over.
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --signal=B:USR1@60
%sexec %s job %s "$SLURM_ARRAY_TASK_ID" "$1"
]]

local function quoted(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

---Returns the text of the script.
---@param table_path string   of jobs.jsonl
---@return string
function M.script(table_path)
  local exports, words = {}, {}
  for _, name in ipairs(KEPT) do
    local value = os.getenv(name)
    if value then exports[#exports + 1] = ("export %s=%s\n"):format(name, quoted(value)) end
  end
  for i, word in ipairs(process.swale()) do words[i] = quoted(word) end
  return SCRIPT:format(table.concat(exports), table.concat(words, " "), quoted(table_path))
end

---For argparse: an option of sbatch, "partition=main" or "exclusive".
---@param text string
---@return string|nil option, string? message
function M.option(text)
  local name = text:match "^([%a][%w-]*)=." or text:match "^[%a][%w-]*$"
  if not name then
    return nil, ("'%s' is no option of sbatch: write partition=main or exclusive"):format(text)
  elseif OWN[name] then
    return nil, ("--slurm %s: Swale sets this option of sbatch itself"):format(name)
  end
  return "--" .. text
end

--- Runs a command of Slurm. nil and what it said if it failed.
local function call(argv)
  local path = process.find(argv[1])
  if not path then return nil, argv[1] .. ": there is no such program here" end
  argv[1] = path
  local result, message = process.run(argv)
  if not result then return nil, message end
  if result.code == 0 then return result.out end
  local said = result.err:gsub("%s+$", "")
  return nil, ("%s ended with status %d%s"):format(path:match "[^/]*$", result.code,
    said ~= "" and ": " .. said or "")
end

---Returns how many tasks an array may have.
---@return integer|nil size, string? message
function M.array_size()
  local text, message = call { "scontrol", "show", "config" }
  if not text then return nil, message end
  local size = math.tointeger(tonumber(text:match "MaxArraySize%s*=%s*(%d+)")) or ARRAY_SIZE
  if size < 1 then return nil, "this Slurm has no job arrays: its MaxArraySize is 0" end
  return size
end

---@class swale.SlurmArray
---@field name string
---@field count integer         tasks
---@field offset integer        of their lines in the table
---@field at_once? integer
---@field threads integer
---@field folder string         for what Slurm writes
---@field script string
---@field options string[]      of the user
---@field after? string         the id of an array that has to end before

---Returns the words of the command that submits an array.
---@param o swale.SlurmArray
---@return string[]
function M.submission(o)
  local argv = { "sbatch", "--parsable", "--job-name=" .. o.name,
    ("--array=0-%d%s"):format(o.count - 1, o.at_once and "%" .. o.at_once or ""),
    ("--output=%s/%%A_%%a.txt"):format((o.folder:gsub("%%", "%%%%"))),
    "--open-mode=append", "--requeue", "--signal=B:USR1@60",
    "--chdir=" .. require "luv".cwd(), "--cpus-per-task=" .. o.threads }
  if o.after then argv[#argv + 1] = "--dependency=afterany:" .. o.after end
  table.move(o.options, 1, #o.options, #argv + 1, argv)
  argv[#argv + 1], argv[#argv + 2] = o.script, ("%d"):format(o.offset)
  return argv
end

---Submits an array. Returns its id.
---@param o swale.SlurmArray
---@return string|nil id, string? message
function M.submit(o)
  local out, message = call(M.submission(o))
  if not out then return nil, message end
  local id = out:match "^(%d+)"
  if not id then return nil, ("sbatch printed no number of a job: %s"):format(errors.shown(out)) end
  return id
end

---@param name string
---@param index integer
---@return string
function M.token(name, index) return ("%s %d"):format(name, index) end

---Returns what is in the queue, by names of jobs and indices. nil where Slurm does not answer.
---@return table<string, { id: string, state: string, cause: string }>|nil queue, string? message
function M.queue()
  local out, message = call { "squeue", "--me", "--noheader", "--array", "--format=%i|%T|%r|%j" }
  if not out then return nil, message end
  local queue = {}
  for line in out:gmatch "[^\n]+" do
    local id, state, reason, name = line:match "^(%d+_%d+)|([^|]*)|([^|]*)|(swale:.*)$"
    if id then
      queue[M.token(name, id:match "%d+$")] = { id = id, state = state, cause = reason }
    end
  end
  return queue
end

---Cancels arrays by their names and single tasks by their ids; at once: without time to save.
---@param names string[]
---@param ids string[]
---@param at_once? boolean
function M.cancel(names, ids, at_once)
  local function argv(...) return { "scancel", at_once and "--signal=KILL" or "--quiet", ... } end
  if #names > 0 then call(argv("--name=" .. table.concat(names, ","))) end
  if #ids > 0 then call(argv(table.unpack(ids))) end
end

---Asks Slurm to start a job again.
---@param id string
---@return boolean
function M.requeue(id) return call { "scontrol", "requeue", id } ~= nil end

return M
