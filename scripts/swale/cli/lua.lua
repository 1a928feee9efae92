--- swale lua FILE [args …]
local cli = require "swale.cli"

local M = { summary = "run any Lua file that requires swale: swale lua FILE [args …]", order = 21 }

local USAGE = [[
Usage: swale lua [--threads N] [--traceback] FILE [args …]

Runs any Lua file; `require "swale"` finds Swale. What follows FILE are the arguments of the file.]]

--- Options of the command come before the file; what follows the file are its own arguments.
local function read_args(args)
  local o, i = {}, 1
  while args[i] and args[i]:match "^%-." do
    if args[i] == "--help" or args[i] == "-h" then
      o.help = true
    elseif args[i] == "--traceback" then
      o.traceback = true
    elseif args[i] == "--threads" then
      i = i + 1
      local problem
      o.threads, problem = cli.thread_count(args[i] or "")
      if not o.threads then return nil, "--threads: " .. problem end
    else
      return nil, ("there is no option %s"):format(args[i])
    end
    i = i + 1
  end
  o.file = args[i]
  o.rest = table.move(args, i + 1, #args, 1, { [0] = o.file })
  if not o.file and not o.help then return nil, "a file is missing" end
  return o
end

---@param args string[]
---@return integer code
function M.main(args)
  local o, problem = read_args(args)
  if not o then
    cli.say("lua: %s\n%s", problem, USAGE)
    return 2
  elseif o.help then
    print(USAGE)
    return 0
  end
  cli.set_threads(o.threads)
  local chunk, message = cli.load_script(o.file)
  if not chunk then
    cli.say("%s", message)
    return 1
  end
  require("swale.core").catch_signals()
  rawset(_G, "arg", o.rest)
  local failed, result = cli.protect(o.traceback, chunk, table.unpack(o.rest))
  if failed then return failed end
  if require("swale.experiment").is_experiment(result) then
    cli.say("%s returns an experiment: `swale run %s` executes it", o.file, o.file)
  end
  return 0
end

return M
