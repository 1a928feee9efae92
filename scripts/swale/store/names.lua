--- Names in conditions and columns, as SQL on the index: fields of run.json, parameters, values of
--- run:summary, and metrics: loss is its last value, loss.min, loss.max, loss.count; step.loss.min
--- of the lines of steps, where epochs have a column of that name, too.
---
--- No name is ever part of the SQL text: fields are of a fixed list, the others are parameters.
local errors = require "swale.errors"
local schema = require "swale.store.schema"

local M = {}

local FIELDS = {}
for _, name in ipairs(schema.COLUMNS) do FIELDS[name] = 'r."' .. name .. '"' end

--- Other words for fields.
local OTHER = { seconds = "wall_seconds", steps = "last_step", run = "id" }

local STATISTICS = { last = true, min = true, max = true, count = true, last_step = true,
  min_step = true, max_step = true }

---@class swale.NameScope
---@field index swale.Index
---@field binds any[]            values of the parameters ?1, ?2 …
---@field need_metrics fun()     reads the metrics into the index

---Adds a value; returns the SQL that stands for it.
---@param scope swale.NameScope
---@param value any
---@return string
function M.bound(scope, value)
  table.insert(scope.binds, value)
  return "?" .. #scope.binds
end

local function exists(scope, part, name)
  return scope.index:value(("SELECT 1 FROM %s WHERE name = ? LIMIT 1"):format(part), { name })
end

--- A parameter or a value of a summary.
local function part_of(scope, part, name)
  local place = M.bound(scope, name)
  local from = ("FROM %s v WHERE v.run = r.id AND v.name = %s"):format(part, place)
  return { value = ("(SELECT v.value %s)"):format(from),
    type = ("(SELECT v.type %s)"):format(from) }
end

local function metric(scope, kind, name, statistic)
  local test = "m.name = " .. M.bound(scope, name)
  if kind then test = test .. " AND m.kind = " .. M.bound(scope, kind) end
  local sql = [[(SELECT %s FROM metrics m WHERE m.run = r.id AND %s
    ORDER BY (m.kind = 'epoch') DESC, (m.kind = 'step') DESC, m.kind LIMIT 1)]]
  local value = "m." .. statistic
  return { value = sql:format(value, test),
    type = sql:format(("CASE WHEN %s IS NULL THEN 'nan' END"):format(value), test) }
end

--- "step.loss.min" is kind, name, statistic; a name may have points in it.
local function split(name)
  local statistic = name:match "%.([%w_]+)$"
  if not STATISTICS[statistic] then return name, "last" end
  return name:sub(1, -#statistic - 2), statistic
end

local function find_metric(scope, name)
  scope.need_metrics()
  local whole, statistic = split(name)
  if exists(scope, "metrics", whole) then return metric(scope, nil, whole, statistic) end
  local kind, rest = whole:match "^([^.]+)%.(.+)$"
  if kind and scope.index:value("SELECT 1 FROM metrics WHERE kind = ? AND name = ? LIMIT 1",
    { kind, rest }) then
    return metric(scope, kind, rest, statistic)
  end
  return nil
end

local PARTS = { param = "params", summary = "summaries" }

local function all_names(index)
  local names = {}
  for name in pairs(FIELDS) do names[name] = true end
  for name in pairs(OTHER) do names[name] = true end
  index:query([[SELECT name FROM params UNION SELECT name FROM summaries
    UNION SELECT name FROM metrics]], {}, function(name) names[name] = true end)
  return names
end

local function refuse(scope, name)
  errors.misuse("no run has %s%s A text is written in quotation marks: '%s'", errors.shown(name),
    errors.suggestion(name, all_names(scope.index)), name)
end

---Returns the SQL of a name's value in the row r of runs, and of its type ("nan" where it is one).
---@param scope swale.NameScope
---@param name string
---@return { value: string, type: string }
function M.resolve(scope, name)
  local prefix, rest = name:match "^(%l+)%.(.+)$"
  if PARTS[prefix] then
    if exists(scope, PARTS[prefix], rest) then return part_of(scope, PARTS[prefix], rest) end
    refuse(scope, name)
  end
  if FIELDS[name] then return { value = FIELDS[name], type = "NULL" } end
  local is_param, is_summary = exists(scope, "params", name), exists(scope, "summaries", name)
  if is_param and is_summary then
    errors.misuse('"%s" is a parameter of some runs and a result of some: write param.%s or'
      .. " summary.%s", name, name, name)
  end
  if is_param then return part_of(scope, "params", name) end
  if is_summary then return part_of(scope, "summaries", name) end
  if OTHER[name] then return { value = FIELDS[OTHER[name]], type = "NULL" } end
  return find_metric(scope, name) or refuse(scope, name)
end

return M
