--- metrics.jsonl as columns of numbers.
local core = require "swale.core"
local errors = require "swale.errors"
local folders = require "swale.folders"

local M = {}

local FEWEST = 4 -- points of a curve

--- Numbers that JSON cannot hold are texts.
local TEXTS = { nan = core.NAN, inf = math.huge, ["-inf"] = -math.huge }

---Returns a number of a record; nil if it is none.
---@param value any
---@return number|nil
function M.number(value)
  if type(value) == "number" then return value end
  return type(value) == "string" and TEXTS[value] or nil
end

--- The file of a run; nil before it has one.
local function open(view, kind)
  local path = view.dir .. "/metrics.jsonl"
  return folders.exists(path) and errors.check(core.metrics_read(path, kind)) or nil
end

--- The rows, ascending, that any of the columns needs: thinned, or all that have a value.
local function rows_of(file, o)
  local marked, list = {}, {}
  local points = o.points and math.max(FEWEST, o.points // #o.columns)
    or math.max(FEWEST, file:rows(o.kind))
  for _, name in ipairs(o.columns) do
    for _, row in ipairs(file:thin(o.kind, name, points) or {}) do marked[row] = true end
  end
  for row in pairs(marked) do list[#list + 1] = row end
  table.sort(list)
  return list
end

--- Values of a column; without one, nan in each row.
local function values(file, kind, name, rows)
  local list = file:values(kind, name, rows)
  if list then return list end
  list = {}
  for i = 1, rows and #rows or file:rows(kind) do list[i] = core.NAN end
  return list
end

---@param view swale.RunView
---@param o swale.RunMetricsOptions
---@return table<string, number[]>
function M.read(view, o)
  local file <close>, result = open(view, o.kind), {}
  local names = o.columns or file and file:names(o.kind) or {}
  local rows
  if file and #names > 0 and (o.columns or o.points) then
    rows = rows_of(file, { kind = o.kind, columns = names, points = o.points })
  end
  for _, name in ipairs(names) do
    result[name] = file and values(file, o.kind, name, rows) or {}
  end
  return result
end

---Each column by itself, thinned, with the values of the columns x in the same lines.
---@param view swale.RunView
---@param o { kind: string, columns: string[]?, x: string[], points: integer }
---@return table<string, table<string, number[]>>   curves.loss.loss[i] is over curves.loss.step[i]
function M.curves(view, o)
  local file <close>, result = open(view, o.kind), {}
  for _, name in ipairs(file and (o.columns or file:names(o.kind)) or {}) do
    local rows = file:thin(o.kind, name, math.max(FEWEST, o.points))
    if rows then
      local curve = { [name] = file:values(o.kind, name, rows) }
      for _, x in ipairs(o.x) do curve[x] = values(file, o.kind, x, rows) end
      result[name] = curve
    end
  end
  return result
end

---The values of one column in the lines of epochs; nil if there are none.
---@param view swale.RunView
---@param name string
---@return number[]|nil
function M.column(view, name)
  local list = M.read(view, { kind = "epoch", columns = { name } })[name]
  return #list > 0 and list or nil
end

---@class swale.MetricSummary
---@field kind string
---@field name string
---@field count integer
---@field last number
---@field min number|nil          nil where all values are nan
---@field max number|nil
---@field last_step integer|nil   where they were
---@field min_step integer|nil
---@field max_step integer|nil

local function summary(file, kind, name)
  local s = file:summary(kind, name)
  local places = { s.last, s.least, s.greatest } -- the first comes with the others or alone
  local found = file:values(kind, name, places)
  local steps = file:values(kind, "step", places) or {}
  return { kind = kind, name = name, count = s.count, last = found[1], min = found[2],
    max = found[3], last_step = steps[1], min_step = steps[2], max_step = steps[3] }
end

---Last, least and greatest values of all columns of all kinds of lines.
---@param path string
---@return swale.MetricSummary[]
function M.summaries(path)
  local list = {}
  if not folders.exists(path) then return list end
  local file <close> = errors.check(core.metrics_read(path))
  for _, kind in ipairs(file:kinds()) do
    for _, name in ipairs(file:names(kind)) do list[#list + 1] = summary(file, kind, name) end
  end
  return list
end

return M
