--- swale report [RUNS…] [--out FILE] [--objective NAME]
local cli = require "swale.cli"

local M = { summary = "write runs as one HTML page: swale report [RUNS…] [--out FILE]", order = 9 }

local function build_parser()
  local parser = cli.parser("report", "Writes one HTML file that says which setting is best and how"
    .. " sure that is, with a table, curves over seeds, pictures and the record of each run. It"
    .. " needs nothing but a browser. Without RUNS it is of all runs below SWALE_RUNS, or runs/.")
  parser:argument("runs", "Runs, batches or sweeps."):argname "RUNS":args "*"
  parser:option("--where -w", "Only runs that meet a condition, as swale list takes it.")
    :argname "CONDITION"
  parser:option("--out -o", "The file; report.html in the current folder."):argname "FILE"
    :default "report.html"
  parser:option("--objective", "Compare the settings by this result or metric."):argname "NAME"
  parser:option("--goal", "Whether small or great values of it are good: min or max.")
    :choices { "min", "max" }
  parser:option("--curves", "Draw curves by uPlot, if the build has it, or by plain SVG.")
    :choices { "uplot", "plain" }
  return parser
end

--- Of one sweep alone, its strategy: halving compares only the longest runs.
local function strategy_of(words)
  if #words ~= 1 then return nil end
  local dir, what = require("swale.store.find").any(words[1])
  if what ~= "collection" then return nil end
  local text = require("swale.folders").read(dir .. "/collection.json")
  local info = text and require("swale.core").json_decode(text)
  return type(info) == "table" and info.strategy or nil
end

local function chosen(store, o)
  if #o.runs == 0 then return store:runs { where = o.where } end
  local views, problem = require("swale.store.chosen").runs(store, o.runs)
  if not views or not o.where then return views, problem end
  local ids, list = {}, {}
  for _, view in ipairs(store:runs { where = o.where }) do ids[view.id] = true end
  for _, view in ipairs(views) do if ids[view.id] then list[#list + 1] = view end end
  return list
end

---@param args string[]
---@return integer code
function M.main(args)
  local o = cli.parse(build_parser(), args)
  if not o then return 2 end
  local report = require "swale.report"
  if o.curves == "uplot" and not require("swale.report.page").has_uplot() then
    cli.say "report: this build has no uPlot: it takes npm and a network; --curves plain does not"
    return 1
  end
  local store = require("swale.store").open()
  local views, problem = chosen(store, o)
  store:tell(cli.note)
  if not views or #views == 0 then
    cli.say("%s", problem or "report: there are no such runs below " .. store.root)
    return 1
  end
  local page, left_out = report.html(views, { objective = o.objective, goal = o.goal,
    curves = o.curves, strategy = strategy_of(o.runs), from = #o.runs == 0 and store.root or nil })
  for _, words in ipairs(left_out) do cli.say("report: left out, for room: %s", words) end
  local ok, message = require("swale.core").write_file(o.out, page)
  if not ok then
    cli.say("%s: %s", o.out, message)
    return 1
  end
  print(o.out)
  return 0
end

return M
