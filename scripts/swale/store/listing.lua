--- What `swale list` shows: a row a run.
local errors = require "swale.errors"
local groups = require "swale.store.groups"
local names = require "swale.store.names"
local shown = require "swale.store.shown"

local M = {}

local PARAMS, RESULTS = 6, 5 -- columns, at most

---What a run's run.json has of a result: of run:summary, else the value of its objective.
---@param view swale.RunView
---@param name string
---@return any
function M.result(view, name)
  local value, objective = view.summary[name], view.objective
  if value == nil and objective and objective.name == name then return objective.value end
  return value
end

--- Names of results: of objectives, then those that most runs have.
local function result_names(views)
  local counts, list, judged = {}, {}, {}
  for _, view in ipairs(views) do
    for name, value in pairs(view.summary) do
      if type(value) ~= "table" then counts[name] = (counts[name] or 0) + 1 end
    end
    local objective = view.objective
    if objective and M.result(view, objective.name) ~= nil then
      judged[objective.name] = true
      counts[objective.name] = counts[objective.name] or 1
    end
  end
  for name in pairs(counts) do list[#list + 1] = name end
  table.sort(list, function(a, b)
    if judged[a] ~= judged[b] then return judged[a] end
    if counts[a] ~= counts[b] then return counts[a] > counts[b] end
    return a < b
  end)
  return table.move(list, 1, math.min(#list, RESULTS), 1, {})
end

local function first(list, n) return table.move(list, 1, math.min(#list, n), 1, {}) end

--- Columns by what is in them: title, and the value of a run.
local function columns_of(views)
  local columns = {
    { "run", function(view) return view.id end },
    { "status", function(view) return view.status end },
    { "started", function(view) return shown.time(view.started) end },
    { "time", function(view) return shown.seconds(view.info.wall_seconds) end },
    { "seed", function(view) return shown.short(view.seed) end },
  }
  for _, name in ipairs(first(groups.varied(views), PARAMS)) do
    local function text_of(view) return shown.short(groups.param(view, name)) end
    columns[#columns + 1] = { name, text_of }
  end
  for _, name in ipairs(result_names(views)) do
    columns[#columns + 1] = { name, function(view) return shown.short(M.result(view, name)) end }
  end
  return columns
end

---A table: names, status, times, the parameters that differ, results.
---@param views swale.RunView[]
---@return string
function M.table(views)
  local columns, header, rows = columns_of(views), {}, {}
  for c, column in ipairs(columns) do header[c] = shown.short(column[1]) end
  for i, view in ipairs(views) do
    rows[i] = {}
    for c, column in ipairs(columns) do rows[i][c] = column[2](view) end
  end
  return require("swale.table").render(header, rows)
end

---A table of chosen columns: names as in conditions.
---@param store swale.Store
---@param o swale.RunsOptions
---@param columns string[]
---@return any[][] rows      values, exact; nil and nan apart, the latter as core.NAN
function M.rows(store, o, columns)
  local rows, n = {}, #columns
  local function expressions(scope)
    local list = {}
    for c, name in ipairs(columns) do
      local found = names.resolve(scope, name)
      list[c], list[n + c] = found.value, found.type
    end
    return table.concat(list, ", ")
  end
  store:select(o, expressions, function(...)
    local values, row = table.pack(...), {}
    for c = 1, n do
      row[c] = values[c]
      if values[n + c] == "nan" then row[c] = require("swale.core").NAN end
      if values[n + c] == "boolean" then row[c] = values[c] ~= 0 end
    end
    rows[#rows + 1] = row
  end)
  return rows
end

---What a program gets of a run.
---@param view swale.RunView
---@return table
function M.record(view)
  local info = view.info
  return { id = view.id, dir = view.dir, experiment = view.experiment, status = view.status,
    seed = view.seed, params = view.params, summary = view.summary, started = info.started,
    ended = info.ended, wall_seconds = info.wall_seconds, last_step = info.last_step,
    collection = view.collection, tag = view.tag, script = info.script, commit = info.commit }
end

---Refuses names that no run has, with the nearest one.
---@param store swale.Store
---@param columns string[]
function M.check(store, columns)
  if #columns == 0 then errors.misuse "list: --columns takes names, as in --columns id,lr" end
  local scope = store:scope()
  for _, name in ipairs(columns) do names.resolve(scope, name) end
end

return M
