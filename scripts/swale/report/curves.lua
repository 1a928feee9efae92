--- The curves of a report: of each setting and metric, the values of its runs at common steps, so
--- that the page can draw their mean, their spread and each of them.
---
--- The steps of a curve are those where one of its runs has a least or greatest value among its
--- neighbours, as metrics:thin finds them. A run that has no line at such a step counts with its
--- last line before it.
local core = require "swale.core"
local folders = require "swale.folders"

local M = {}

local POINTS <const> = 500  -- of a curve, at most
local FEWEST <const> = 60   -- of one, where there are many curves
local OPEN <const> = 16     -- files of a setting that choose its steps, and stay open meanwhile
local METRICS <const> = 24  -- of an experiment, at most
local KINDS = { "epoch", "step" }

local POSITIONS = { step = true, examples = true, epoch = true, seconds = true,
  until_epoch = true, until_step = true }

-- ------------------------------------------------------------------ a run's file

---@class swale.ReportFile
---@field file swale.MetricsFile
---@field steps table<string, number[]>   by kind; those after the last step that is not later

local File = {}
File.__index = File

local function open(view)
  local path = view.dir .. "/metrics.jsonl"
  if not folders.exists(path) then return nil end
  local file = core.metrics_read(path)
  return file and setmetatable({ file = file, ascending = {} }, File)
end

function File:close() self.file:free() end

--- The steps of all lines of a kind, and the first line from which on they ascend: a script that
--- trains twice counts steps anew.
function File:steps(kind)
  local known = self.ascending[kind]
  if known then return known.steps, known.first end
  local steps, first = self.file:values(kind, "step") or {}, 1
  for i = #steps, 2, -1 do
    local ascends = steps[i] > steps[i - 1]
    if not ascends then
      first = i
      break
    end
  end
  self.ascending[kind] = { steps = steps, first = first }
  return steps, first
end

