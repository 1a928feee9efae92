--- Pictures of metrics of many runs, for `swale plot METRIC… RUNS…`: a panel for each metric, a
--- line for each run, or for each setting its mean over seeds with a 95 % interval.
local aligned = require "swale.store.aligned"
local errors = require "swale.errors"
local groups = require "swale.store.groups"

local M = {}

local POINTS <const> = 500 -- of a curve
local LINES <const> = 24   -- of a panel; more cannot be told apart
local WIDTH <const> = 900  -- pixels
local HEIGHT <const> = 380 -- of a panel

M.AXES = { steps = "step", examples = "examples", epochs = "epoch", time = "seconds" }

local LABELS = { step = "steps", examples = "examples", epoch = "epochs", seconds = "time (s)" }

---Returns the metric of a name: of lines of steps, if they have it, else of epochs.
---@param metrics swale.CurveMetric[]   of the runs
---@param name string
---@return swale.CurveMetric|nil
function M.find(metrics, name)
  local found
  for _, metric in ipairs(metrics) do
    if metric.name == name and (not found or metric.kind == "step") then found = metric end
  end
  return found
end

-- ------------------------------------------------------------------ lines

--- The mean at each point where all runs have a finite value, and its interval; nan elsewhere.
local function mean_of(runs, n)
  local stats, nan = require "swale.stats", require("swale.core").NAN
  local series = { y = {}, low = {}, high = {} }
  for i = 1, n do
    local values = {}
    for _, run in ipairs(runs) do
      if run.y[i] - run.y[i] == 0 then values[#values + 1] = run.y[i] end
    end
    local e = #values == #runs and stats.mean(values)
    series.y[i] = e and e.value or nan
    series.low[i], series.high[i] = e and e.low or nan, e and e.high or nan
  end
  if #runs < 2 then series.low, series.high = nil, nil end
  return series
end

local function counted(group, curve)
  local list = {}
  for _, run in ipairs(curve.runs) do
    if group.latest[run.view.seed] == run.view then list[#list + 1] = run end
  end
  return list
end

local function setting_line(group, curve, add)
  local runs = counted(group, curve)
  if #runs == 0 then return end
  local series = mean_of(runs, #curve.step)
  series.label = ("%s (%d seed%s)"):format(group.text, #runs, #runs == 1 and "" or "s")
  add(series)
end

local function run_label(group, view, alone)
  local ended = view.status ~= "done" and ", " .. view.status or ""
  if alone then return ("seed %s%s"):format(tostring(view.seed), ended) end
  return ("%s, seed %s%s"):format(group.text, tostring(view.seed), ended)
end

local function run_lines(group, curve, add, alone)
  for _, run in ipairs(curve.runs) do
    add { y = run.y, label = run_label(group, run.view, alone) }
  end
end

-- ------------------------------------------------------------------ panels

--- The series of a panel, and how many there are in all.
local function series_of(grouped, metric, o)
  local list, count = {}, 0
  for _, group in ipairs(grouped) do
    local curve = aligned.of(group, { metric }, POINTS)[1]
    local function add(series)
      count = count + 1
      series.x = curve[o.axis]
      if count <= LINES then list[count] = series end
    end
    if curve and o.group then setting_line(group, curve, add) end
    if curve and not o.group then run_lines(group, curve, add, #grouped == 1) end
  end
  return list, count
end

---Draws a picture. Returns what it leaves out, in words.
---@param views swale.RunView[]
---@param metrics swale.CurveMetric[]
---@param o { against: string, group: boolean, file: string, log: boolean }
---@return string[] left_out
function M.draw(views, metrics, o)
  local grouped, panels, left = groups.of(views, {}), {}, {}
  local axis = M.AXES[o.against]
  for i, metric in ipairs(metrics) do
    local panel, count = series_of(grouped, metric, { axis = axis, group = o.group })
    if count == 0 then
      errors.environment(("plot: no run that is done has %s"):format(metric.name), "EIO")
    end
    if count > LINES then
      left[#left + 1] = ("%s: %d of %d lines"):format(metric.name, count - LINES, count)
    end
    panel.x_label, panel.y_label, panel.y_log = LABELS[axis], metric.name, o.log
    panel.legend = i > 1 and "none" or #panel > 4 and "above" or "top right"
    panels[i] = panel
  end
  require("swale.plot.figure").draw("plot", { file = o.file, panels = panels, width = WIDTH,
    height = HEIGHT * #panels + 60 })
  return left
end

return M
