--- swale repl
local cli = require "swale.cli"

local M = { summary = "read and run lines of Lua, with sw loaded", order = 22 }

local function build_parser()
  local parser = cli.parser("repl", "Runs lines of Lua as they are typed, with sw = require"
    .. ' "swale". Prints the values of expressions; a statement that is not complete continues in'
    .. " the next line; errors do not end it. Ctrl-C drops a line or stops a computation, Ctrl-D"
    .. " ends. A local exists only in its line, so use globals.")
  cli.add_threads(parser)
  return parser
end

---@param args string[]
---@return integer code
function M.main(args)
  local o = cli.parse(build_parser(), args)
  if not o then return 2 end
  cli.set_threads(o.threads)
  package.path = "./?.lua;" .. package.path
  local input = require("swale.repl.input").new()
  if input.terminal then
    print(("swale %s, %s. help lists what there is; Ctrl-D ends."):format(
      require("swale.core")._VERSION, _VERSION))
  end
  local failed = require("swale.repl").run(input)
  return failed and not input.terminal and 1 or 0
end

return M
