--- swale job TABLE INDEX OFFSET
local cli = require "swale.cli"

local M = { summary = "do a job of a batch on a cluster; Slurm calls it", order = 98 }

---@param args string[]
---@return integer code
function M.main(args)
  local parser = cli.parser("job", "Does a line of the table of jobs that swale batch --executor"
    .. " slurm has written. The script of these jobs calls it.")
  parser:argument("table", "jobs.jsonl of a batch."):argname "TABLE"
  parser:argument("index", "The line, from 0."):argname "INDEX":convert(cli.whole(0))
  parser:argument("offset", "Is added to it."):argname "OFFSET":convert(cli.whole(0)):default "0"
    :args "?"
  local o = cli.parse(parser, args)
  if not o then return 2 end
  require("swale.core").catch_signals()
  local code, message = require("swale.batch.task").run(o.table, o.index + o.offset + 1)
  if not code then
    cli.say("%s", message)
    return 1
  end
  return code
end

return M
