--- The store: the runs below a root. The directories are the truth; an index (index.lua) has what
--- they hold, so that a second look reads only what changed.
local class = require "swale.class"
local core = require "swale.core"
local errors = require "swale.errors"
local find = require "swale.store.find"
local index = require "swale.store.index"
local names = require "swale.store.names"
local options = require "swale.options"
local place = require "swale.run.place"
local view = require "swale.store.view"

local M = { find = find.run, find_collection = find.collection }

---@class swale.Store
---@field root string
---@field problems { id: string, message: string }[]   records that cannot be read
---@field notes string[]                               what was wrong with the index
---@field index swale.Index
local Store = class.new("store", { fields = { "root", "problems", "notes", "index" } })

---Opens the store of a root; a folder that does not exist is an empty one.
---@param root? string   SWALE_RUNS, or runs/
---@return swale.Store
function M.open(root)
  root = root or place.root()
  local it = index.open(root)
  return setmetatable({ root = root, index = it, notes = it.notes, problems = {} }, Store)
end

---Brings the index up to date with the folders.
---@return swale.Store self
function Store:refresh()
  self.index:refresh()
  self.problems = {}
  for _, kind in ipairs { "runs", "collections" } do
    self.index:query(("SELECT id, problem FROM %s WHERE problem IS NOT NULL ORDER BY id")
      :format(kind), {}, function(id, message)
        table.insert(self.problems, { id = id, message = message })
      end)
  end
  return self
end

---Whether there is no run, as of the last refresh.
---@return boolean
function Store:is_empty() return not self.index:value "SELECT 1 FROM runs LIMIT 1" end

-- ------------------------------------------------------------------ runs

local RUNS = { experiment = "string?", collection = "string?", where = "string|function?",
  ids = "list?", sort = "string?", descending = "boolean?", limit = "count?" }

---@class swale.RunsOptions
---@field experiment? string    runs of it
---@field collection? string    runs of a batch or sweep
---@field where? string|fun(run: swale.RunView): boolean   "lr > 0.1 and status = 'done'"
---@field ids? string[]         these directories' names
---@field sort? string          a name as in where; the order of their beginning, unless given
---@field descending? boolean
---@field limit? integer        the first so many

local function set_of(list)
  local set = {}
  for _, name in ipairs(list) do set[name] = true end
  return set
end

---A scope for names in SQL about runs.
---@return swale.NameScope
function Store:scope()
  return { index = self.index, binds = {},
    need_metrics = function() require("swale.store.summaries").read(self.index) end }
end

--- The end of a SELECT on runs r: conditions, order.
local function clauses(scope, o)
  local tests = { "r.problem IS NULL" }
  if o.experiment then
    tests[#tests + 1] = "r.experiment = " .. names.bound(scope, o.experiment)
  end
  if o.collection then -- with the runs that it skipped, because they were done before
    local id = names.bound(scope, o.collection)
    tests[#tests + 1] = ("(r.collection = %s OR r.id IN (SELECT run FROM members WHERE collection"
      .. " = %s))"):format(id, id)
  end
  if type(o.where) == "string" then
    tests[#tests + 1] = require("swale.store.where").compile(o.where, scope)
  end
  local order = "r.started, r.id"
  if o.sort then -- runs without the value come last, whichever the direction
    local value = names.resolve(scope, o.sort).value
    order = ("%s IS NULL, %s %s, %s"):format(value, value, o.descending and "DESC" or "ASC", order)
  elseif o.descending then
    order = "r.started DESC, r.id DESC"
  end
  return ("WHERE %s ORDER BY %s"):format(table.concat(tests, " AND "), order)
end

---Calls each for the runs that the options name, with the values of SQL expressions on the row r of
---runs. The index is as the last refresh left it; `where` as a function is not for this.
---@param o swale.RunsOptions
---@param expressions fun(scope: swale.NameScope): string
---@param each fun(...)
function Store:select(o, expressions, each)
  if self:is_empty() then return end -- no names are known
  local scope = self:scope()
  local sql = ("SELECT %s FROM runs r %s"):format(expressions(scope), clauses(scope, o))
  if o.limit then sql = sql .. " LIMIT " .. names.bound(scope, o.limit) end
  self.index:query(sql, scope.binds, each)
end

--- The first runs that a function chooses. It is called when the index is not being read: an error
--- in it would leave a statement open, which keeps others from writing.
local function chosen(list, test, limit)
  local found = {}
  for _, run in ipairs(list) do
    if #found == limit then break end
    if test(run) then found[#found + 1] = run end
  end
  return found
end

local function expressions_of_views() return "r.id, r.json, r.status" end

---Returns runs as they are now.
---@param o? swale.RunsOptions
---@return swale.RunView[]
function Store:runs(o)
  o = options.check("store:runs", o, RUNS)
  self:refresh()
  local ids, list = o.ids and set_of(o.ids), {}
  local most = type(o.where) == "function" and math.huge or o.limit or math.huge
  local without_limit = setmetatable({ limit = false }, { __index = o })
  self:select(without_limit, expressions_of_views, function(id, json, status)
    if ids and not ids[id] or #list >= most then return end
    list[#list + 1] = view.known(self.root .. "/" .. id, core.json_decode(json), status)
  end)
  return type(o.where) == "function" and chosen(list, o.where, o.limit) or list
end

---Says what was wrong with the index and which records cannot be read, each once.
---@param say fun(text: string)
function Store:tell(say)
  for i, note in ipairs(self.notes) do
    say(note)
    self.notes[i] = nil
  end
  for _, problem in ipairs(self.problems) do
    say(("%s is left out: %s"):format(problem.id, problem.message))
  end
end

---The runs below SWALE_RUNS (or runs/), in the order of their beginning:
---    local runs = sw.runs { where = "status = 'done' and wall_seconds > 60" }
---    print(#runs, runs[1] and runs[1].params.lr)
---@param o? swale.RunsOptions
---@return swale.RunView[]
function M.runs(o)
  o = options.check("runs", o, RUNS)
  local store = M.open()
  local list = store:runs(o)
  store:tell(function(text) io.stderr:write("swale: ", text, "\n") end)
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
