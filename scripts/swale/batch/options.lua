--- The options that `swale batch` and `swale sweep` share.
local cli = require "swale.cli"

local M = {}

local UNITS = { s = 1, m = 60, h = 3600, d = 86400 }

--- Seconds: "90", "90s", "5m", "1.5h", "2h30m".
local function duration(text)
  local seconds, rest = 0, text
  if text:find "^[%d.]+$" then rest = text .. "s" end
  for number, unit in rest:gmatch "([%d.]+)(%a)" do
    local value = tonumber(number)
    if not value or not UNITS[unit] then break end
    seconds = seconds + value * UNITS[unit]
  end
  if not rest:find "^[%d.smhd]+$" or rest:find "[%d.]$" or rest:find "%a%a"
    or seconds <= 0 or seconds == math.huge then
    return nil, ("'%s' is no duration: write 90s, 5m, 2h or 1h30m"):format(text)
  end
  return seconds
end

local BYTES = { K = 1 << 10, M = 1 << 20, G = 1 << 30, T = 1 << 40 }

--- Bytes: "2G", "500M", "1.5GB", "2GiB".
local function bytes(text)
  local number, unit = text:upper():match "^([%d.]+)([KMGT])I?B?$"
  local size = tonumber(number) and math.tointeger(tonumber(number) * BYTES[unit] // 1)
  if not size or size <= 0 then
    return nil, ("'%s' is no size of memory: write 500M or 2G"):format(text)
  end
  return { bytes = size, text = text }
end

---Adds the options to a command's parser.
---@param parser table
function M.add(parser)
  parser:option("--seeds", "Seeds: 3 for 1..3, 5..9, or 1,5,9."):argname "SEEDS"
    :convert(require("swale.batch.seeds").parse):default "1"
  parser:option("--jobs", "Runs at a time: cores / threads, and on a cluster what it has room for.")
    :argname "N":convert(cli.whole(1, 4096))
  parser:option("--threads", "Threads of each process."):argname "N"
    :convert(cli.thread_count):default "1"
  parser:option("--timeout", "Ends a run after this time, with a checkpoint: 90s, 5m, 2h.")
    :argname "TIME":convert(duration)
  parser:option("--retry", "Tries what was killed or out of time up to N times more.")
    :argname "N":convert(cli.whole(0, 1000)):default "0"
  parser:option("--memory", "Memory that each run may allocate: 500M, 2G."):argname "SIZE"
    :convert(bytes)
  parser:mutex(
    parser:flag("--fail-fast", "Ends the batch at the first failure."),
    parser:flag("--keep-going", "Goes on after failures; this is so without it."))
  parser:flag("--failed", "Runs only what failed when it was run last.")
  parser:flag("--force", "Repeats what is done.")
  parser:flag("--dry-run", "Lists what would run and what would be skipped, and writes nothing.")
  parser:option("--executor", "Where the runs compute: local, or slurm, as jobs of a cluster.")
    :choices { "local", "slurm" }:argname "local|slurm"
  parser:option("--slurm", "An option of sbatch, such as partition=main or time=2:00:00; it may be"
    .. " given several times."):argname "key=value":count "*"
    :convert(require("swale.batch.slurm_commands").option)
  parser:flag("--tensorboard", "Each run writes an event file of TensorBoard.")
  parser:option("--tag", "A word for the records of the runs and of the whole."):argname "WORD"
end

---Returns the options of swale.batch.run, but for the source.
---@param o table          what the parser has found
---@param kind "batch"|"sweep"
---@param args string[]    the words after the command
---@return swale.BatchOptions
function M.read(o, kind, args)
  local argv = table.move(args, 1, #args, 2, { kind })
  local cores = require("swale.core").cores()
  local executor = o.executor or #o.slurm > 0 and "slurm" or "local"
  if executor == "local" and #o.slurm > 0 then
    require("swale.errors").environment("--slurm is for --executor slurm", "EINVAL")
  end
  local jobs = executor == "local" and math.max(1, cores // o.threads) or nil
  return { kind = kind, argv = argv, jobs = o.jobs or jobs, executor = executor, slurm = o.slurm,
    threads = o.threads, timeout = o.timeout, retry = o.retry,
    memory = o.memory and o.memory.bytes, memory_text = o.memory and o.memory.text,
    fail_fast = o.fail_fast, failed_only = o.failed, force = o.force, dry_run = o.dry_run,
    tag = o.tag, tensorboard = o.tensorboard }
end

return M
