--- How each kind of series is drawn. A line breaks where a value is NaN; a value that is infinite
--- is a triangle at the edge; a band or an error bar without an end reaches to the edge, the bar
--- with an arrow.
local axes = require "swale.plot.axes"
local numbers = require "swale.plot.numbers"
local style = require "swale.plot.style"

local M = {}

---@class swale.PlotSeries          a series, checked
---@field as string
---@field x number[]
---@field y number[]|nil
---@field low number[]|nil
---@field high number[]|nil
---@field texts string[]|nil     beside its points
---@field label string|nil
---@field colour string          "#rrggbb"
---@field line_width number
---@field point_size number
---@field dash integer
---@field shape integer
---@field axis "left"|"right"
---@field bar { offset: number, width: number }|nil

---@class swale.PanelDrawing
---@field canvas swale.Canvas
---@field x swale.Axis
---@field left swale.Axis|nil
---@field right swale.Axis|nil
---@field clauses string[]       of gnuplot's command plot

--- An end of an interval as it can be drawn: at the edge if it is beyond it; nil if it is NaN.
local function clipped(axis, v, is_low)
  if v ~= v then return nil end
  if axis.log and v <= 0 then return is_low and axis.low or nil end
  return math.max(axis.low, math.min(axis.high, v))
end

local function y_axis(d, s) return s.axis == "right" and d.right or d.left end

local function sides(s) return s.axis == "right" and "x1y2" or "x1y1" end

