--- Heat maps and contours. Values are drawn by their place among the levels: u = i at level i,
--- linear between two (of logarithms on a logarithmic scale), so that levels may be anywhere.
local canvases = require "swale.plot.canvas"

local M = {}

local PIXELS <const> = 240 -- of a contour map, in each direction
local LEVELS <const> = 12

--- Points of the map viridis, which is monotone in lightness; low values are light, so that marks
--- at minima can be seen.
local PALETTE = "set palette defined (0 '#fde725', 1 '#a0da39', 2 '#4ac16d', 3 '#1fa187',"
  .. " 4 '#277f8e', 5 '#365c8d', 6 '#46327e', 7 '#440154')"

local function scale_of(log) return log and math.log or function(v) return v end end

--- Levels from the lowest to the highest value, at equal distances on the scale.
local function spread(low, high, n, log)
  local scale, list = scale_of(log), {}
  local from, to = scale(low), scale(high)
  if from == to then from, to = from - 0.5, to + 0.5 end
  for i = 1, n do
    local v = from + (to - from) * (i - 1) / (n - 1)
    list[i] = log and math.exp(v) or v
  end
  return list
end

local function extent(z, log)
  local low, high = math.huge, -math.huge
  for _, row in ipairs(z) do
    for _, v in ipairs(row) do
      if canvases.is_finite(v) and (not log or v > 0) then
        low, high = math.min(low, v), math.max(high, v)
      end
    end
  end
  if low <= high then return low, high end
end

---Returns the levels of a surface: those given, or as many at equal distances.
---@param z number[][]
---@param levels number[]|integer|nil    12
---@param log boolean
---@return number[]|nil    nil: there is no value to draw
function M.levels(z, levels, log)
  if type(levels) == "table" then return levels end
  local low, high = extent(z, log)
  return low and spread(low, high, math.max(2, levels or LEVELS), log)
end

--- u of a value. Beyond the ends it goes on as in the first or last interval; infinite: beyond.
local function placer(levels, log)
  local scale, at = scale_of(log), {}
  for i, level in ipairs(levels) do at[i] = scale(level) end
  local n = #at
  return function(v)
    if v ~= v then return v end
    if v == math.huge then return n + 1 end
    if v == -math.huge or log and v <= 0 then return -1 end
    v = scale(v)
    local i = 1
    while i < n - 1 and v > at[i + 1] do i = i + 1 end
    return math.max(-1, math.min(n + 1, i - 1 + (v - at[i]) / (at[i + 1] - at[i])))
  end
end

--- The cell of at that holds t, and the share of the way to its other end.
local function cell(at, t)
  local i = 1
  while i < #at - 1 and t > at[i + 1] do i = i + 1 end
  return i, (t - at[i]) / (at[i + 1] - at[i])
end

--- The value at share (a, b) of a cell; a corner that does not count may be NaN.
local function bilinear(u, i, j, a, b)
  local sum = 0
  for _, corner in ipairs { { 0, 0 }, { 0, 1 }, { 1, 0 }, { 1, 1 } } do
    local di, dj = corner[1], corner[2]
    local weight = (di == 1 and b or 1 - b) * (dj == 1 and a or 1 - a)
    if weight > 0 then sum = sum + weight * u[i + di][j + dj] end
  end
  return sum
end

