--- The recipe "A command": `swale tensors FILE`, which lists the tensors of a file.
return {
  adds = "command tensors",
  pieces = {
    { name = "file", file = "scripts/swale/cli/tensors.lua", create = true, text = [[
--- swale tensors FILE
local cli = require "swale.cli"

local M = { summary = "list the tensors of a file: swale tensors FILE", order = 12 }

---@param args string[]
---@return integer code
function M.main(args)
  local parser = cli.parser("tensors", "Lists names and shapes of the tensors in a file.")
  parser:argument("file", "A safetensors file, as a checkpoint is."):argname "FILE"
  local o = cli.parse(parser, args)
  if not o then return 2 end
  local rows = {}
  for name, tensor in pairs((require("swale").load(o.file))) do
    rows[#rows + 1] = ("%s (%s)"):format(name, table.concat(tensor:shape(), ", "))
  end
  table.sort(rows)
  print(table.concat(rows, "\n"))
  return 0
end

return M
]], dropped = 'there is no command "tensors"' },
    { name = "row in the docs", file = "docs/commands.md", part = "docs",
      after = "| `swale plot RUN` |", text = [[
| `swale tensors FILE` | lists names and shapes of the tensors in a file |
]], dropped = "docs/commands.md has no row for swale tensors" },
    { name = "test", file = "tests/cli/test_tensors.lua", part = "test", create = true, text = [[
--- swale tensors FILE.
local command = require "command"
local lu = require "luaunit"
local sw = require "swale"

TestTensors = {}

function TestTensors:setUp() self.dir = command.folder() end
function TestTensors:tearDown() command.remove(self.dir) end

function TestTensors:test_the_tensors_of_a_file()
  sw.save(self.dir .. "/a.safetensors", { b = sw.zeros { 2, 3 }, a = sw.ones(4) })
  local r = command.swale(self.dir, { "tensors", "a.safetensors" })
  lu.assert_equals({ r.code, r.out, r.err }, { 0, "a (4)\nb (2, 3)\n", "" })
end
]] },
  },
  tests = { { "cli", "^test_tensors%." }, { "cli", "^test_pages%.TestPages%.test_the_table" },
    { "cli", "^test_commands%.TestCommands%.test_every_command" } },
}
