--- The curves of a report as JSON: of each setting and metric, the values of its runs at common
--- steps, so that the page can draw their mean, their spread and each of them.
local aligned = require "swale.store.aligned"

local M = {}

local POINTS <const> = 500  -- of a curve, at most
local FEWEST <const> = 60   -- of one, where there are many curves
local METRICS <const> = 24  -- of an experiment, at most

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

--- A curve of setting g.
local function curve_json(curve, g, index)
  local runs = {}
  for i, run in ipairs(curve.runs) do
    runs[i] = ('{"r":%d,"y":%s}'):format(index[run.view], list_of(run.y, number))
  end
  return ('{"g":%d,"step":%s,"examples":%s,"epoch":%s,"seconds":%s,"runs":[%s]}'):format(g,
    deltas(curve.step), position(curve.step, curve.examples), position(curve.step, curve.epoch),
    position(curve.step, curve.seconds), table.concat(runs, ","))
end

-- ------------------------------------------------------------------ an experiment

--- The objective first, then losses, then what is of validation, then the rest.
local function weight(section, metric)
  if metric.name == section.metric then return 1 end
  if metric.name == "loss" then return metric.kind == "step" and 2 or 4 end
  return metric.name:find "valid" and 3 or metric.kind == "step" and 6 or 5
end

---The metrics of an experiment, the most telling first.
---@return swale.CurveMetric[]
local function metrics_of(section)
  local list, weights = aligned.metrics(section.views), {}
  for _, metric in ipairs(list) do weights[metric] = weight(section, metric) end
  table.sort(list, function(a, b)
    if weights[a] ~= weights[b] then return weights[a] < weights[b] end
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

--- Puts the first metric with lines before those of single points: the page begins with it.
local function lines_first(list, has_lines)
  for i, metric in ipairs(list) do
    if has_lines[metric] then
      table.insert(list, 1, table.remove(list, i))
      return
    end
  end
end

---The curves of an experiment as JSON: { metrics: [label], curves: [[curve of a setting]] }.
---@param section swale.ReportSection
---@param index table<swale.RunView, integer>   places of the runs in the page's list
---@param room swale.ReportRoom
---@return string
function M.json(section, index, room)
  local list, points = measure(section, metrics_of(section), room)
  local by_metric, has_lines, labels, left = {}, {}, {}, 0
  for _, metric in ipairs(list) do by_metric[metric] = {} end
  for g, group in ipairs(section.order) do
    for _, curve in ipairs(aligned.of(group, list, points)) do
      local text = curve_json(curve, g - 1, index)
      if room:take("curves", #text) then
        table.insert(by_metric[curve.metric], text)
        has_lines[curve.metric] = has_lines[curve.metric] or #curve.step > 1
      else
        left = left + 1
      end
    end
  end
  if left > 0 then room:leave(("%s: %d curves of settings"):format(section.name, left)) end
  lines_first(list, has_lines)
  local parts = {}
  for i, metric in ipairs(list) do
    labels[i] = metric.label
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