--- Adds a clause; the title is shown once for a series.
local function clause(d, s, fmt, ...)
  local title = "notitle"
  if s.label and not s.titled then
    title, s.titled = "title " .. d.canvas:text(s.label), true
  end
  d.clauses[#d.clauses + 1] = ("%s axes %s %s"):format(fmt:format(...), sides(s), title)
end

--- Pieces of rows, cut where row(i) is nil, each thinned, with a blank row between two.
local function broken(n, row, thinned)
  local result, piece = {}, {}
  local function close()
    if #piece == 0 then return end
    if #result > 0 then result[#result + 1] = {} end
    piece = thinned(piece)
    table.move(piece, 1, #piece, #result + 1, result)
    piece = {}
  end
  for i = 1, n do
    local one = row(i)
    if one then piece[#piece + 1] = one else close() end
  end
  close()
  return result
end

local function same(rows) return rows end

local function points_of(d, s)
  local y = y_axis(d, s)
  return function(i)
    if axes.places(d.x, s.x[i]) and axes.places(y, s.y[i]) then return { s.x[i], s.y[i] } end
  end
end

--- Triangles at the edge for values that are infinite.
local function infinite_points(d, s)
  local y = y_axis(d, s)
  local function draw(infinite, share, shape)
    local rows = {}
    for i, v in ipairs(s.y) do
      if v == infinite and axes.places(d.x, s.x[i]) then
        rows[#rows + 1] = { s.x[i], axes.at(y, share) }
      end
    end
    if #rows == 0 then return end
    clause(d, s, '%s using 1:2 with points pt %d ps 1.1 lc rgb "%s"', d.canvas:block(rows), shape,
      s.colour)
  end
  draw(math.huge, 0.985, 9)
  draw(-math.huge, 0.015, 11)
end

local function band(d, s)
  local y = y_axis(d, s)
  local rows = broken(#s.x, function(i)
    local low, high = clipped(y, s.low[i], true), clipped(y, s.high[i], false)
    if low and high and axes.places(d.x, s.x[i]) then return { s.x[i], low, high } end
  end, numbers.thinned_band)
  if #rows == 0 then return end
  clause(d, s, '%s using 1:2:3 with filledcurves fc rgb "%s" fs transparent solid 0.2 noborder',
    d.canvas:block(rows), s.colour)
end

local function line(d, s, with)
  local rows = broken(#s.x, points_of(d, s), with == "lines" and numbers.thinned or same)
  if #rows > 0 then
    clause(d, s, '%s using 1:2 with %s lw %g dt %d lc rgb "%s"', d.canvas:block(rows), with,
      s.line_width, s.dash, s.colour)
  end
  infinite_points(d, s)
end

--- Error bars of three kinds: ends in the panel, one beyond its edge, both. An arrow points beyond.
local function error_bars(d, s, shifted)
  local y, closed, open, through = y_axis(d, s), {}, {}, {}
  for i, x in ipairs(s.x) do
    local low, high = s.low[i], s.high[i]
    if axes.places(d.x, x) and low <= high and low < y.high and high > y.low then
      local up, down = high > y.high, low < y.low
      local from, to = math.max(low, y.low), math.min(high, y.high)
      if down and not up then from, to = to, from end
      local list = up and down and through or (up or down) and open or closed
      list[#list + 1] = { x + shifted, from, 0, to - from }
    end
  end
  local function draw(rows, head)
    if #rows == 0 then return end
    d.clauses[#d.clauses + 1] = ('%s using 1:2:3:4 with vectors %s lw 1.2 lc rgb "%s" axes %s'
      .. " notitle"):format(d.canvas:block(rows), head, s.error_colour or s.colour, sides(s))
  end
  draw(closed, "heads size screen 0.004,90")
  draw(open, "head filled size screen 0.01,20")
  draw(through, "heads filled size screen 0.01,20")
end

local function texts(d, s)
  local side = s.axis == "right" and "second" or "first"
  for i, text in ipairs(s.texts or {}) do
    local row = points_of(d, s)(i)
    if row then
      d.canvas:add("set label %s at first %.9g, %s %.9g left offset character 0.9, 0.6 front boxed",
        d.canvas:text(text), row[1], side, row[2])
    end
  end
end

local function points(d, s, with)
  local rows = broken(#s.x, points_of(d, s), same)
  if #rows > 0 then
    clause(d, s, '%s using 1:2 with %s pt %d ps %g lw %g dt %d lc rgb "%s"', d.canvas:block(rows),
      with or "points", s.shape, s.point_size, s.line_width, s.dash, s.colour)
  end
  infinite_points(d, s)
end

local function bars(d, s)
  local rows, y = {}, y_axis(d, s)
  for i, x in ipairs(s.x) do
    local top = s.y[i]
    if axes.places(d.x, x) and top == top then
      rows[#rows + 1] = { x + s.bar.offset, clipped(y, top, true), s.bar.width }
    end
  end
  if #rows > 0 then
    clause(d, s, '%s using 1:2:3 with boxes fc rgb "%s" fs solid 0.75 noborder',
      d.canvas:block(rows), s.colour)
  end
end

--- A line across the panel at each x, or at each y.
local function across(d, s, list, axis, row)
  local rows = {}
  for _, v in ipairs(list) do
    if axes.places(axis, v) and v >= axis.low and v <= axis.high then
      if #rows > 0 then rows[#rows + 1] = {} end
      local a, b = row(v)
      rows[#rows + 1], rows[#rows + 2] = a, b
    end
  end
  if #rows == 0 then return end
  clause(d, s, '%s using 1:2 with lines lw %g dt %d lc rgb "%s"', d.canvas:block(rows),
    s.line_width, s.dash, s.colour)
end

local KINDS = {
  line = function(d, s)
    if s.low then band(d, { x = s.x, low = s.low, high = s.high, colour = s.colour,
      axis = s.axis }) end
    line(d, s, "lines")
    texts(d, s)
  end,
  steps = function(d, s) line(d, s, "steps") end,
  band = band,
  points = function(d, s)
    if s.low then error_bars(d, s, 0) end
    points(d, s)
    texts(d, s)
  end,
  both = function(d, s)
    if s.low then error_bars(d, s, 0) end
    points(d, s, "linespoints")
    texts(d, s)
  end,
  bars = function(d, s)
    bars(d, s)
    if s.low then error_bars(d, s, s.bar.offset) end
  end,
  vertical = function(d, s)
    local y = y_axis(d, s)
    across(d, s, s.x, d.x, function(v) return { v, y.low }, { v, y.high } end)
  end,
  horizontal = function(d, s)
    across(d, s, s.y, y_axis(d, s), function(v) return { d.x.low, v }, { d.x.high, v } end)
  end,
}

--- Names of the kinds, for the option `as`.
M.KINDS = { "line", "points", "both", "steps", "band", "bars", "vertical", "horizontal", "heat",
  "contours" }

---Draws a series of a kind other than a surface: adds its data and its clauses.
---@param d swale.PanelDrawing
---@param s swale.PlotSeries
function M.draw(d, s) KINDS[s.as](d, s) end

M.DEFAULT_DASH = { vertical = style.DASHES.dotted, horizontal = style.DASHES.dashed }

return M
