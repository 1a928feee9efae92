--- swale help NAME
local cli = require "swale.cli"

local M = { summary = "describe a function, a module or a class: swale help NAME", order = 23 }

local function build_parser()
  local parser = cli.parser("help", "Describes a function, a module, a class or a method, from the"
    .. " annotations: swale help schedule.cyclic, swale help nn, swale help Trainer:fit.")
  parser:argument("name", "As in a script, with or without sw. in front."):argname "NAME"
  return parser
end

---@param args string[]
---@return integer code
function M.main(args)
  local o = cli.parse(build_parser(), args)
  if not o then return 2 end
  local page, problem = require("swale.manual").page(o.name)
  if not page then
    cli.say("%s", problem)
    return 1
  end
  print(page)
  return 0
end

return M
