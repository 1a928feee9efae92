--- swale check FILE [key=value …]
local cli = require "swale.cli"

local M = { summary = "what an experiment will come to, without training: swale check FILE",
  order = 3 }

local function build_parser()
  local parser = cli.parser("check", "Carries an experiment out with trainers that plan instead of"
    .. " training: layers, weights, memory, updates, examples, time. To tell the time, a few steps"
    .. " are made on a copy of the weights. Loops of a script's own are not planned: they run.")
  parser:argument("file", "The script."):argname "FILE"
  parser:argument("overrides", "Parameters, such as lr=0.2."):argname "key=value":args "*"
  parser:option("--seed", "Seed of all that is random (1)."):argname "N":convert(cli.whole(0))
    :default "1"
  cli.add_threads(parser)
  parser:flag("--no-time", "Make no steps at all."):target "untimed"
  parser:flag("--traceback", "Show where an error came from.")
  return parser
end

--- What a script does with results that there are none of may go wrong; what comes before, not.
local function judge(o, fits, failure)
  local core = require "swale.core"
  if failure and (failure.value == core.INTERRUPTED or core.interrupted()) then
    core.clear_interrupt()
    cli.say "interrupted"
    return core.interrupt_status()
  elseif failure and fits > 0 then
    cli.say("what comes after the training was not looked at: it ended with\n  %s",
      tostring(failure.value))
  elseif failure then
    cli.say("%s", tostring(failure.value))
    if o.traceback then io.stderr:write(failure.traceback, "\n") end
    return 1
  elseif fits == 0 then
    cli.say("%s trains nothing by a Trainer: there is nothing to plan", o.file)
  end
  return 0
end

---@param args string[]
---@return integer code
function M.main(args)
  local o = cli.parse(build_parser(), args)
  local overrides = o and cli.overrides(o.overrides)
  if not o or not overrides then return 2 end
  cli.set_threads(o.threads)
  local experiment, code = cli.load_experiment(o.file, o.traceback)
  if not experiment then return code or 1 end
  local params, message = experiment:resolve(overrides, o.file)
  if not params then
    cli.say("%s", message)
    return 2
  end
  require("swale.core").catch_signals()
  return judge(o, require("swale.check").run(experiment, params, { seed = o.seed,
    timed = not o.untimed, say = function(line) io.stdout:write(line, "\n") end }))
end

return M
