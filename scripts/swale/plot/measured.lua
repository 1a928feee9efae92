--- The panels of measurements in the picture of a run: a panel for each measurement, a curve for
--- each column, a band for its interval.
local gnuplot = require "swale.gnuplot"
local measure = require "swale.measurements"
local style = require "swale.plot.style"
local values = require "swale.measurements.values"

local M = {}

local MOST_PANELS, MOST_CURVES = 6, 8

---@class swale.MeasuredCurve
---@field column string
---@field points number[][][]   pieces of { x, y } with finite y; x in thousands of examples
---@field bands number[][][]    pieces of { x, low, high }; one of these may be infinite

---@class swale.MeasuredPanel
---@field name string           of the measurement
---@field curves swale.MeasuredCurve[]

local LARGEST <const> = 1e300 -- what gnuplot's arithmetic has room for

local function is_finite(v) return type(v) == "number" and v >= -LARGEST and v <= LARGEST end

--- Measurements of the registry are in the lines of steps, others in lines of their own.
local function names_in(record)
  if record.kind == "measurement" then return { record.name } end
  return record.kind == "step" and measure.NAMES or {}
end

--- Adds a row to the last piece, or ends it if there is none.
local function extend(pieces, row)
  if not row then
    pieces.open = false
    return
  end
  if not pieces.open then pieces[#pieces + 1] = {} end
  pieces.open = true
  table.insert(pieces[#pieces], row)
end

local INFINITE <const> = { inf = math.huge, ["-inf"] = -math.huge } -- in a record

--- The ends of an interval, of which one may be infinite; nil: it says nothing.
local function interval_of(record, column)
  local low, high = values.interval(record, column)
  low, high = INFINITE[low] or low, INFINITE[high] or high
  if type(low) ~= "number" or type(high) ~= "number" then return nil end
  if not (is_finite(low) or is_finite(high)) or low == 0 and not is_finite(high) then return nil end
  return low, high
end

local function add(curve, record)
  local x, y = record.examples / 1000, record[curve.column]
  local low, high = interval_of(record, curve.column)
  extend(curve.points, is_finite(y) and { x, y })
  extend(curve.bands, low and { x, low, high })
end

local function curve_of(panel, column)
  local curve = panel.by_column[column]
  if not curve then
    curve = { column = column, points = {}, bands = {} }
    panel.by_column[column] = curve
    panel.curves[#panel.curves + 1] = curve
  end
  return curve
end

local function sorted(list, field)
  table.sort(list, function(a, b) return a[field] < b[field] end)
  return list
end

local function take(panels, record, name)
  for column in pairs(record) do
    if values.is_value_of(name, column) then
      local panel = panels[name] or { name = name, curves = {}, by_column = {} }
      panels[name] = panel
      add(curve_of(panel, column), record)
    end
  end
end

--- The curves that have a point, as many as there are colours.
local function drawable(panel)
  local curves = {}
  for _, curve in ipairs(sorted(panel.curves, "column")) do
    if #curve.points > 0 and #curves < MOST_CURVES then curves[#curves + 1] = curve end
  end
  return curves
end

---Returns the panels for the records of a run. Measurements without a finite value have none.
---@param records table[]
---@return swale.MeasuredPanel[]
function M.panels(records)
  local panels, list = {}, {}
  for _, record in ipairs(records) do
    for _, name in ipairs(is_finite(record.examples) and names_in(record) or {}) do
      if type(name) == "string" then take(panels, record, name) end
    end
  end
  for name, panel in pairs(panels) do
    local curves = drawable(panel)
    if #curves > 0 then list[#list + 1] = { name = name, curves = curves } end
  end
  sorted(list, "name")
  return table.move(list, 1, MOST_PANELS, 1, {})
end

local function range(panel, pieces_of, at)
  local low, high = math.huge, -math.huge
  for _, curve in ipairs(panel.curves) do
    for _, piece in ipairs(curve[pieces_of]) do
      for _, p in ipairs(piece) do
        if is_finite(p[at]) then low, high = math.min(low, p[at]), math.max(high, p[at]) end
      end
    end
  end
  return low, high
end

local FAR <const> = 4 -- a logarithmic axis holds bands up to so many times beyond the curves

--- Returns the ends of the axis, and whether it is logarithmic.
local function limits(panel)
  local low, high = range(panel, "points", 2)
  if not (low > 1 / LARGEST and high / low > 20) then
    low, high = gnuplot.widened(low, high, 0.1)
    return low, high, false
  end
  local band_low, band_high = range(panel, "bands", 2), select(2, range(panel, "bands", 3))
  return math.max(low / FAR, math.min(low / 1.5, band_low / 1.1)),
    math.min(high * FAR, math.max(high * 1.5, band_high * 1.1)), true
end

local function y_axis(lines, low, high, log)
  lines[#lines + 1] = log and "set logscale y" or "unset logscale y"
  lines[#lines + 1] = ("set yrange [%.7g:%.7g]"):format(low, high)
end

--- What of a band lies within the axis: an open one goes to its end.
local function clipped(bands, low, high)
  local result = {}
  for i, piece in ipairs(bands) do
    result[i] = {}
    for k, p in ipairs(piece) do
      result[i][k] = { p[1], math.min(high, math.max(low, p[2])),
        math.max(low, math.min(high, p[3])) }
    end
  end
  return result
end

local function block(lines, name, rows, fmt)
  lines[#lines + 1] = ("$%s << EOD"):format(name)
  for _, row in ipairs(rows) do
    lines[#lines + 1] = row[1] and fmt:format(table.unpack(row)) or ""
  end
  lines[#lines + 1] = "EOD"
end

--- All pieces, thinned, with an empty line between two.
local function joined(pieces, thinned)
  local rows = {}
  for i, piece in ipairs(pieces) do
    if i > 1 then rows[#rows + 1] = {} end
    piece = thinned(piece)
    table.move(piece, 1, #piece, #rows + 1, rows)
  end
  return rows
end

---Adds the commands that draw a panel. Names of columns go into texts, the values of gnuplot
---variables, so that they cannot be commands.
---@param lines string[]
---@param panel swale.MeasuredPanel
---@param i integer                    its number, from 1
---@param texts table<string, string>
---@param thinned fun(points: number[][]): number[][]
function M.draw(lines, panel, i, texts, thinned)
  local plots, low, high, log = {}, limits(panel)
  y_axis(lines, low, high, log)
  for k, curve in ipairs(panel.curves) do
    local name, colour = ("m%d_%d"):format(i, k), style.colour("plot", nil, k)
    local title = ("MEASURED%dCOLUMN%d"):format(i, k)
    texts[title] = curve.column
    if #curve.bands > 0 then
      block(lines, name .. "_band", joined(clipped(curve.bands, low, high), thinned),
        "%.7g %.7g %.7g")
      plots[#plots + 1] = ('$%s_band using 1:2:3 with filledcurves fc rgb "%s" fs transparent'
        .. ' solid 0.2 noborder notitle'):format(name, colour)
    end
    block(lines, name, joined(curve.points, thinned), "%.7g %.7g")
    plots[#plots + 1] = ('$%s using 1:2 with lines lw 1.8 lc rgb "%s" %s'):format(name, colour,
      #panel.curves > 1 and "title " .. title or "notitle")
  end
  lines[#lines + 1] = "plot " .. table.concat(plots, ", \\\n  ")
end

return M
