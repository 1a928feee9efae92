--- Pictures of anything: sw.plot { x =, y =, file = }. A picture has panels, a panel has series.
local errors = require "swale.errors"
local gnuplot = require "swale.gnuplot"
local numbers = require "swale.plot.numbers"
local options = require "swale.options"
local panels = require "swale.plot.panel"
local series = require "swale.plot.series"
local style = require "swale.plot.style"
local surface = require "swale.plot.surface"

local M = {}

---@class swale.SeriesOptions
---@field x? swale.Tensor|number[]|string[]    1, 2, …; of bars also names
---@field y? swale.Tensor|number[]|swale.Estimate[]   estimates bring low and high
---@field low? swale.Tensor|number[]           the interval of each y, or a band without y
---@field high? swale.Tensor|number[]
---@field z? swale.Tensor|number[][]           a surface: z[i][j] at y[i], x[j]
---@field as? string         "line" (with a band), "points" (with error bars), "both", "steps",
---"band", "bars", "vertical" (a line at each x), "horizontal", "contours", "heat" (of z)
---@field label? string      in the legend; of a surface: at its scale
---@field colour? string|integer   blue vermilion green purple orange sky black grey yellow,
---a place in this order, "#rrggbb"; the next one
---@field line_width? number   2
---@field point_size? number   0.8
---@field dash? "solid"|"dashed"|"dotted"
---@field mark? integer      1 disc, 2 triangle, 3 square …; by the number of the series
---@field axis? "left"|"right"
---@field texts? string[]    a word beside each point
---@field levels? integer|number[]   of a surface: how many, or which; 12
---@field log? boolean       of a surface: levels at equal ratios

---@class swale.PanelOptions: swale.SeriesOptions   a single series may stand in the panel itself
---@field [integer] swale.SeriesOptions
---@field title? string
---@field x_label? string
---@field y_label? string
---@field right_label? string          of the right axis
---@field x_log? boolean
---@field y_log? boolean
---@field right_log? boolean
---@field x_range? number[]            { from, to }
---@field y_range? number[]
---@field right_range? number[]
---@field legend? "top right"|"top left"|"bottom right"|"bottom left"|"above"|"none"
---@field equal? boolean               x and y have the same scale

---@class swale.FigureOptions: swale.PanelOptions   a single panel may stand in the picture itself
---@field file string                  ends in .svg, .png or .pdf
---@field panels? swale.PanelOptions[]
---@field columns? integer             of panels; 1
---@field width? integer               pixels: 900, and 600 a column for more
---@field height? integer              pixels: 500, and 330 a row for more

local SERIES = { x = "tensor|table?", y = "tensor|table?", low = "tensor|table?",
  high = "tensor|table?", z = "tensor|table?", as = { choice = series.KINDS }, label = "string?",
  colour = "string|count?", line_width = "positive?", point_size = { "positive", 0.8 },
  dash = { choice = { "solid", "dashed", "dotted" } }, mark = "count?",
  axis = { choice = { "left", "right" }, "left" }, texts = "list?", levels = "count|list?",
  log = { "boolean", false } }

local PANEL = { title = "string?", x_label = "string?", y_label = "string?",
  right_label = "string?", x_log = { "boolean", false }, y_log = { "boolean", false },
  right_log = { "boolean", false }, x_range = "list?", y_range = "list?", right_range = "list?",
  legend = { choice = { "top right", "top left", "bottom right", "bottom left", "above", "none" },
    "top right" }, equal = { "boolean", false } }

local FIGURE = { file = "string", title = "string?", panels = "list?", columns = { "count", 1 },
  width = "count?", height = "count?" }

--- Options with the names of one spec alone.
local function part(o, spec)
  local result = {}
  for name in pairs(spec) do result[name] = o[name] end
  return result
end

-- ------------------------------------------------------------------ series

local function kind_of(s)
  if s.as then return s.as end
  if s.z then return "contours" end
  return (s.low and not s.y) and "band" or "line"
end

local NEEDS = { band = {}, vertical = { "x" }, horizontal = { "y" },
  heat = { "z" }, contours = { "z" } }

--- x that are names: their places, and the names.
local function named(where, x)
  if type(x) ~= "table" or type(x[1]) ~= "string" then return x end
  local places = {}
  for i, name in ipairs(x) do
    if type(name) ~= "string" then
      errors.misuse("%s: x[%d] must be a name as x[1], not %s", where, i, errors.shown(name))
    end
    places[i] = i
  end
  return places, x
end

local function count_up(n)
  local list = {}
  for i = 1, n do list[i] = i end
  return list
end

