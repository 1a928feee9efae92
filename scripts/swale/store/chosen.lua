--- The runs that words of a command line name: runs, or collections, which stand for their runs.
local find = require "swale.store.find"
local view = require "swale.store.view"

local M = {}

local function add(list, seen, run)
  if seen[run.dir] then return end
  seen[run.dir] = true
  list[#list + 1] = run
end

--- The runs of a word; nil, message.
local function of_word(store, word)
  local dir, what = find.any(word)
  if not dir then return nil, what end
  if what == "collection" then return store:runs { collection = dir:match "[^/]+$" } end
  local run, problem = view.read(dir)
  return run and { run }, problem
end

---@param store swale.Store
---@param words string[]
---@return swale.RunView[]|nil runs   each once, in the order of the words
---@return string? message
function M.runs(store, words)
  local list, seen = {}, {}
  for _, word in ipairs(words) do
    local runs, message = of_word(store, word)
    if not runs then return nil, message end
    for _, run in ipairs(runs) do add(list, seen, run) end
  end
  return list
end

return M
