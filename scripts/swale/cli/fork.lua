--- swale fork RUN [--at STEP] [key=value …]
local cli = require "swale.cli"

local M = { summary = "train on from a checkpoint with other settings: swale fork RUN --at STEP",
  order = 17 }

local function build_parser()
  local parser = cli.parser("fork", "Makes a new run of the same script, which goes on from a"
    .. " checkpoint of RUN with other parameters. Batches and random numbers from there on are"
    .. " those that RUN had, so that the two differ in their settings alone.")
  parser:argument("run", cli.RUN):argname "RUN"
  parser:argument("overrides", "Parameters that change, such as lr=0.01."):argname "key=value"
    :args "*"
  parser:option("--at", "The checkpoint: a step, last or best."):argname "STEP":default "last"
  parser:option("--seed", "Other batches and random numbers from there on."):argname "N"
    :convert(cli.whole(0))
  cli.add_checkpoint(parser)
  cli.add_threads(parser)
  cli.add_traceback(parser)
  return parser
end

---@param args string[]
---@return integer code
function M.main(args)
  local dir, o = cli.parse_run(build_parser(), args)
  if not dir then return o end
  table.insert(args, 1, "fork")
  return require("swale.run.fork").run { dir = dir, at = o.at, overrides = o.overrides,
    seed = o.seed, checkpoint = o.checkpoint, traceback = o.traceback, argv = args, say = cli.say,
    load = cli.loader(o) }
end

return M
