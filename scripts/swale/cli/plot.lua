--- swale plot RUN
local cli = require "swale.cli"

local M = { summary = "draw loss, learning rate and more of a run: swale plot RUN", order = 8 }

---@param args string[]
---@return integer code
function M.main(args)
  local parser = cli.parser("plot", "Draws loss, learning rate, batch size and measurements of a"
    .. " run over examples, as SVG and PNG in the run's plots/.")
  parser:argument("run", cli.RUN):argname "RUN"
  local o = cli.parse(parser, args)
  if not o then return 2 end
  local dir, problem = require("swale.store").find(o.run)
  if not dir then
    cli.say("%s", problem)
    return 1
  end
  local path, message = require("swale.plot").run(dir)
  if not path then
    cli.say("%s: %s", dir, message)
    return 1
  end
  local status = require("swale.run").read_info(dir).status
  if status ~= "done" then cli.say("%s: its status is %s", dir, tostring(status)) end
  print(path)
  print((path:gsub("svg$", "png")))
  return 0
end

return M
