--- swale show RUN
local cli = require "swale.cli"

local M = { summary = "show all about a run: swale show RUN", order = 13 }

---@param args string[]
---@return integer code
function M.main(args)
  local parser = cli.parser("show", "Shows status, parameters, results, metrics and files of a"
    .. " run.")
  parser:argument("run", cli.RUN .. " The last one, unless given."):argname "RUN":args "?"
  parser:flag("--json", "What run.json holds, with the status as it is now.")
  local o = cli.parse(parser, args)
  if not o then return 2 end
  local view = require("swale.store").run(o.run or "last")
  if o.json then
    print(require("swale.core").json_encode(view.info, 2))
  else
    print(require("swale.store.detail").text(view))
  end
  return 0
end

return M
