--- `--dry-run`: what would run and what would be skipped, a line each. Nothing is written.
local histories = require "swale.batch.history"
local works = require "swale.batch.work"

local M = {}

--- Pieces of work that depend on results of others cannot be listed.
local function listed(source)
  return function()
    local work = source.next()
    if work == "wait" then print "… more follow from the results of these" end
    return type(work) == "table" and work or nil
  end
end

---@param o swale.BatchOptions
---@return integer code
function M.run(o)
  local history, run, skipped = histories.new(o), 0, 0
  for work in listed(o.source) do
    local verdict, why = history:judge(work, history:key(work), true)
    if verdict == "skip" then
      skipped = skipped + 1
      print(("skip  %s: %s"):format(works.name(work), why))
    else
      run = run + 1
      print(("run   %s%s"):format(works.name(work), why and ": " .. why or ""))
    end
  end
  print(("would run %d, skip %d"):format(run, skipped))
  local show = require("swale.batch").executor(o.executor).show
  if show then show(o, run) end
  return 0
end

return M
