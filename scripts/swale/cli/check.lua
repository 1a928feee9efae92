--- swale check FILE [key=value …]
local cli = require "swale.cli"

local M = { summary = "plan an experiment without training: swale check FILE", order = 2 }

local function build_parser()
  local parser = cli.experiment_parser("check", "Runs an experiment with trainers that plan instead"
    .. " of training: layers, weights, memory, updates, examples, time. To measure the time, they"
    .. " make a few steps on a copy of the weights. Loops that a script writes itself are run, not"
    .. " planned.")
  parser:flag("--no-time", "Make no steps at all."):target "untimed"
  return parser
end

--- The exit status. A script may fail behind the training, where there are no results to work with;
--- a failure before it is an error.
local function judge(o, fits, failure)
  local core = require "swale.core"
  if failure and (failure.value == core.INTERRUPTED or core.interrupted()) then
    core.clear_interrupt()
    cli.say "interrupted"
    return core.interrupt_status()
  elseif failure and fits > 0 then
    cli.say("what follows the training was not checked: it failed with\n  %s",
      tostring(failure.value))
  elseif failure then
    cli.say("%s", tostring(failure.value))
    if o.traceback then io.stderr:write(failure.traceback, "\n") end
    return 1
  elseif fits == 0 then
    cli.say("%s trains nothing with a Trainer: there is nothing to plan", o.file)
  end
  return 0
end

---@param args string[]
---@return integer code
function M.main(args)
  local experiment, o = cli.parse_experiment(build_parser(), args)
  if not experiment then return o end
  local params, message = experiment:resolve(o.overrides, o.file)
  if not params then
    cli.say("%s", message)
    return 2
  end
  require("swale.core").catch_signals()
  return judge(o, require("swale.check").run(experiment, params, { seed = o.seed,
    timed = not o.untimed, say = function(line) io.stdout:write(line, "\n") end }))
end

return M
