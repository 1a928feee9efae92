--- swale repl
local cli = require "swale.cli"

local M = { summary = "a conversation in Lua, sw at hand; values are printed", order = 5 }

local function build_parser()
  local parser = cli.parser("repl", "Runs lines of Lua as they are typed, with sw = require"
    .. ' "swale". Values of expressions are printed; a statement that is not complete goes on in'
    .. " the next line; errors end nothing. Ctrl-C gives up a line or a computation, Ctrl-D ends."
    .. " Locals live as long as their line: leave the local away.")
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
