--- swale rm RUN … [--members] [--yes]
local cli = require "swale.cli"

local M = { summary = "remove runs: swale rm RUN … [--members] [--yes]", order = 14 }

local function build_parser()
  local parser = cli.parser("rm", "Removes the directories of runs, batches and sweeps, for good."
    .. " It asks first. Runs that are being written stay, and nothing outside of SWALE_RUNS (or"
    .. " runs/) is touched.")
  parser:argument("runs", cli.RUN):argname "RUN":args "+"
  parser:flag("--members", "Of a batch or sweep, its runs too; without it they stay.")
  parser:flag("--yes", "Do not ask.")
  return parser
end

--- The directories that the words name, each once; nil where one is not there, which is printed.
local function directories(store, o)
  local find, list, seen = require "swale.store.find", {}, {}
  local function add(dir)
    if not seen[dir] then list[#list + 1] = dir end
    seen[dir] = true
  end
  for _, word in ipairs(o.runs) do
    local dir, problem = find.run(word)
    local collection = not dir and find.collection(word)
    if not dir and not collection then
      cli.say("%s", problem)
      return nil
    end
    add(dir or collection)
    local id = collection and o.members and collection:match "[^/]+$"
    for _, view in ipairs(id and store:runs { collection = id } or {}) do
      if view.collection == id then add(view.dir) end -- one that it skipped is another's
    end
  end
  return list
end

local SHOWN = 6 -- names in a line

local function names_of(dirs)
  local names = {}
  for i = 1, math.min(#dirs, SHOWN) do names[i] = dirs[i]:match "[^/]+$" end
  if #dirs > SHOWN then names[#names + 1] = ("%d more"):format(#dirs - SHOWN) end
  return table.concat(names, ", ")
end

local function is_agreed(dirs)
  local remove, shown, bytes = require "swale.store.remove", require "swale.store.shown", 0
  for _, dir in ipairs(dirs) do bytes = bytes + remove.bytes(dir) end
  if require("luv").guess_handle(0) ~= "tty" then
    cli.say("rm: %d to remove, %s: %s; nothing is removed without --yes", #dirs,
      shown.bytes(bytes), names_of(dirs))
    return false
  end
  for _, dir in ipairs(dirs) do io.stderr:write(dir, "\n") end
  io.stderr:write(("Remove %d (%s)? [y/N] "):format(#dirs, shown.bytes(bytes)))
  local answer = io.read "l"
  return answer ~= nil and answer:lower():find "^y" ~= nil
end

---@param args string[]
---@return integer code
function M.main(args)
  local o = cli.parse(build_parser(), args)
  if not o then return 2 end
  local remove = require "swale.store.remove"
  local store = require("swale.store").open()
  local dirs = directories(store, o)
  if not dirs then return 1 end
  local obstacle = remove.obstacle(store.root, dirs)
  if obstacle then
    cli.say("rm: %s; nothing was removed", obstacle)
    return 1
  end
  if not o.yes and not is_agreed(dirs) then return 2 end
  local removed, problems = remove.all(store.root, dirs)
  for _, problem in ipairs(problems) do cli.say("%s", problem) end
  print(("removed %d%s"):format(removed, removed == #dirs and ": " .. names_of(dirs) or ""))
  return #problems == 0 and 0 or 1
end

return M