local function check_lengths(where, s)
  local n = #s.x
  for _, name in ipairs { "y", "low", "high", "texts" } do
    if s[name] and #s[name] ~= n then
      errors.misuse("%s: %d values of x and %d of %s", where, n, #s[name], name)
    end
  end
end

local function check_increasing(where, name, list)
  for i = 2, #list do
    if list[i] ~= list[i] or list[i] <= list[i - 1] then
      errors.misuse("%s: %s of a surface must increase", where, name)
    end
  end
end

local function take_surface(where, s)
  s.z = numbers.grid(where, s.z)
  for name, n in pairs { x = #s.z[1], y = #s.z } do
    s[name] = s[name] and numbers.list(where, name, s[name]) or count_up(n)
    if #s[name] ~= n then
      errors.misuse("%s: z has %d %s, but there are %d values of %s", where, n,
        name == "x" and "columns" or "rows", #s[name], name)
    end
    check_increasing(where, name, s[name])
    if s.as == "contours" and n < 2 then
      errors.misuse("%s: contours need two values of %s at least", where, name)
    end
  end
  if type(s.levels) == "table" then check_increasing(where, "levels", s.levels) end
  s.levels = surface.levels(s.z, s.levels, s.log)
  return s
end

local function take_curve(where, s)
  local low, high
  s.x, s.names = named(where, s.x)
  if s.y then s.y, low, high = numbers.list(where, "y", s.y) end
  s.low = s.low and numbers.list(where, "low", s.low) or low
  s.high = s.high and numbers.list(where, "high", s.high) or high
  if (s.low == nil) ~= (s.high == nil) then
    errors.misuse("%s: low and high come together", where)
  end
  if s.as == "horizontal" then return s end
  s.x = s.x and numbers.list(where, "x", s.x) or count_up(#(s.y or s.low))
  check_lengths(where, s)
  return s
end

local function take_series(where, o, i)
  local s = options.check(where, o, SERIES)
  s.as = kind_of(s)
  for _, name in ipairs(NEEDS[s.as] or { "y" }) do
    if s[name] == nil then
      errors.misuse('%s: as = "%s" needs %s', where, s.as, name)
    end
  end
  s.colour, s.shape = style.colour(where, s.colour, i), style.shape(s.mark or i)
  s.dash = s.dash and style.DASHES[s.dash] or series.DEFAULT_DASH[s.as] or style.DASHES.solid
  s.line_width = s.line_width or (s.as == "vertical" or s.as == "horizontal") and 1.2 or 2
  if s.z then return take_surface(where, s) end
  s = take_curve(where, s)
  if s.as == "band" and not s.low then
    errors.misuse("%s: a band needs low and high, or y of estimates", where)
  end
  return s
end

-- ------------------------------------------------------------------ panels

local function check_range(where, name, range, log)
  if not range then return end
  for i = 1, 2 do options.value(where, ("%s[%d]"):format(name, i), range[i], "number") end
  if range[1] >= range[2] or log and range[1] <= 0 then
    errors.misuse("%s: %s must be { from, to }, increasing%s, not { %s, %s }", where, name,
      log and " and above 0" or "", errors.shown(range[1]), errors.shown(range[2]))
  end
end

--- The series of a panel: the one that stands in it, if any, then those of its list.
local function series_of(where, o)
  local list = {}
  local own = part(o, SERIES)
  if next(own) then list[1] = take_series(where, own, 1) end
  for i, one in ipairs(o) do
    list[#list + 1] = take_series(("%s: series %d"):format(where, i), one, #list + 1)
  end
  if #list == 0 then errors.misuse("%s: nothing to draw; y = { … } is a curve", where) end
  return list
end

local function take_panel(where, o, more)
  local named_options, spec = {}, {}
  for _, one in ipairs { PANEL, SERIES, more } do
    for name, entry in pairs(one) do spec[name] = entry end
  end
  for key, value in pairs(o) do
    if math.type(key) ~= "integer" then named_options[key] = value end
  end
  options.check(where, named_options, spec)
  local panel = options.check(where, part(o, PANEL), PANEL)
  check_range(where, "x_range", panel.x_range, panel.x_log)
  check_range(where, "y_range", panel.y_range, panel.y_log)
  check_range(where, "right_range", panel.right_range, panel.right_log)
  panel.series = series_of(where, o)
  return panels.prepare(where, panel)
end

local function panels_of(where, o)
  if not o.panels then return { take_panel(where, o, FIGURE) } end
  local list = {}
  for i, one in ipairs(o.panels) do
    local place = ("%s: panel %d"):format(where, i)
    list[i] = take_panel(place, options.value(place, "it", one, "table"), {})
  end
  if #list == 0 then errors.misuse("%s: panels is empty", where) end
  return list
end

-- ------------------------------------------------------------------ the picture

--- The ending of a name, if gnuplot.draw can write such a file.
local function kind_of_file(where, file)
  local kind = not file:find "\0" and file:match "%.(%a+)$"
  if not gnuplot.KINDS[kind] then
    errors.misuse("%s: file ends in .svg, .png or .pdf, not %s", where, errors.shown(file))
  end
  return kind
end

local function check_figure(where, o)
  if type(o) ~= "table" then
    errors.misuse("%s: takes a table: { x = x, y = y, file = \"a.svg\" }, not %s", where,
      errors.shown(o))
  end
  return options.check(where, o.panels and o or part(o, FIGURE), FIGURE)
end

---Returns the picture of options, checked.
---@param where string
---@param o swale.FigureOptions
---@return swale.Picture
---@return "svg"|"png"|"pdf" kind
function M.picture(where, o)
  local figure = check_figure(where, o)
  local kind = kind_of_file(where, figure.file)
  if not o.panels then figure.title = nil end -- it is the panel's
  return panels.picture(figure, panels_of(where, o)), kind
end

---Draws a picture for another function, which names itself in messages.
---@param where string
---@param o swale.FigureOptions
---@return string file
function M.draw(where, o)
  local picture, kind = M.picture(where, o)
  local ok, message = gnuplot.draw(picture, kind, o.file)
  if not ok then errors.environment(("%s: %s"):format(where, message), "EIO") end
  return o.file
end

---Draws a picture into a file. Takes one series, several in a list, or panels:
---    local t, a, b = { 1, 2, 3 }, { 2, 1, 0.5 }, { 2, 1.5, 1 }
---    sw.plot { x = t, y = a, y_log = true, file = "one.svg" }
---    sw.plot { file = "two.png", { y = a, label = "a" }, { y = b, label = "b" } }
---    sw.plot { file = "grid.pdf", columns = 2, panels = { { y = a }, { z = sw.rand { 5, 5 } } } }
---Vectors are tensors or lists. NaN is a gap, an infinite value a triangle at the edge; an interval
---that is open reaches to the edge.
---@param o swale.FigureOptions
---@return string file
function M.plot(o) return M.draw("sw.plot", o) end

return M
