--- swale bench
local cli = require "swale.cli"

local M = { summary = "time training steps: swale bench [--only NAME,…]", order = 24 }

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
    .. " overheads. Prints one line of JSON per workload and number of threads.")
  parser:option("--threads", "Numbers of threads to measure with."):argname "N,…"
    :convert(threads):default "1,2"
  parser:option("--only", "Only workloads whose names contain one of these; by default all but"
    .. " the heavy ones."):argname "NAME,…":convert(cli.parts)
  parser:option("--out", "Append the lines to this file as well."):argname "FILE"
  parser:option("--tag", "A word to write into every line."):argname "WORD":default ""
  parser:option("--min-time", "Seconds to measure each."):argname "S":convert(cli.seconds)
    :default "1"
  parser:flag("--list", "List the workloads, heavy ones with a star, and measure none.")
  return parser
end

local function chooser(only)
  return function(name, heavy)
    if not only then return not heavy end
    for _, part in ipairs(only) do
      if name:find(part, 1, true) then return true end
    end
    return false
  end
end

local function matches(wanted)
  local count = 0
  for _, name in ipairs(require("swale.bench").workloads()) do
    if wanted(name, false) then count = count + 1 end
  end
  return count
end

local function list(bench)
  local heavy = {}
  for _, name in ipairs(bench.workloads(true)) do heavy[name] = true end
  for _, name in ipairs(bench.workloads()) do print(name .. (heavy[name] and " *" or "")) end
end

---@param args string[]
---@return integer code
function M.main(args)
  local o = cli.parse(build_parser(), args)
  if not o then return 2 end
  local bench = require "swale.bench"
  local wanted = chooser(o.only)
  if o.list then
    list(bench)
    return 0
  elseif matches(wanted) == 0 then
    cli.say("no workload has %s in its name. There are: %s", table.concat(o.only, " or "),
      table.concat(bench.workloads(), ", "))
    return 2
  end
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
  core.catch_signals()
  bench.run { threads = o.threads, wanted = wanted, min_time = o.min_time, report = function(result)
    result.tag = o.tag
    local line = core.json_encode(result) .. "\n"
    io.stdout:write(line)
    io.stdout:flush()
    if out then require("swale.errors").check(out:write(line)) end
  end }
  return 0
end

return M
