--- swale run FILE [key=value …]
local cli = require "swale.cli"

local M = { summary = "execute an experiment: swale run FILE [key=value …] [--seed N]", order = 3 }

---@param args string[]
---@return integer code
function M.main(args)
  local parser = cli.experiment_parser("run", "Executes the experiment that a script returns, and"
    .. " keeps a record of it in a directory of its own.")
  cli.add_checkpoint(parser)
  parser:flag("--tensorboard", "Write an event file of TensorBoard into the run's directory.")
  local experiment, o = cli.parse_experiment(parser, args)
  if not experiment then return o end
  table.insert(args, 1, "run")
  return (experiment:execute(o.overrides, { seed = o.seed, script = o.file, argv = args,
    traceback = o.traceback, checkpoint = o.checkpoint,
    tensorboard = o.tensorboard or false }))
end

return M
