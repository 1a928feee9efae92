--- A panel: its axes, its place in the picture, its commands.
local axes = require "swale.plot.axes"
local canvases = require "swale.plot.canvas"
local errors = require "swale.errors"
local gnuplot = require "swale.gnuplot"
local series = require "swale.plot.series"
local surface = require "swale.plot.surface"

local M = {}

-- ------------------------------------------------------------------ axes

local function gather(list, values) if values then list[#list + 1] = values end end

--- Bars stand side by side, centred on their x.
local function place_bars(panel)
  local all, least = {}, math.huge
  for _, s in ipairs(panel.series) do
    if s.as == "bars" then
      all[#all + 1] = s
      local x = table.move(s.x, 1, #s.x, 1, {})
      table.sort(x)
      for i = 2, #x do if x[i] > x[i - 1] then least = math.min(least, x[i] - x[i - 1]) end end
    end
  end
  least = least < math.huge and least or 1
  for i, s in ipairs(all) do
    local width = 0.8 * least / #all
    s.bar = { width = width * 0.92, offset = (i - (#all + 1) / 2) * width }
    s.error_colour = "#333333"
  end
  return least
end

local function x_axis(panel, bar_step)
  local values = {}
  for _, s in ipairs(panel.series) do
    if s.z then
      gather(values, (surface.ends(s)))
    elseif s.as == "bars" then
      for _, x in ipairs(s.x) do gather(values, { x - bar_step / 2, x + bar_step / 2 }) end
    elseif s.as ~= "horizontal" then
      gather(values, s.x)
    end
  end
  return axes.of({ log = panel.x_log, range = panel.x_range, share = panel.tight and 0 or 0.03 },
    values, {})
end

local function y_axis(panel, side, log, range)
  local values, bands, zero = {}, {}, false
  for _, s in ipairs(panel.series) do
    if s.axis == side and s.z then
      gather(values, (select(2, surface.ends(s))))
    elseif s.axis == side and s.as ~= "vertical" then
      zero = zero or s.as == "bars"
      gather(values, s.y)
      local open = s.as == "line" or s.as == "bars"
      local ends = open and bands or values -- error bars of points count whole
      gather(ends, s.low)
      gather(ends, s.high)
    end
  end
  if #values + #bands == 0 then return nil, false end
  return axes.of({ log = log, range = range, share = panel.tight and 0 or 0.06, zero = zero },
    values, bands), true
end

---Gives a panel its axes. Raises if there is nothing that they can place.
---@param where string
---@param panel table     checked options, and series
---@return table panel
function M.prepare(where, panel)
  local asked
  for _, s in ipairs(panel.series) do
    panel.tight = panel.tight or s.z ~= nil
    if s.z and (panel.x_log or panel.y_log) then
      errors.misuse("%s: axes under a surface are linear; log of its series is of z", where)
    elseif s.z and panel.surface then
      errors.misuse("%s: one surface a panel", where)
    end
    panel.surface = panel.surface or s.z and s
    panel.names = panel.names or s.names
  end
  panel.x = x_axis(panel, place_bars(panel))
  panel.left, asked = y_axis(panel, "left", panel.y_log, panel.y_range)
  panel.right = y_axis(panel, "right", panel.right_log, panel.right_range)
  local drawn = panel.left or panel.right
  if not panel.x or not drawn or panel.surface and not panel.surface.levels then
    errors.misuse("%s: nothing to draw: no value is finite%s", where,
      (panel.x_log or panel.y_log or panel.right_log) and " and above 0, as the logarithm needs"
      or "")
  end
  panel.has_left = asked
  panel.left = panel.left or drawn
  panel.right = panel.right or drawn
  return panel
end

-- ------------------------------------------------------------------ places

local TITLE <const> = 34 -- pixels, as all that follow
local LINE <const> = 22  -- of a legend above the panel
local LABEL <const> = 14 -- from the edge of the panel's part of the picture to a label's middle
local CHARACTER <const> = 8.5 -- the width of one, on average

--- Labels of the curves.
local function entries(panel)
  local list = {}
  for _, s in ipairs(panel.series) do
    if s.label and not s.z then list[#list + 1] = s.label end
  end
  return list
end

--- Columns and lines of a legend that is above the panel.
local function legend_lines(panel, width)
  local list, longest = entries(panel), 0
  if panel.legend ~= "above" or #list == 0 then return 1, 0 end
  for _, text in ipairs(list) do longest = math.max(longest, utf8.len(text) or #text) end
  local columns = math.max(1, math.min(#list, width // ((longest + 8) * CHARACTER)))
  return columns, math.ceil(#list / columns)
end

--- Pixels beside the box of a panel: left, right, top, bottom.
local function margins(panel, width)
  local has_right = panel.right ~= panel.left
  local left, right = 104, panel.surface and 126 or has_right and 100 or 28
  local _, lines = legend_lines(panel, width - left - right)
  return left, right, (panel.title and 36 or 16) + lines * LINE, panel.x_label and 64 or 38
end

--- The box of a panel in pixels from the left and the top, and the places of its labels. With
--- equal scales it shrinks to fit.
local function box_of(panel, cell)
  local left, right, top, bottom = margins(panel, cell.width)
  local box = { x = cell.x + left, y = cell.y + top, width = cell.width - left - right,
    height = cell.height - top - bottom }
  if panel.equal then
    local across, up = panel.x.high - panel.x.low, panel.left.high - panel.left.low
    local scale = math.min(box.width / across, box.height / up)
    local width, height = across * scale, up * scale
    box.x, box.y = box.x + (box.width - width) / 2, box.y + (box.height - height) / 2
    box.width, box.height = width, height
  end
  box.columns = legend_lines(panel, cell.width - left - right)
  box.labels = { left = box.x - left + LABEL, right = box.x + box.width + right - LABEL,
    title = box.y - top + 18, bottom = box.y + box.height + bottom - LABEL }
  return box
end

local TALLEST <const> = 700 -- box of a panel with equal scales

--- The size of a picture of one panel with equal scales, without room above or beside it.
local function equal_size(panel, width)
  local left, right, top, bottom = margins(panel, width)
  local across, up = panel.x.high - panel.x.low, panel.left.high - panel.left.low
  local scale = math.min((width - left - right) / across, TALLEST / up)
  return math.max(400, across * scale + left + right) // 1 | 0,
    (math.max(160, up * scale) + top + bottom) // 1 | 0
end

-- ------------------------------------------------------------------ commands

--- Writes a text with its middle at pixels x, y of the picture, where gnuplot's own labels lie
--- beyond the edge when the tics are wide.
local function label(canvas, text, x, y, figure, more)
  if not text then return end
  canvas:add("set label %s at screen %.5f, screen %.5f center noenhanced front%s",
    canvas:text(text), x / figure.width, 1 - y / figure.height, more or "")
end

local UPWARDS <const> = " rotate by 90"

local function labels(canvas, panel, box, figure)
  local x, y, at = box.x + box.width / 2, box.y + box.height / 2, box.labels
  label(canvas, panel.title, x, at.title, figure)
  label(canvas, panel.x_label, x, at.bottom, figure)
  label(canvas, panel.y_label, at.left, y, figure, UPWARDS)
  local right = panel.surface and panel.surface.label
    or panel.right ~= panel.left and panel.right_label
  label(canvas, right, at.right, y, figure, UPWARDS)
end

local LONG <const> = 1e4 -- a logarithmic axis that has tics at powers of ten alone

local function scale(canvas, name, axis)
  canvas:add('set format %s "%%g"', name)
  if axis.log then
    canvas:add("set logscale %s", name)
    if axis.high / axis.low <= LONG then
      canvas:add("set %stics %s", name, axes.log_tics(axis.low, axis.high))
    end
  end
  canvas:add("set %srange [%.9g:%.9g]", name, axis.low, axis.high)
end

--- gnuplot reads the label of a tic as a format of its place.
local function named_tics(canvas, names)
  local list = {}
  for i, name in ipairs(names) do
    list[i] = ("%s %d"):format(canvas:text((name:gsub("%%", "%%%%"))), i)
  end
  canvas:add("set xtics (%s) scale 0", table.concat(list, ", "))
end

local function set_axes(canvas, panel)
  scale(canvas, "x", panel.x)
  scale(canvas, "y", panel.left)
  if panel.names then named_tics(canvas, panel.names) end
  if panel.right ~= panel.left then
    canvas:add "set border 11\nset y2tics nomirror out"
    scale(canvas, "y2", panel.right)
  end
end

local function set_place(canvas, box, figure)
  canvas:add("set lmargin at screen %.5f\nset rmargin at screen %.5f", box.x / figure.width,
    (box.x + box.width) / figure.width)
  canvas:add("set tmargin at screen %.5f\nset bmargin at screen %.5f", 1 - box.y / figure.height,
    1 - (box.y + box.height) / figure.height)
end

local function set_legend(canvas, panel, box)
  if panel.legend == "none" or #entries(panel) == 0 then return canvas:add "set key off" end
  if panel.legend == "above" then
    return canvas:add("set key center bottom at graph 0.5, graph 1.01 horizontal samplen 2"
      .. " maxcols %d", box.columns)
  end
  canvas:add("set key %s reverse Left samplen 2%s", panel.legend,
    panel.surface and ' opaque fc rgb "#ffffff"' or "")
end

--- The place of a surface's scale, right of the panel, in shares of the picture.
local function scale_box(box, figure)
  return { x = (box.x + box.width + 14) / figure.width, width = 16 / figure.width,
    y = 1 - (box.y + box.height) / figure.height, height = box.height / figure.height }
end

--- Surfaces first, then bands, then the rest: what is small is drawn on top.
local LAYERS = { { heat = true, contours = true }, { band = true }, { bars = true },
  { vertical = true, horizontal = true }, { line = true, steps = true }, { points = true,
  both = true } }

local function draw_series(d, panel, box, figure)
  for _, layer in ipairs(LAYERS) do
    for _, s in ipairs(panel.series) do
      if layer[s.as] and s.z then
        surface.draw(d, s, scale_box(box, figure))
      elseif layer[s.as] then
        series.draw(d, s)
      end
    end
  end
end

--- Names of points are written on white: surfaces may be dark.
local TEXT_BOX <const> = 'set style textbox opaque noborder fillcolor rgb "#ffffff"'

local function draw(canvas, panel, cell, figure)
  local box = box_of(panel, cell)
  canvas:add("reset\n%s\n%s", gnuplot.HEAD, TEXT_BOX)
  set_place(canvas, box, figure)
  set_axes(canvas, panel)
  labels(canvas, panel, box, figure)
  set_legend(canvas, panel, box)
  if panel.surface then canvas:add "unset grid" end
  local d = { canvas = canvas, x = panel.x, left = panel.left, right = panel.right, clauses = {} }
  draw_series(d, panel, box, figure)
  canvas:add("plot %s", table.concat(d.clauses, ", \\\n  "))
end

---Returns the picture of panels in rows.
---@param figure { columns: integer, width?: integer, height?: integer, title?: string }
---@param list table[]    panels
---@return swale.Picture
function M.picture(figure, list)
  local columns = math.min(figure.columns, #list)
  local rows, top = (#list + columns - 1) // columns, figure.title and TITLE or 0
  local height = (rows == 1 and 500 or 330 * rows) + top
  if #list == 1 and list[1].equal and not figure.height then
    figure.width, height = equal_size(list[1], figure.width or 900)
  end
  figure.width = figure.width or columns == 1 and 900 or 600 * columns
  figure.height = figure.height or height
  local canvas = canvases.new()
  local title = figure.title
  canvas:add("%s", TEXT_BOX) -- SVG takes the colour from here
  canvas:add("set multiplot%s", title and (' title %s noenhanced font ",16"'):format(
    canvas:text(title)) or "")
  local width, part = figure.width / columns, (figure.height - top) / rows
  for i, panel in ipairs(list) do
    local column, row = (i - 1) % columns, (i - 1) // columns
    draw(canvas, panel, { x = column * width, y = top + row * part, width = width,
      height = part }, figure)
  end
  canvas:add "unset multiplot"
  return { commands = canvas:commands(), texts = canvas.texts, height = figure.height,
    width = figure.width }
end

return M