--- The rows with the last lines at or before each of the steps, which ascend; 0 without one.
function File:rows_at(kind, steps)
  local own, at = self:steps(kind)
  local rows, last = {}, own[#own]
  at = at - 1
  local first = at
  for i, step in ipairs(steps) do
    while own[at + 1] and own[at + 1] <= step do at = at + 1 end
    rows[i] = at > first and step <= last and at or 0
  end
  return rows
end

--- Values at rows; nan at row 0.
function File:values_at(kind, name, rows)
  local asked, places = {}, {}
  for i, row in ipairs(rows) do
    if row > 0 then asked[#asked + 1], places[#places + 1] = row, i end
  end
  local found, list = #asked > 0 and self.file:values(kind, name, asked), {}
  for i = 1, #rows do list[i] = core.NAN end
  for i, place in ipairs(places) do list[place] = found and found[i] or core.NAN end
  return list
end

-- ------------------------------------------------------------------ as JSON

local function number(x)
  if x ~= x then return "null" end
  if x - x ~= 0 then return x > 0 and "1e999" or "-1e999" end -- beyond the range: read as infinite
  return ("%.5g"):format(x)
end

local function list_of(values, text_of)
  local texts = {}
  for i, value in ipairs(values) do texts[i] = text_of(value) end
  return "[" .. table.concat(texts, ",") .. "]"
end

--- Each number less the one before it.
local function deltas(steps)
  local list, before = {}, 0
  for i, step in ipairs(steps) do list[i], before = ("%.17g"):format(step - before), step end
  return "[" .. table.concat(list, ",") .. "]"
end

--- A position over steps: a factor, if it is a multiple of the step throughout.
local function position(steps, values)
  local factor = values[1] / steps[1]
  for i, value in ipairs(values) do
    local is_multiple = math.abs(value - factor * steps[i]) <= 1e-9 * math.abs(value)
    if not is_multiple then
      return list_of(values, function(x) return x ~= x and "null" or ("%.7g"):format(x) end)
    end
  end
  return factor - factor == 0 and ("%.17g"):format(factor) or "null"
end

-- ------------------------------------------------------------------ a setting

--- Steps of a curve, ascending: of all lines that one of the files needs.
local function steps_of(files, metric, points)
  local seen, steps = {}, {}
  for _, file in ipairs(files) do
    local own, first = file:steps(metric.kind)
    local rows = file.file:thin(metric.kind, metric.name, math.max(4, points // #files)) or {}
    for _, row in ipairs(rows) do
      local step = own[row]
      if row >= first and step and step - step == 0 and not seen[step] then
        seen[step], steps[#steps + 1] = true, step
      end
    end
  end
  table.sort(steps)
  return steps
end

--- The file with the most lines: its positions are those of the curve.
local function longest(files, kind)
  local best, most = nil, -1
  for _, file in ipairs(files) do
    local n = #file:steps(kind)
    if n > most then best, most = file, n end
  end
  return best
end

local function positions_of(files, metric, steps)
  local file, parts = longest(files, metric.kind), {}
  local rows = file:rows_at(metric.kind, steps)
  for _, name in ipairs { "examples", "epoch", "seconds" } do
    parts[#parts + 1] = ('"%s":%s'):format(name,
      position(steps, file:values_at(metric.kind, name, rows)))
  end
  return table.concat(parts, ",")
end

--- Opens the files that choose the steps: of a setting's runs that are done, else of all.
local function choosing(group, opened)
  local files = {}
  local function take(view)
    if #files >= OPEN or opened[view] then return end
    opened[view] = open(view)
    files[#files + 1] = opened[view]
  end
  for _, view in pairs(group.latest) do take(view) end
  for _, view in ipairs(group.runs) do take(view) end
  return files
end

--- The values of a run at the steps of each curve, added to the curves.
local function add_run(curves, view, file, index)
  for _, curve in ipairs(curves) do
    local kind, name = curve.metric.kind, curve.metric.name
    if file.file:summary(kind, name) then
      local rows = file:rows_at(kind, curve.steps)
      table.insert(curve.runs, ('{"r":%d,"y":%s}'):format(index[view],
        list_of(file:values_at(kind, name, rows), number)))
    end
  end
end

--- The curves of a setting, without their runs.
local function begun(files, list, points)
  local curves = {}
  for _, metric in ipairs(list) do
    local steps = steps_of(files, metric, points)
    if #steps > 0 then
      curves[#curves + 1] = { metric = metric, steps = steps, runs = {},
        head = ('"step":%s,%s'):format(deltas(steps), positions_of(files, metric, steps)) }
    end
  end
  return curves
end

local function of_setting(group, list, points, index)
  local opened = {}
  local files = choosing(group, opened)
  local curves = begun(files, list, points)
  for _, view in ipairs(group.runs) do
    local file = opened[view] or open(view)
    if file then
      add_run(curves, view, file, index)
      file:close()
    end
  end
  return curves
end

-- ------------------------------------------------------------------ an experiment

--- The objective first, then losses, then what is of validation, then the rest.
local function weight(section, metric)
  if metric.name == section.metric then return 1 end
  if metric.name == "loss" then return metric.kind == "step" and 2 or 4 end
  return metric.name:find "valid" and 3 or metric.kind == "step" and 6 or 5
end

--- Views whose metrics stand for those of all: a few of each status.
local function sample_of(views)
  local list, step = {}, math.max(1, #views // 16)
  for i = 1, #views, step do list[#list + 1] = views[i] end
  return list
end

---The metrics of an experiment, the most telling first.
---@return { kind: string, name: string, label: string }[]
local function metrics_of(section)
  local found, list, both = {}, {}, {}
  for _, view in ipairs(sample_of(section.views)) do
    local file = open(view)
    for _, kind in ipairs(file and KINDS or {}) do
      for _, name in ipairs(file.file:names(kind) or {}) do
        local key = kind .. "/" .. name
        if not POSITIONS[name] and not found[key] then
          found[key], both[name] = true, (both[name] or 0) + 1
          list[#list + 1] = { kind = kind, name = name }
        end
      end
    end
    if file then file:close() end
  end
  for _, metric in ipairs(list) do
    metric.weight = weight(section, metric)
    metric.label = both[metric.name] > 1
      and ("%s (%s)"):format(metric.name, metric.kind == "epoch" and "of epochs" or "of steps")
      or metric.name
  end
  table.sort(list, function(a, b)
    if a.weight ~= b.weight then return a.weight < b.weight end
    return a.label < b.label
  end)
  return list
end

--- How many metrics and points of a curve there is room for.
local function measure(section, list, room)
  local n = math.min(#list, METRICS)
  local function points(metrics)
    local bytes = metrics * (8 * #section.views + 10 * #section.order)
    return math.floor(math.min(POINTS, room.left.curves / math.max(1, bytes)))
  end
  while n > 1 and points(n) < FEWEST do n = n - 1 end
  for i = n + 1, #list do
    room:leave(("%s: curves of %s"):format(section.name, list[i].label))
  end
  return table.move(list, 1, n, 1, {}), math.max(4, points(n))
end

---The curves of an experiment as JSON: { metrics: [label], curves: [[curve of a setting]] }.
---@param section swale.ReportSection
---@param index table<swale.RunView, integer>   places of the runs in the page's list
---@param room swale.ReportRoom
---@return string
function M.json(section, index, room)
  local list, points = measure(section, metrics_of(section), room)
  local by_metric, labels, left = {}, {}, 0
  for i, metric in ipairs(list) do by_metric[metric], labels[i] = {}, metric.label end
  for g, group in ipairs(section.order) do
    for _, curve in ipairs(of_setting(group, list, points, index)) do
      local text = ('{"g":%d,%s,"runs":[%s]}'):format(g - 1, curve.head,
        table.concat(curve.runs, ","))
      if room:take("curves", #text) then
        table.insert(by_metric[curve.metric], text)
      else
        left = left + 1
      end
    end
  end
  if left > 0 then room:leave(("%s: %d curves of settings"):format(section.name, left)) end
  local parts = {}
  for i, metric in ipairs(list) do
    parts[i] = ("[%s]"):format(table.concat(by_metric[metric], ",\n"))
  end
  return ('{"metrics":%s,"curves":[%s]}'):format(
    #labels > 0 and require("swale.report.html").json(labels) or "[]", table.concat(parts, ",\n"))
end

---Half the width of a 95 % interval of a mean of n values, in standard deviations: factors[n].
---@param most integer
---@return number[]   0 for n = 1, where it is not bounded
function M.factors(most)
  local student, list = require("swale.stats.location").student, { 0 }
  for n = 2, most do
    local _, high = student(0, 1 / math.sqrt(n), n - 1, n):interval(0.95)
    list[n] = high
  end
  return list
end

return M
