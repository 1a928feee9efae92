--- swale show RUN
local cli = require "swale.cli"

local M = { summary = "show all about a run, a batch or a sweep: swale show RUN", order = 7 }

--- The directory of the batch or sweep that a word means; nil if it means a run. Raises if it means
--- neither.
local function collection_of(word)
  if not word or word == "last" then return nil end
  local dir, what = require("swale.store.find").any(word)
  if not dir then require("swale.errors").environment(what, "EIO") end
  return what == "collection" and dir or nil
end

local function show_collection(dir, o)
  local record = require "swale.batch.record"
  if not o.json then return record.print(dir) end
  print(require("swale.core").json_encode(record.read(dir), 2))
end

---@param args string[]
---@return integer code
function M.main(args)
  local parser = cli.parser("show", "Shows status, parameters, results, metrics and files of a"
    .. " run; of a batch or a sweep its command and its tables.")
  parser:argument("run", cli.RUN .. " The last one, unless given."):argname "RUN":args "?"
  parser:flag("--json", "What run.json or collection.json holds, with the status as it is now.")
  local o = cli.parse(parser, args)
  if not o then return 2 end
  local collection = collection_of(o.run)
  if collection then
    show_collection(collection, o)
    return 0
  end
  local view = require("swale.store").run(o.run or "last")
  if o.json then
    print(require("swale.core").json_encode(view.info, 2))
  else
    print(require("swale.store.detail").text(view))
  end
  return 0
end

return M
