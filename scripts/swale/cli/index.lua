--- swale index
local cli = require "swale.cli"

local M = { summary = "rebuild the index of the runs, runs/index.sqlite", order = 15 }

---@param args string[]
---@return integer code
function M.main(args)
  local parser = cli.parser("index", "Makes the index of the runs anew from their directories."
    .. " Other commands keep it up to date, so this is only needed if it is in doubt.")
  if not cli.parse(parser, args) then return 2 end
  local store = require("swale.store").open()
  store.index:rebuild()
  store:refresh()
  store:tell(cli.note)
  local function count(name) return store.index:value("SELECT count(*) FROM " .. name) end
  print(("%s: %d runs, %d batches and sweeps"):format(store.root, count "runs",
    count "collections"))
  return #store.problems == 0 and 0 or 1
end

return M
