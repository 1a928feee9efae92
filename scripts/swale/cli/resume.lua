--- swale resume RUN [epochs=…]
local cli = require "swale.cli"

local M = { summary = "go on with a run that did not end: swale resume RUN [epochs=20]",
  order = 16 }

local function build_parser()
  local parser = cli.parser("resume", "Executes the script of a run again, in the same directory:"
    .. " up to its last checkpoint without training, and on from there. The end is the one of a run"
    .. " that was not disturbed, to the bit.")
  parser:argument("run", cli.RUN):argname "RUN"
  parser:argument("overrides", "Durations that change, such as epochs=20."):argname "key=value"
    :args "*"
  parser:flag("--rescale", "Go on even if a longer training changes schedules or averages.")
  parser:flag("--changed", "Go on even if the script or its modules have changed; run.json notes"
    .. " it.")
  cli.add_threads(parser)
  cli.add_checkpoint(parser)
  cli.add_traceback(parser)
  return parser
end

---@param args string[]
---@return integer code
function M.main(args)
  local dir, o = cli.parse_run(build_parser(), args)
  if not dir then return o end
  return require("swale.run.resume").run { dir = dir, overrides = o.overrides,
    rescale = o.rescale or false, changed = o.changed or false, traceback = o.traceback or false,
    checkpoint = o.checkpoint, say = cli.say, load = cli.loader(o) }
end

return M
