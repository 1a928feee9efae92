--- swale compare RUN RUN …
local cli = require "swale.cli"

local M = { summary = "compare runs, or the settings of a sweep: swale compare RUN RUN …",
  order = 8 }

---@param args string[]
---@return integer code
function M.main(args)
  local parser = cli.parser("compare", "Shows what differs in the configuration of runs, the last"
    .. " and best values of their metrics, and means over seeds for each setting, with the"
    .. " differences paired over seeds. A batch or sweep stands for its runs.")
  parser:argument("runs", cli.RUN):argname "RUN":args "+"
  parser:option("--metric", "Compare the settings by these results or metrics.")
    :argname "NAME,…":convert(cli.parts)
  parser:option("--goal", "Whether small or great values of them are good: min or max.")
    :choices { "min", "max" }
  local o = cli.parse(parser, args)
  if not o then return 2 end
  local store = require("swale.store").open()
  local views, problem = require("swale.store.chosen").runs(store, o.runs)
  store:tell(cli.note)
  if not views then
    cli.say("%s", problem)
    return 1
  elseif #views < 2 then
    cli.say("compare: two runs or more; found %d", #views)
    return 2
  end
  print(require("swale.store.compare").text(views, o.metric, o.goal))
  return 0
end

return M