--- Rows { x, y, u } of a fine grid at equal distances, bilinear between the points.
local function refined(s, u)
  local rows, nx, ny = {}, #s.x, #s.y
  for p = 0, PIXELS do
    local y = s.y[1] + (s.y[ny] - s.y[1]) * p / PIXELS
    local i, b = cell(s.y, y)
    for q = 0, PIXELS do
      local x = s.x[1] + (s.x[nx] - s.x[1]) * q / PIXELS
      local j, a = cell(s.x, x)
      rows[#rows + 1] = { x, y, bilinear(u, i, j, a, b) }
    end
    rows[#rows + 1] = {}
  end
  return rows
end

--- The border between two places, and the ends beyond the first and the last.
local function borders(at)
  local list, n = {}, #at
  for i = 2, n do list[i] = (at[i - 1] + at[i]) / 2 end
  list[1], list[n + 1] = n > 1 and 2 * at[1] - list[2] or at[1] - 0.5,
    n > 1 and 2 * at[n] - list[n] or at[1] + 0.5
  return list
end

local OVERLAP <const> = 0.02 -- of a rectangle with the next ones: else seams are seen

--- Rows { x, y, left, right, lower, upper, u }: a rectangle around each point.
local function rectangles(s, u)
  local rows, x, y = {}, borders(s.x), borders(s.y)
  local function beyond(at, i)
    return i + 1 < #at and at[i + 1] + OVERLAP * (at[i + 1] - at[i]) or at[i + 1]
  end
  for i = 1, #s.y do
    for j = 1, #s.x do
      if u[i][j] == u[i][j] then
        rows[#rows + 1] = { s.x[j], s.y[i], x[j], beyond(x, j), y[i], beyond(y, i), u[i][j] }
      end
    end
  end
  return rows
end

---The ends of the axes that a surface needs.
---@param s table
---@return number[] x, number[] y
function M.ends(s)
  if s.as == "contours" then return { s.x[1], s.x[#s.x] }, { s.y[1], s.y[#s.y] } end
  local x, y = borders(s.x), borders(s.y)
  return { x[1], x[#x] }, { y[1], y[#y] }
end

local function placed(s)
  local place, u = placer(s.levels, s.log), {}
  for i, row in ipairs(s.z) do
    u[i] = {}
    for j, v in ipairs(row) do u[i][j] = place(v) end
  end
  return u
end

local function colour_box(canvas, s, box)
  canvas:add("set palette maxcolors %d", s.as == "contours" and #s.levels - 1 or 0)
  canvas:add("set cbrange [0:%d]", #s.levels - 1)
  local tics, every = {}, math.ceil((#s.levels - 1) / 12)
  for i = 1, #s.levels, every do
    tics[#tics + 1] = ('"%.3g" %d'):format(s.levels[i], i - 1)
  end
  canvas:add("set cbtics (%s) scale 0.4", table.concat(tics, ", "))
  canvas:add("set colorbox vertical user origin screen %.5f, screen %.5f size screen %.5f,"
    .. " screen %.5f", box.x, box.y, box.width, box.height)
end

--- The lines of the levels inside, traced by gnuplot into a block of its own.
local function traced(canvas, s, data)
  local inner = {}
  for i = 1, #s.levels - 2 do inner[i] = tostring(i) end
  if #inner == 0 then return nil end
  local name = data .. "lines"
  canvas:add("set contour base\nunset surface\nset cntrparam levels discrete %s",
    table.concat(inner, ", "))
  canvas:add("set table %s\nsplot %s using 1:2:3 notitle\nunset table", name, data)
  canvas:add "unset contour\nset surface"
  return name
end

local function draw_contours(d, s, u)
  local data = d.canvas:block(refined(s, u))
  local lines = traced(d.canvas, s, data)
  d.clauses[#d.clauses + 1] = data .. " using 1:2:3 with image notitle"
  if lines then
    d.clauses[#d.clauses + 1] = lines .. ' using 1:2 with lines lw 0.5 lc rgb "#40000000" notitle'
  end
end

---Draws a surface: adds its data, its scale and its clauses.
---@param d swale.PanelDrawing
---@param s table           x, y, z, levels, log, as, label, checked
---@param box { x: number, y: number, width: number, height: number }   of the scale, in screens
function M.draw(d, s, box)
  local u = placed(s)
  d.canvas:add("%s", PALETTE)
  colour_box(d.canvas, s, box)
  if s.as == "contours" then return draw_contours(d, s, u) end
  d.clauses[#d.clauses + 1] = d.canvas:block(rectangles(s, u))
    .. " using 1:2:3:4:5:6:7 with boxxyerror fc palette fs solid noborder notitle"
end

return M
