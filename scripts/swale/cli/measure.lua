--- swale measure RUN NAME[=option:value,…]… [--at all|last|best|STEP,…]
local cli = require "swale.cli"

local M = { summary = "measure kept checkpoints of a run: swale measure RUN --at all NAME…",
  order = 19 }

local function build_parser()
  local parser = cli.parser("measure", "Gives the weights of kept checkpoints to the measurements"
    .. " that Trainer { measure = … } knows. The script is executed up to its first fit. The"
    .. " values are printed and appended to measured.jsonl in the run's directory.")
  parser:argument("run", cli.RUN):argname "RUN"
  parser:argument("names", "Measurements, with options: hessian_trace, sharpness=epsilon:1e-3,"
    .. "sample:500."):argname "NAME":args "+"
  parser:option("--at", "Steps of checkpoints, as 100,200; all; last; best.")
    :argname "STEPS":convert(cli.parts):default "all"
  parser:flag("--plot", "Also draw the values over the steps, to plots/measured.svg.")
  cli.add_threads(parser)
  cli.add_traceback(parser)
  return parser
end

local function asked_of(words)
  local list = {}
  for i, word in ipairs(words) do
    local asked, problem = require("swale.run.measured").parse(word)
    if not asked then return nil, problem end
    list[i] = asked
  end
  return list
end

local function number(x) return type(x) == "number" and ("%.5g"):format(x) or tostring(x or "") end

local function interval(column)
  if not column.low then return "" end
  return ("%s … %s"):format(number(column.low), number(column.high))
end

local function add_rows(rows, line)
  local where = line.checkpoint == "best" and "best" or tostring(line.step)
  local epoch = ("%.2f"):format(line.epoch)
  if line.error then rows[#rows + 1] = { where, epoch, line.name, "", "", line.error } end
  for _, column in ipairs(require("swale.run.measured").columns(line)) do
    rows[#rows + 1] = { where, epoch, column.name, number(column.value),
      interval(column), column.note }
  end
end

--- Draws the columns that were measured at several steps, a panel each.
local function draw(dir, measured_lines)
  local measured = require "swale.run.measured"
  local by_name, names = {}, {}
  for _, line in ipairs(measured_lines) do
    for _, column in ipairs(line.checkpoint ~= "best" and measured.columns(line) or {}) do
      local one = by_name[column.name]
      if not one then
        one = { x = {}, y = {}, low = {}, high = {} }
        by_name[column.name], names[#names + 1] = one, column.name
      end
      local i = #one.x + 1
      one.x[i], one.y[i] = line.step, tonumber(column.value) or 0 / 0
      one.low[i], one.high[i] = tonumber(column.low) or one.y[i], tonumber(column.high) or one.y[i]
    end
  end
  local panels = {}
  for i, name in ipairs(names) do
    local one = by_name[name]
    one.as, panels[i] = "points", { { x = one.x, y = one.y, low = one.low, high = one.high,
      as = "both" }, x_label = "steps", y_label = name, legend = "none" }
  end
  if #panels == 0 then return nil, "nothing was measured" end
  require("swale.folders").make_folder(dir .. "/plots")
  return require("swale.plot.figure").plot { file = dir .. "/plots/measured.svg", panels = panels }
end

local HEADER <const> = { "step", "epoch", "measured", "value", "interval", "note" }

local function measure(o, dir)
  local measured, runs = require "swale.run.measured", require "swale.run"
  local info = runs.read_whole(dir)
  dir = require("swale.run.place").enter(dir, info)
  local asked, problem = asked_of(o.names)
  if not asked then return 2, problem end
  local chosen
  chosen, problem = measured.choose(measured.checkpoints(dir), o.at)
  if not chosen then return 1, dir .. ": " .. problem end
  local why = require("swale.run.key").changed(info)
  if why then cli.say("%s since the run; it is executed as it is now", why) end
  local experiment, params = require("swale.run.script").load(info,
    { load = cli.loader(o), say = cli.say })
  if not experiment then return params end
  require("swale.core").catch_signals()
  local rows, all = {}, {}
  measured.run { dir = dir, experiment = experiment, params = params, seed = info.seed,
    checkpoints = chosen, asked = asked, on_line = function(line)
      all[#all + 1] = line
      add_rows(rows, line)
    end }
  print(require("swale.table").render(HEADER, rows))
  if o.plot then print(draw(dir, all)) end
  return 0
end

---@param args string[]
---@return integer code
function M.main(args)
  local dir, o = cli.parse_run(build_parser(), args)
  if not dir then return o end
  local code, why = measure(o, dir)
  if why then cli.say("%s", why) end
  return code
end

return M
