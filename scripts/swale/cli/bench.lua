--- swale bench
local cli = require "swale.cli"

local M = { summary = "time training steps: swale bench [--only NAME,…]", order = 24 }

local COMPARE_ONLY <const> = { "python", "rounds", "limit", "markdown" }
local LIMIT <const> = 1800 -- seconds: PyTorch compiles a large row for minutes

local function threads(text)
  local list = {}
  for i, part in ipairs(cli.parts(text)) do
    list[i] = cli.whole(1)(part)
    if not list[i] then return nil, ("'%s' is not a list of numbers such as 1,2"):format(text) end
  end
  return list
end

local function build_parser()
  local parser = cli.parser("bench", "Times training steps on synthetic data, and their"
    .. " overheads. Prints one line of JSON per workload and number of threads; with --compare a"
    .. " table of times beside PyTorch's.")
  parser:option("--threads", "Numbers of threads to measure with."):argname "N,…"
    :convert(threads):default "1,2"
  parser:option("--only", "Only the workload of this name, or those whose names contain it; by"
    .. " default all but the heavy ones, of a comparison these as well."):argname "NAME,…"
    :convert(cli.parts)
  parser:option("--out", "Append the lines to this file as well. A comparison goes on from it:"
    .. " rounds of the same commit, changes, instruction set, processor, PyTorch and tag are not"
    .. " measured again."):argname "FILE"
  parser:option("--tag", "A word to write into every line."):argname "WORD":default ""
  parser:option("--min-time", "Seconds to measure each (1; of a comparison 0.3)."):argname "S"
    :convert(cli.seconds)
  parser:flag("--list", "List the workloads, heavy ones with a star, and measure none.")
  parser:flag("--compare", "Measure beside PyTorch at its best, in turns, and print a table.")
  parser:option("--python", "With --compare: the command that starts a Python with PyTorch"
    .. " (python3)."):argname "CMD"
  parser:option("--rounds", "With --compare: how often both are measured (5)."):argname "N"
    :convert(cli.whole(1))
  parser:option("--limit", "With --compare: after so many seconds without an answer PyTorch is"
    .. " ended, and the row measured without the way that it was in (1800)."):argname "S"
    :convert(cli.seconds)
  parser:flag("--markdown", "With --compare: print the tables in Markdown at the end.")
  return parser
end

--- Which names are chosen: a part that is the whole of a name chooses that one alone. unused():
--- the first part that chose none.
local function chooser(only, names)
  local whole, used = {}, {}
  for _, name in ipairs(names) do whole[name] = true end
  local function wanted(name, heavy)
    local chosen = not only and not heavy
    for _, part in ipairs(only or {}) do
      if name == part or not whole[part] and name:find(part, 1, true) then
        used[part], chosen = true, true
      end
    end
    return chosen
  end
  return wanted, function()
    for _, part in ipairs(only or {}) do
      if not used[part] then return part end
    end
  end
end

--- nil after a message if a part chooses none.
local function chosen(names, only)
  local wanted, unused = chooser(only, names)
  local list = {}
  for _, name in ipairs(names) do
    if wanted(name, false) then list[#list + 1] = name end
  end
  if not unused() and #list > 0 then return list, wanted end
  cli.say("no workload has %s in its name. There are: %s", unused() or "''",
    table.concat(names, ", "))
end

local function list(o)
  if o.compare then return print(table.concat(require("swale.bench.compare").ROWS, "\n")) end
  local bench, heavy = require "swale.bench", {}
  for _, name in ipairs(bench.workloads(true)) do heavy[name] = true end
  for _, name in ipairs(bench.workloads()) do print(name .. (heavy[name] and " *" or "")) end
end

local function measure(o)
  local bench = require "swale.bench"
  local names, wanted = chosen(bench.workloads(), o.only)
  if not names then return 2 end
  local out, problem
  if o.out then
    out, problem = io.open(o.out, "a")
    if not out then
      cli.say("%s", problem)
      return 1
    end
    out:setvbuf "no"
  end
  local core, commit = require "swale.core", require("swale.bench.records").commit()
  bench.run { threads = o.threads, wanted = wanted, min_time = o.min_time or 1,
    report = function(result)
      result.tag, result.variant, result.commit = o.tag, core.variant(), commit
      local line = core.json_encode(result) .. "\n"
      io.stdout:write(line)
      io.stdout:flush()
      if out then require("swale.errors").check(out:write(line)) end
    end }
  return 0
end

-- ------------------------------------------------------------------ beside PyTorch

local function words_of(text)
  local words = {}
  for word in text:gmatch "%S+" do words[#words + 1] = word end
  return words
end

--- Prints each row, and a total below each number of threads. The second function prints what is
--- left and returns the exit status.
local function printer(o, count)
  local summary = require "swale.bench.summary"
  local summaries, tables, failed = {}, {}, 0
  local function row(s)
    local title = ("%d thread%s"):format(s.threads, s.threads > 1 and "s" or "")
    if #summaries == 0 then print("\n" .. title .. "\n" .. summary.line(summary.HEADER)) end
    if s.fault then failed = failed + 1 end
    summaries[#summaries + 1] = s
    print(summary.line(summary.cells(s)))
    for _, note in ipairs(summary.notes(s)) do print("  " .. note) end
    if #summaries == count then
      print(summary.total(summaries))
      tables[#tables + 1] = table.concat({ title, summary.markdown(summaries),
        summary.total(summaries) }, "\n\n")
      summaries = {}
    end
    io.stdout:flush()
  end
  return row, function()
    if o.markdown then print("\n" .. table.concat(tables, "\n\n")) end
    return failed == 0 and 0 or 1
  end
end

local NO_PYTORCH <const> = [[
no PyTorch: %s
Name a Python that has it, e.g. --python /opt/torch/bin/python3; or install it: pip install torch]]

local function compare(o)
  local comparison, records = require "swale.bench.compare", require "swale.bench.records"
  local rows = chosen(comparison.ROWS, o.only)
  if not rows then return 2 end
  local python, limit = words_of(o.python or "python3"), o.limit or LIMIT
  local version, problem = comparison.version { python = python, limit = limit }
  if not version then
    cli.say(NO_PYTORCH, problem)
    return 1
  end
  local kept
  kept, problem = records.open(o.out, records.origin(version, o.tag))
  if not kept then
    cli.say("%s", problem)
    return 1
  end
  local row, finish = printer(o, #rows)
  print(("%s beside swale %s"):format(version, kept.origin.swale))
  comparison.run { python = python, rows = rows, threads = o.threads, rounds = o.rounds or 5,
    min_time = o.min_time or 0.3, limit = limit, records = kept, row = row,
    progress = function(text) io.stderr:write(text, "\n") end }
  return finish()
end

local function misplaced(o)
  for _, name in ipairs(COMPARE_ONLY) do
    if o[name] and not o.compare then return name end
  end
end

---@param args string[]
---@return integer code
function M.main(args)
  local o = cli.parse(build_parser(), args)
  if not o then return 2 end
  if misplaced(o) then
    cli.say("bench: --%s needs --compare", misplaced(o))
    return 2
  end
  if o.list then
    list(o)
    return 0
  end
  require("swale.core").catch_signals()
  if o.compare then return compare(o) end
  return measure(o)
end

return M
