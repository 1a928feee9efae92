--- swale bench
local cli = require "swale.cli"

local M = { summary = "time training steps: swale bench [--only NAME,…]", order = 24 }

local COMPARE_ONLY <const> = { "python", "rounds", "markdown" }

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
    .. " default all but the heavy ones."):argname "NAME,…":convert(cli.parts)
  parser:option("--out", "Append the lines to this file as well. A comparison goes on from it:"
    .. " rounds of the same commit and PyTorch are not measured again."):argname "FILE"
  parser:option("--tag", "A word to write into every line."):argname "WORD":default ""
  parser:option("--min-time", "Seconds to measure each (1; of a comparison 0.3)."):argname "S"
    :convert(cli.seconds)
  parser:flag("--list", "List the workloads, heavy ones with a star, and measure none.")
  parser:flag("--compare", "Measure beside PyTorch at its best, in turns, and print a table.")
  parser:option("--python", "With --compare: the command that starts a Python with PyTorch"
    .. " (python3)."):argname "CMD"
  parser:option("--rounds", "With --compare: how often both are measured (5)."):argname "N"
    :convert(cli.whole(1))
  parser:flag("--markdown", "With --compare: print the tables in Markdown at the end.")
  return parser
end

--- Which names are chosen: a part that is the whole of a name chooses that one alone.
local function chooser(only, names)
  local whole = {}
  for _, name in ipairs(names) do whole[name] = true end
  return function(name, heavy)
    if not only then return not heavy end
    for _, part in ipairs(only) do
      if name == part or not whole[part] and name:find(part, 1, true) then return true end
    end
    return false
  end
end

local function chosen(names, only)
  local wanted, list = chooser(only, names), {}
  for _, name in ipairs(names) do
    if wanted(name, false) then list[#list + 1] = name end
  end
  if #list == 0 then
    cli.say("no workload has %s in its name. There are: %s", table.concat(only, " or "),
      table.concat(names, ", "))
  end
  return list, wanted
end

local function list(bench)
  local heavy = {}
  for _, name in ipairs(bench.workloads(true)) do heavy[name] = true end
  for _, name in ipairs(bench.workloads()) do print(name .. (heavy[name] and " *" or "")) end
end

local function measure(o)
  local bench = require "swale.bench"
  local names, wanted = chosen(bench.workloads(), o.only)
  if #names == 0 then return 2 end
  local out, problem
  if o.out then
    out, problem = io.open(o.out, "a")
    if not out then
      cli.say("%s", problem)
      return 1
    end
    out:setvbuf "no"
  end
  local core = require "swale.core"
  bench.run { threads = o.threads, wanted = wanted, min_time = o.min_time or 1,
    report = function(result)
      result.tag = o.tag
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

local function origin(peer, o)
  local core, machine = require "swale.core", require "swale.machine"
  local home = os.getenv "SWALE_HOME"
  local revision = home and machine.revision(home .. "/swale") or {}
  return { peer = peer, swale = core._VERSION .. " " .. core.variant(), tag = o.tag,
    commit = (revision.commit or "unknown") .. (revision.dirty and ", changed" or "") }
end

--- Prints each row, and a total below each number of threads.
local function printer(o, count)
  local summary = require "swale.bench.summary"
  local summaries, tables = {}, {}
  local function row(s)
    if #summaries == 0 then
      print(("\n%d thread%s"):format(s.threads, s.threads > 1 and "s" or ""))
      print(summary.line(summary.HEADER))
    end
    summaries[#summaries + 1] = s
    print(summary.line(summary.cells(s)))
    if s.fault and s.ratio then print("  after " .. s.rounds .. " rounds: " .. s.fault) end
    if #summaries == count then
      print(summary.total(summaries))
      tables[#tables + 1] = summary.markdown(summaries) .. "\n\n" .. summary.total(summaries)
      summaries = {}
    end
    io.stdout:flush()
  end
  return row, function()
    if o.markdown then print("\n" .. table.concat(tables, "\n\n")) end
  end
end

local function compare(o)
  local comparison = require "swale.bench.compare"
  local rows = chosen(comparison.ROWS, o.only)
  if #rows == 0 then return 2 end
  local python = words_of(o.python or "python3")
  local version, why = comparison.version { python = python }
  if not version then
    cli.say("no PyTorch: %s\nName a Python that has it, e.g. --python /opt/torch/bin/python3; or"
      .. " install it: pip install torch", why)
    return 1
  end
  local records, problem = require("swale.bench.records").open(o.out, origin(version, o))
  if not records then
    cli.say("%s", problem)
    return 1
  end
  local row, finish = printer(o, #rows)
  print(("%s beside swale %s"):format(version, records.origin.swale))
  comparison.run { python = python, rows = rows, threads = o.threads, rounds = o.rounds or 5,
    min_time = o.min_time or 0.3, records = records, row = row,
    progress = function(text) io.stderr:write(text, "\n") end }
  finish()
  return 0
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
    list(require "swale.bench")
    return 0
  end
  require("swale.core").catch_signals()
  if o.compare then return compare(o) end
  return measure(o)
end

return M
