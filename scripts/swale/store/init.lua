--- The store: the runs below a root. The directories are the truth; what is read of them is kept
--- by their stamps, so that a second look reads only what changed.
local class = require "swale.class"
local errors = require "swale.errors"
local find = require "swale.store.find"
local folder = require "swale.store.folder"
local options = require "swale.options"
local place = require "swale.run.place"
local runs = require "swale.run"
local view = require "swale.store.view"

local M = { find = find.run, find_collection = find.collection }

---@class swale.Store
---@field root string
---@field problems { id: string, message: string }[]   records that cannot be read
local Store = class.new("store", { fields = { "root", "problems" } })

---Opens the store of a root; a folder that does not exist is an empty one.
---@param root? string   SWALE_RUNS, or runs/
---@return swale.Store
function M.open(root)
  return setmetatable({ root = root or place.root(), problems = {}, known = {} }, Store)
end

--- Reads what is new or changed, forgets what is gone.
local function read_changed(self, entry)
  local before = self.known[entry.id]
  if before and before.stamp == entry.stamp then return before end
  local record, message = errors.try(runs.read_record, self.root .. "/" .. entry.id)
  return { stamp = entry.stamp, record = record, message = message }
end

---Looks at the folders again.
---@return swale.Store self
function Store:refresh()
  local known = {}
  self.problems = {}
  for _, entry in ipairs(folder.list(self.root)) do
    if entry.kind == "run" then
      local kept = read_changed(self, entry)
      known[entry.id] = kept
      if kept.message then
        table.insert(self.problems, { id = entry.id, message = kept.message })
      end
    end
  end
  self.known = known
  return self
end

local RUNS = { experiment = "string?", collection = "string?", where = "string|function?",
  ids = "list?" }

local function set_of(list)
  local set = {}
  for _, name in ipairs(list) do set[name] = true end
  return set
end

---@class swale.RunsOptions
---@field experiment? string    runs of it
---@field collection? string    runs of a batch or sweep
---@field where? string|fun(run: swale.RunView): boolean   'lr > 0.1 and status = "done"'
---@field ids? string[]         these directories' names

---Returns runs as they are now, in the order of their beginning.
---@param o? swale.RunsOptions
---@return swale.RunView[]
function Store:runs(o)
  o = options.check("store:runs", o, RUNS)
  self:refresh()
  local ids, list = o.ids and set_of(o.ids), {}
  for id, kept in pairs(self.known) do
    local run = kept.record and (not ids or ids[id])
      and view.new(self.root .. "/" .. id, kept.record)
    if run and (not o.experiment or run.experiment == o.experiment)
      and (not o.collection or run.collection == o.collection)
      and (type(o.where) ~= "function" or o.where(run)) then
      list[#list + 1] = run
    end
  end
  table.sort(list, function(a, b)
    if a.started ~= b.started then return a.started < b.started end
    return a.id < b.id
  end)
  return list
end

---The runs below SWALE_RUNS (or runs/), in the order of their beginning:
---    for _, run in ipairs(sw.runs { experiment = "small", where = "lr > 0.1" }) do
---      print(run.params.lr, run.summary.test_accuracy, #run:metrics().valid_loss)
---    end
---@param o? swale.RunsOptions
---@return swale.RunView[]
function M.runs(o)
  o = options.check("runs", o, RUNS)
  local store = M.open()
  local list = store:runs(o)
  for _, problem in ipairs(store.problems) do
    io.stderr:write("swale: ", problem.id, " is left out: ", problem.message, "\n")
  end
  return list
end

---A run, for commands: by path, name, unique part of a name, or "last". Raises with the reason.
---@param text string
---@return swale.RunView
function M.run(text)
  local dir, message = find.run(text)
  if not dir then errors.environment(message, "EIO") end
  local found, problem, code = view.read(dir)
  if not found then errors.environment(problem, code) end
  return found
end

return M
