--- Pictures of landscapes, by sw.plot.
local core = require "swale.core"
local errors = require "swale.errors"
local figure = require "swale.plot.figure"
local options = require "swale.options"

local M = {}

local LOSS, ACCURACY <const> = "blue", "vermilion"

local function column_values(self, name)
  local list = {}
  for i, row in ipairs(self.rows) do list[i] = row[name] end
  return list
end

local function title_of(column) return (column:gsub("_", " ")) end

local PATH = { log = { "boolean", false }, title = "string?" }

---@param path swale.Path
---@param file string
---@param o? table
function M.path(path, file, o)
  local where = "path:plot"
  o = options.check(where, o, PATH)
  local picture = { file = options.value(where, "file", file, "string"), title = o.title,
    x_label = path.kind == "line" and "alpha: (1 - alpha) a + alpha b"
      or "alpha: cos(alpha pi/2) a + sin(alpha pi/2) b",
    y_label = "loss", y_log = o.log, right_label = "accuracy", legend = "above",
    { x = { 0, 1 }, as = "vertical", colour = "grey" } }
  for i, column in ipairs(path.columns) do
    local right = column:find "_accuracy$" ~= nil
    local first = column:find("^" .. path.columns[1]:gsub("_loss$", "")) ~= nil
    picture[#picture + 1] = { x = path.alpha, y = column_values(path, column),
      axis = right and "right" or "left", label = title_of(column), mark = i,
      colour = right and ACCURACY or LOSS, dash = first and "solid" or "dashed", as = "both" }
  end
  figure.draw(where, picture)
end

--- The values of a column over the grid: z[i][j] at y[i], x[j].
local function surface(plane, value)
  local z, nx = {}, #plane.x
  for i = 1, #plane.y do
    z[i] = {}
    for j = 1, nx do z[i][j] = value(plane.rows[(i - 1) * nx + j]) end
  end
  return z
end

--- "test error" -> "test_error": the names of columns with blanks, errors beside accuracies.
local function value_of(where, plane, name)
  local column = name:gsub(" ", "_")
  local known = {}
  for _, one in ipairs(plane.columns) do
    if one == column then return function(row) return row[one] end end
    known[#known + 1] = title_of(one)
    local split = one:match "^(.*)_accuracy$"
    if split then
      known[#known + 1] = split .. " error"
      if column == split .. "_error" then return function(row) return 1 - row[one] end end
    end
  end
  errors.no_name(where .. ": the landscape has", name, known)
end

---Levels of a loss: fine near the minimum, coarse above it, as in Izmailov et al. 2018: the
---distances from the least value grow by a constant factor.
---@param z number[][]
---@param n integer
---@return number[]
local function levels_above_minimum(z, n)
  local values = {}
  for _, row in ipairs(z) do
    for _, v in ipairs(row) do if v - v == 0 then values[#values + 1] = v end end
  end
  table.sort(values)
  local low, high = values[1], values[math.max(1, math.floor(#values * 0.9))]
  if not low or high <= low then return n end
  local list, rise = { low }, (high - low)
  local first = math.max(rise / 200, (values[math.max(2, #values // 50)] or high) - low, 1e-12)
  if first >= rise then first = rise / n end
  for i = 0, n - 2 do list[i + 2] = low + first * (rise / first) ^ (i / (n - 2)) end
  return list
end

local PLANE = { value = "string?", levels = "count|list?", title = "string?", log = "boolean?" }

local function add_marks(picture, plane)
  for _, path in ipairs(plane.paths) do
    picture[#picture + 1] = { x = path.x, y = path.y, as = "both", colour = "black",
      point_size = 0.4, line_width = 1.2, mark = 1, label = path.name }
  end
  local x, y, texts = {}, {}, {}
  for i, mark in ipairs(plane.marks) do x[i], y[i], texts[i] = mark.x, mark.y, mark.name end
  if #x > 0 then
    picture[#picture + 1] = { x = x, y = y, as = "points", colour = "#ffffff", point_size = 1.6,
      mark = 1 }
    picture[#picture + 1] = { x = x, y = y, texts = texts, as = "points", colour = "black",
      point_size = 1.1, mark = 1 }
  end
end

---@param plane swale.Plane
---@param file string
---@param o? table
function M.plane(plane, file, o)
  local where = "plane:plot"
  o = options.check(where, o, PLANE)
  local name = o.value or plane.columns[1]
  local z = surface(plane, value_of(where, plane, name))
  local levels = o.levels
  if type(levels) ~= "table" and not o.log then levels = levels_above_minimum(z, levels or 14) end
  local picture = { file = options.value(where, "file", file, "string"), title = o.title,
    x_label = plane.x_label, y_label = plane.y_label, equal = plane.equal, width = 820,
    height = not plane.equal and 640 or nil, legend = #plane.paths > 0 and "top right" or "none",
    { x = plane.x, y = plane.y, z = z, label = title_of(name), levels = levels,
      log = o.log or false } }
  add_marks(picture, plane)
  figure.draw(where, picture)
end

---@param rays swale.Rays
---@param file string
---@param o? table
function M.rays(rays, file, o)
  local where = "rays:plot"
  o = options.check(where, o, { title = "string?" })
  local picture = { file = options.value(where, "file", file, "string"), title = o.title,
    x_label = "distance", y_label = "rise of " .. title_of(rays.column), x_log = true,
    y_log = true, y_range = { rays.rise / 1000, rays.rise * 10 }, legend = "top left" }
  for i, ray in ipairs(rays.list) do
    picture[i] = { x = ray.t, y = ray.rises, as = "both", mark = 1, colour = "sky",
      line_width = 1, point_size = 0.4, label = i == 1 and "a ray" or nil }
  end
  picture[#picture + 1] = { y = { rays.rise }, as = "horizontal", colour = "vermilion",
    label = "the rise asked for" }
  figure.draw(where, picture)
end

---@param travel swale.Travel
---@param file string
---@param o? table
function M.travel(travel, file, o)
  local where = "travel:plot"
  o = options.check(where, o, { title = "string?" })
  local picture = { file = options.value(where, "file", file, "string"), title = o.title,
    x_label = travel.unit, y_label = "distance from the start", x_log = true, legend = "top left",
    { x = travel.at, y = travel.distance, as = "points", label = "|w - w(0)|" } }
  local fit = travel.log_fit
  if fit then
    local y = {}
    for i, t in ipairs(travel.at) do
      y[i] = t > 0 and fit.intercept + fit.slope * math.log(t) or core.NAN
    end
    picture[2] = { x = travel.at, y = y,
      label = ("%.3g + %.3g log t, R2 %.3f"):format(fit.intercept, fit.slope, fit.r2) }
  end
  figure.draw(where, picture)
end

return M
