--- The curves of a setting: of each metric, the values of its runs at common steps.
---
--- The steps of a curve are those where one of its runs has a least or greatest value among its
--- neighbours, as metrics:thin finds them. A run that has no line at such a step counts with its
--- last line before it.
local core = require "swale.core"
local folders = require "swale.folders"

local M = {}

local OPEN <const> = 16     -- files of a setting that choose its steps, and stay open meanwhile
local SAMPLE <const> = 16   -- runs whose metrics stand for those of all

local KINDS = { "epoch", "step" }

local POSITIONS = { step = true, examples = true, epoch = true, seconds = true,
  until_epoch = true, until_step = true }

-- ------------------------------------------------------------------ a run's file

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
  local file, positions = longest(files, metric.kind), {}
  local rows = file:rows_at(metric.kind, steps)
  for _, name in ipairs { "examples", "epoch", "seconds" } do
    positions[name] = file:values_at(metric.kind, name, rows)
  end
  return positions
end

--- Opens the files that choose the steps: of a setting's runs, those that are done first.
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
local function add_run(curves, view, file)
  for _, curve in ipairs(curves) do
    local kind, name = curve.metric.kind, curve.metric.name
    if file.file:summary(kind, name) then
      local rows = file:rows_at(kind, curve.step)
      table.insert(curve.runs, { view = view, y = file:values_at(kind, name, rows) })
    end
  end
end

--- The curves of a setting, without their runs.
local function begun(files, metrics, points)
  local curves = {}
  for _, metric in ipairs(metrics) do
    local steps = steps_of(files, metric, points)
    if #steps > 0 then
      local curve = positions_of(files, metric, steps)
      curve.metric, curve.step, curve.runs = metric, steps, {}
      curves[#curves + 1] = curve
    end
  end
  return curves
end

---@class swale.CurveMetric
---@field kind "epoch"|"step"   of lines
---@field name string
---@field label string          the name; with its kind, where both kinds of lines have it

---@class swale.SettingCurve
---@field metric swale.CurveMetric
---@field step number[]        ascending
---@field examples number[]    at these steps, of the run with the most lines; nan where unknown
---@field epoch number[]
---@field seconds number[]
---@field runs { view: swale.RunView, y: number[] }[]   nan before a run's first line and after its
---last one

---The curves of a setting, of those metrics that its runs have.
---@param group swale.RunGroup
---@param metrics swale.CurveMetric[]
---@param points integer   of a curve, about; 4 or more
---@return swale.SettingCurve[]
function M.of(group, metrics, points)
  local opened = {}
  local curves = begun(choosing(group, opened), metrics, points)
  for _, view in ipairs(group.runs) do
    local file = opened[view] or open(view)
    if file then
      add_run(curves, view, file)
      file:close()
    end
  end
  return curves
end

-- ------------------------------------------------------------------ metrics

--- Runs whose metrics stand for those of all.
local function sample_of(views)
  local list, step = {}, math.max(1, #views // SAMPLE)
  for i = 1, #views, step do list[#list + 1] = views[i] end
  return list
end

---The metrics that runs have, positions left out.
---@param views swale.RunView[]
---@return swale.CurveMetric[]
function M.metrics(views)
  local found, list, both = {}, {}, {}
  for _, view in ipairs(sample_of(views)) do
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
    metric.label = both[metric.name] > 1
      and ("%s (%s)"):format(metric.name, metric.kind == "epoch" and "of epochs" or "of steps")
      or metric.name
  end
  return list
end

return M
