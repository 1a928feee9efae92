--- swale plot RUN; swale plot METRIC… RUNS…
local cli = require "swale.cli"

local M = { summary = "draw a run, or metrics of many: swale plot RUN, swale plot METRIC… RUNS…",
  order = 11 }

local function build_parser()
  local parser = cli.parser("plot", "With a run alone: draws its loss, learning rate, batch size"
    .. " and measurements over examples, as SVG and PNG in the run's plots/. With names of metrics"
    .. " and runs: draws these metrics, a line for each run, or with --group the mean over seeds of"
    .. " each setting with its 95 % interval. A batch or sweep stands for its runs.")
  parser:argument("words", "A run; or metrics, such as valid_loss, then runs."):argname "WORD"
    :args "+"
  parser:option("--against", "The other axis: steps, examples, epochs or time."):default "steps"
    :choices { "steps", "examples", "epochs", "time" }
  parser:flag("--group", "A line for each setting: the mean over its seeds.")
  parser:flag("--log", "A logarithmic axis of the values.")
  parser:option("--out -o", "The file: .svg, .pdf or .png; plot.svg in the current folder.")
    :argname "FILE":default "plot.svg"
  return parser
end

local function plot_run(word)
  local dir, problem = require("swale.store").find(word)
  if not dir then
    cli.say("%s", problem)
    return 1
  end
  local path, message = require("swale.plot").run(dir)
  if not path then
    cli.say("%s: %s", dir, message)
    return 1
  end
  local status = require("swale.run").read_info(dir).status
  if status ~= "done" then cli.say("%s: its status is %s", dir, tostring(status)) end
  print(path)
  print((path:gsub("svg$", "png")))
  return 0
end

--- The place of the first word that is a run, the runs of it and of those behind, their metrics.
--- A word that is a part of a run's name and a metric of the runs is a metric.
local function runs_of(store, words)
  local chosen, aligned = require "swale.store.chosen", require "swale.store.aligned"
  local sets, problem = require "swale.plot.sets", nil
  for first = 2, #words do
    local views, message = chosen.runs(store, table.move(words, first, #words, 1, {}))
    local known = views and #views > 0 and aligned.metrics(views)
    if known and (first == #words or not sets.find(known, words[first])) then
      return first, views, known
    end
    problem = problem or message
  end
  return nil, problem
end

--- The metrics that the words before the runs name; nil, the first that is none.
local function metrics_of(words, first, known)
  local sets, list = require "swale.plot.sets", {}
  for i = 1, first - 1 do
    local metric = sets.find(known, words[i])
    if not metric then return nil, words[i] end
    list[i] = metric
  end
  return list
end

local function names_of(metrics)
  local names = {}
  for _, metric in ipairs(metrics) do names[metric.name] = true end
  return require("swale.errors").sorted_keys(names)
end

local function plot_set(o)
  local store = require("swale.store").open()
  local first, views, known = runs_of(store, o.words)
  store:tell(cli.note)
  if not first then
    cli.say("%s", views or "plot: metrics come first, then runs: swale plot valid_loss RUNS…")
    return 1
  end
  local metrics, unknown = metrics_of(o.words, first, known)
  if not metrics then
    local names = names_of(known)
    cli.say('plot: these runs have no metric "%s"%s they have: %s', unknown,
      require("swale.errors").suggestion(unknown, names), table.concat(names, ", "))
    return 1
  end
  local left = require("swale.plot.sets").draw(views, metrics, { against = o.against,
    group = o.group, log = o.log, file = o.out })
  for _, words in ipairs(left) do cli.say("plot: left out: %s; --group draws settings", words) end
  print(o.out)
  return 0
end

---@param args string[]
---@return integer code
function M.main(args)
  local o = cli.parse(build_parser(), args)
  if not o then return 2 end
  if #o.words == 1 then return plot_run(o.words[1]) end
  return plot_set(o)
end

return M
