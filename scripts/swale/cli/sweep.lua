--- swale sweep FILE key=values… [--seeds 5] [--random N | --halving key=1,3,9 | --strategy FILE]
local cli = require "swale.cli"
local given = require "swale.batch.options"

local M = { order = 5,
  summary = "run an experiment with many settings: swale sweep FILE lr=0.1,0.2 [--seeds 3]" }

local EPILOG = [[
Values of a parameter:
  lr=0.1,0.2,-1          these; \, is a comma in a text; one value fixes the parameter
  n=1..5                 whole numbers
  lr=lin:0..1:5          5 values with equal differences
  n=log2:32..4096        32, 64, …        lr=log10:1e-4..1   1e-4, 1e-3, …
  lr=log10:0.01..1:5     5 values with equal ratios
  lr=uniform:0..1        drawn, with --random
  lr=loguniform:1e-4..1  drawn evenly in the logarithm

Every seed runs all settings before the next one does. Work that is done is skipped, so the same
command continues a sweep that was interrupted, and more seeds, values or draws add to it.]]

local function build_parser()
  local parser = cli.parser("sweep", "Runs a script with every combination of the values given, or"
    .. " with some of them, for every seed. The end has means over seeds, the best setting by the"
    .. " experiment's objective, and which others it cannot be told from.")
  parser:epilog(EPILOG)
  parser:argument("file", "The script."):argname "FILE"
  parser:argument("words", "Values of parameters, such as lr=0.1,0.2."):argname "key=values"
    :args "*"
  parser:option("--random", "Draws so many settings; more draws keep the first ones.")
    :argname "N":convert(cli.whole(1, 100000))
  parser:option("--sweep-seed", "Seed of the draws."):argname "N":convert(cli.whole(0))
    :default "1"
  parser:option("--halving", "Successive halving: lengths of the runs, by the parameter that sets"
    .. " it. At each length the better settings go on; runs begin anew."):argname "key=1,3,9"
  parser:option("--strategy", "A Lua file that asks for settings and is told their results.")
    :argname "FILE.lua"
  given.add(parser)
  return parser
end

--- Prints why, and returns the exit status of a command line that is not understood.
local function refuse(fmt, ...)
  cli.say(fmt, ...)
  return nil, 2
end

local function describe(file)
  local d = require("swale.batch.describe").script(file, {})
  if d.params then return d end
  if d.none then
    cli.say("%s does not return an experiment", file)
  else
    cli.say("%s", d.fault or d.refused)
  end
  return nil, 1
end

local function list_of(ranges)
  local list = {}
  for seed in require("swale.batch.seeds").each(ranges) do list[#list + 1] = seed end
  return list
end

local function needs_objective(o)
  return refuse('--halving compares runs by the experiment\'s objective, and %s declares none. Add'
    .. ' to sw.experiment { … }: objective = { "valid_loss", "min" }', o.file)
end

--- The lengths of --halving.
local function rungs_of(o, d, space)
  local name, text = o.halving:match "^([%a_][%w_]*)=(.*)$"
  local default = name and d.params[name]
  if not name then return refuse("--halving %s: write epochs=1,3,9", o.halving) end
  if type(default) ~= "number" then
    return refuse('--halving: %s has no parameter "%s" that is a number%s', o.file, name,
      require("swale.errors").suggestion(name, d.params))
  end
  for _, known in ipairs(space.names) do
    if known == name then
      return refuse("%s is given twice: by --halving and as %s=…", name, name)
    end
  end
  local axis, message = require("swale.sweep.words").read(name, text, default)
  if not axis then return refuse("--halving: %s", message) end
  local values = axis.values
  if not values or #values < 2 then
    return refuse "--halving: at least two lengths: epochs=1,3,9"
  end
  for i, value in ipairs(values) do
    if value <= (values[i - 1] or 0) then
      return refuse("--halving: lengths are positive and ascend; %s does not", tostring(value))
    end
  end
  return { name = name, values = values }
end

local function plan_of(o, d, space)
  local strategies = require "swale.sweep.strategies"
  if o.strategy then
    local plan, message = strategies.file(o.strategy)
    if not plan then return refuse("%s", message) end
    return plan
  end
  if #space.axes == 0 then
    return refuse("nothing varies: give a parameter several values, such as lr=0.1,0.2. %s"
      .. " declares: %s", o.file, table.concat(require("swale.errors").sorted_keys(d.params), ", "))
  end
  local drawn = space:drawn()
  if drawn and not o.random then
    return refuse("%s=%s is drawn: say how many settings with --random 40, or write log10:… or"
      .. " lin:…", drawn.name, drawn.text)
  end
  local n, many = space:count()
  if not n and not o.random then return refuse("%s", many) end
  if not o.halving then return strategies.flat(space, o.random) end
  if not d.objective then return needs_objective(o) end
  local rungs, code = rungs_of(o, d, space)
  if not rungs then return nil, code end
  return strategies.halving(space, o.random, rungs)
end

--- What the sweep will not do.
local function notes(o, d, space)
  local n = space:count()
  if o.random and n and n < o.random then
    cli.say("--random %d: there are only %d different settings", o.random, n)
  end
  if not d.objective then
    cli.say("%s declares no objective, so the end names no best setting. In sw.experiment:"
      .. ' objective = { "valid_loss", "min" }', o.file)
  end
end

local function clash(o)
  if o.strategy and (o.random or o.halving) then
    return refuse "--strategy chooses the settings itself: without --random and --halving"
  end
  return true
end

---@param args string[]
---@return integer code
function M.main(args)
  local o = cli.parse(build_parser(), args)
  if not o then return 2 end
  local ok, code = clash(o)
  if not ok then return code end
  require("swale.core").catch_signals()
  local d, plan
  d, code = describe(o.file)
  if not d then return code end
  local space, message = require("swale.sweep.space").new { script = o.file, words = o.words,
    declaration = d.params, seeds = list_of(o.seeds), seed = o.sweep_seed,
    objective = d.objective }
  if not space then
    cli.say("%s", message)
    return 2
  end
  plan, code = plan_of(o, d, space)
  if not plan then return code end
  notes(o, d, space)
  local options = given.read(o, "sweep", args)
  options.name = d.name:gsub("[^%w%-_.]+", "-")
  options.source = require("swale.sweep.source").new(space, plan.strategy,
    { total = plan.total, strategy = plan.record })
  return require("swale.batch").run(options)
end

return M
