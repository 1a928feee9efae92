--- Runs `swale bench` and another program that prints such lines in turns, so that both meet the
--- same load. The table has the medians of each and the median of the rounds' ratios.
---
---     ./swale lua tests/bench/compare.lua --peer "python3 torch_bench.py" --rounds 7
---         --only logreg,mlp_small [--threads 1] [--min-time 0.5] [--out lines.jsonl]
---
--- Both programs are given --threads, --only and --min-time. A line is a JSON object with peer,
--- workload, threads, and median_ms, us or wall_s.
local cli = require "swale.cli"
local core = require "swale.core"
local process = require "swale.process"
local tables = require "swale.table"

--- Names of workloads that the other program calls differently.
local ALIASES = { overhead_LambdaLR_step = "overhead_schedule_and_hook",
  start_python_nothing = "start_lua_nothing" }

local function words_of(text)
  local words = {}
  for word in text:gmatch "%S+" do words[#words + 1] = word end
  return words
end

local function options(args)
  local parser = require "argparse"("compare.lua", "swale bench beside another program, in turns.")
  parser:option("--peer", "The other program."):args(1):count(1)
  parser:option("--ours", "Instead of this swale's bench.")
  parser:option("--rounds", "How often."):convert(tonumber):default "7"
  parser:option("--only", "Names, or parts of them."):convert(cli.parts):count(1)
  parser:option("--threads", "One number of threads."):default "1"
  parser:option("--min-time", "Seconds for each."):default "0.5"
  parser:option("--out", "Append all lines to this file.")
  return parser:parse(args)
end

--- Takes a line; a line of parts of a step gives one row for each part.
local function take(found, name, record)
  if record.kind ~= "parts" then
    found[name] = record
    return
  end
  for part, value in pairs(record) do
    local short = part:match "^(.*)_ms$"
    if short then found[name .. "/" .. short] = { median_ms = value } end
  end
end

--- Runs a program once: its lines by workload.
local function measure(words, o, only, out)
  local argv = table.move(words, 1, #words, 1, {})
  for _, word in ipairs { "--threads", o.threads, "--only", only, "--min-time", o.min_time } do
    argv[#argv + 1] = word
  end
  local result, message = process.run(argv)
  if not result then error(message, 0) end
  if result.code ~= 0 then
    io.stderr:write(("%s: status %d\n%s"):format(table.concat(argv, " "), result.code, result.err))
  end
  local found = {}
  for line in result.out:gmatch "[^\n]+" do
    local record = core.json_decode(line)
    if type(record) == "table" and record.workload then
      take(found, ALIASES[record.workload] or record.workload, record)
      if out then out:write(line, "\n") end
    end
  end
  return found
end

--- The time of a line in milliseconds.
local function time_of(record)
  return record.median_ms or record.us and record.us / 1e3 or record.wall_s and record.wall_s * 1e3
end

local function median(list)
  local sorted = table.move(list, 1, #list, 1, {})
  table.sort(sorted)
  local n = #sorted
  return (sorted[(n + 1) // 2] + sorted[n // 2 + 1]) / 2
end

local function collect(rows, ours, theirs)
  for name, record in pairs(ours) do
    local mine, other = time_of(record), theirs[name] and time_of(theirs[name])
    local row = rows[name] or { name = name, ours = {}, theirs = {}, ratios = {} }
    rows[name] = row
    row.ours[#row.ours + 1] = mine
    if other then
      row.theirs[#row.theirs + 1] = other
      row.ratios[#row.ratios + 1] = other / mine
    end
  end
end

local function milliseconds(list) return #list > 0 and ("%.4g ms"):format(median(list)) or "" end

local function print_table(rows)
  local names, cells = {}, {}
  for name in pairs(rows) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do
    local row = rows[name]
    local r = row.ratios
    cells[i] = { name, milliseconds(row.ours), milliseconds(row.theirs),
      #r > 0 and ("%.2f"):format(median(r)) or "",
      #r > 0 and ("%.2f … %.2f"):format(math.min(table.unpack(r)), math.max(table.unpack(r))) or "",
      #row.ours }
  end
  print(tables.render({ "workload", "ours", "theirs", "times faster", "range", "rounds" }, cells))
end

local function main(args)
  local o = options(args)
  local ours = o.ours and words_of(o.ours) or process.swale()
  if not o.ours then ours[#ours + 1] = "bench" end
  local theirs, rows = words_of(o.peer), {}
  local out = o.out and assert(io.open(o.out, "a"))
  for round = 1, o.rounds do
    for _, only in ipairs(o.only) do
      local first = measure(round % 2 == 1 and ours or theirs, o, only, out)
      local second = measure(round % 2 == 1 and theirs or ours, o, only, out)
      if round % 2 == 1 then collect(rows, first, second) else collect(rows, second, first) end
    end
    io.stderr:write(("round %d of %d\n"):format(round, o.rounds))
  end
  print_table(rows)
end

main(arg)
