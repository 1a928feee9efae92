--- swale run FILE [key=value …]
local cli = require "swale.cli"

local M = { summary = "execute an experiment: swale run FILE [key=value …] [--seed N]", order = 1 }

local function build_parser()
  local parser = cli.parser("run", "Executes the experiment that a script returns, and keeps a"
    .. " record of it in a directory of its own.")
  parser:argument("file", "The script."):argname "FILE"
  parser:argument("overrides", "Parameters, such as lr=0.2."):argname "key=value":args "*"
  parser:option("--seed", "Seed of all that is random (1)."):argname "N":convert(cli.whole(0))
    :default "1"
  cli.add_threads(parser)
  parser:flag("--traceback", "Show where an error came from.")
  return parser
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
  table.insert(args, 1, "run")
  return (experiment:execute(overrides, { seed = o.seed, script = o.file, argv = args,
    traceback = o.traceback }))
end

return M
