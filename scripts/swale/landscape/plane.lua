--- Losses on a plane: through three weights, spanned by random filter-normalised directions, or by
--- the principal directions of a trajectory. Weights are marked on it at their projections by least
--- squares, with the distance that is left.
local class = require "swale.class"
local csv = require "swale.landscape.csv"
local directions = require "swale.landscape.directions"
local errors = require "swale.errors"
local options = require "swale.options"
local pictures = require "swale.landscape.pictures"
local points = require "swale.landscape.points"
local scenes = require "swale.landscape.scene"
local vectors = require "swale.landscape.vectors"

local M = {}

---@class swale.PlaneMark
---@field name string
---@field x number
---@field y number
---@field residual number     distance of the weights from the plane

---@class swale.Plane
---@field x number[]                    coordinates of the grid
---@field y number[]
---@field rows table<string, number>[]  by column: row (i - 1) * #x + j is at y[i], x[j]
---@field columns string[]              "train_loss", "test_accuracy", …
---@field origin swale.Tensor           float64, as the next two
---@field u swale.Tensor                a point is origin + x u + y v
---@field v swale.Tensor
---@field marks swale.PlaneMark[]
---@field paths { name: string, x: number[], y: number[], residual: number[] }[]
---@field explained number[]|nil        of principal directions: shares of the variance
local Plane = class.new("plane", { fields = { "x", "y", "rows", "columns", "origin", "u", "v",
  "marks", "paths", "explained" } })

local GRID = { grid = "count|list?", margin = { "nonnegative", 0.2 } }

--- How many points in each direction.
local function grid_of(where, grid)
  local nx, ny = grid or 21, grid or 21
  if type(grid) == "table" then nx, ny = grid[1], grid[2] end
  for _, n in ipairs { nx or false, ny or false } do
    if math.type(n) ~= "integer" or n < 2 then
      errors.misuse("%s: grid is a number of points from 2 on, or { across, up }, not %s", where,
        errors.shown(n))
    end
  end
  return nx, ny
end

--- n coordinates over the extent of some values and a margin on each side.
local function ticks(values, margin, n)
  local low, high = math.min(table.unpack(values)), math.max(table.unpack(values))
  local from, size, list = low - margin * (high - low), (1 + 2 * margin) * (high - low), {}
  for i = 1, n do list[i] = from + size * (i - 1) / (n - 1) end
  return list
end

--- Evaluates the grid.
local function filled(self, scene, file)
  local list = {}
  for _, y in ipairs(self.y) do
    for _, x in ipairs(self.x) do list[#list + 1] = { x, y } end
  end
  local numbers = table.move(self.x, 1, #self.x, 1, {})
  table.move(self.y, 1, #self.y, #numbers + 1, numbers)
  self.rows = points.run(scene, { name = "plane", list = list, numbers = numbers,
    vectors = { self.origin, self.u, self.v },
    weights = function(p) return self:weights(p[1], p[2]) end }, file)
  self.columns = scene.columns
  return self
end

local function new(fields)
  fields.marks, fields.paths = {}, {}
  return setmetatable(fields, Plane)
end

-- ------------------------------------------------------------------ through three weights

---@class swale.PlaneOptions: swale.SceneOptions
---@field grid? integer|integer[]   points across and up; 21
---@field margin? number            beside the points, as a share of their extent; 0.2

--- Options of which [1], [2] … are weights.
local function split_list(where, o)
  if type(o) ~= "table" or getmetatable(o) then
    errors.misuse("%s: takes { a, b, c, on = data }, not %s", where, errors.shown(o))
  end
  local list, rest = {}, {}
  for key, value in pairs(o) do
    if math.type(key) == "integer" then list[key] = value else rest[key] = value end
  end
  return list, rest
end

---Loss and accuracy on the plane through three weights (Izmailov et al. 2018):
---    u = (b - a) / |b - a|,   v = c - a less its part along u, of length 1
---on a grid over the three points and a margin. x and y are distances.
---    plane { a, b, c, on = data, grid = 21 }:mark("SWA", average):plot "plane.svg"
---@param o swale.PlaneOptions      [1], [2], [3]: the weights
---@return swale.Plane
function M.plane(o)
  local where = "landscape.plane"
  local given, rest = split_list(where, o)
  rest = options.check(where, rest, scenes.spec { grid = GRID.grid, margin = GRID.margin })
  if #given ~= 3 then errors.misuse("%s: takes three weights, not %d", where, #given) end
  local w = vectors.list(where, given, 3)
  local u, v = vectors.difference(w[2], w[1]), vectors.difference(w[3], w[1])
  local width, length = u:norm(), v:norm()
  if width > 0 then u:scale(1 / width) end
  local along = u:dot(v)
  v:add(-along, u)
  local height = v:norm()
  if not (width > 0 and height > 1e-6 * length) then
    errors.misuse("%s: the three weights are on a line; landscape.line draws that", where)
  end
  v:scale(1 / height)
  v:add(-u:dot(v), u) -- what rounding left
  v:scale(1 / v:norm())
  local nx, ny = grid_of(where, rest.grid)
  local self = new { origin = w[1], u = u, v = v, equal = true, x_label = "distance along b - a",
    y_label = "distance across", x = ticks({ 0, width, along }, rest.margin, nx),
    y = ticks({ 0, height }, rest.margin, ny) }
  filled(self, scenes.of(where, rest, given), rest.file)
  for i, name in ipairs { "a", "b", "c" } do self:mark(name, w[i]) end
  return self
end

-- ------------------------------------------------------------------ random directions

---@class swale.RandomPlaneOptions: swale.SceneOptions
---@field grid? integer|integer[]   21
---@field reach? number             coordinates go from -reach to reach; 1
---@field normalise? "filter"|"layer"|"none"   "filter"
---@field biases? "zero"|"normal"   parameters of one dimension, as biases and those of norms: left
---alone, or normalised as one filter
---@field seed? integer             1

---Loss and accuracy on a plane of two random directions d through weights (Li et al. 2018). Each
---filter, the weights into one output, gets the length of that of the weights: d_f |w_f| / |d_f|.
---The second direction is orthogonal to the first, filter by filter. Biases and the parameters of
---norms stay as they are, unless biases = "normal". Under a batch norm in training the loss does
---not depend on the lengths of filters before it, which this normalisation takes into account.
---@param a swale.Tensor|swale.Model|swale.Trainer|swale.Averaging
---@param o swale.RandomPlaneOptions
---@return swale.Plane
function M.random_plane(a, o)
  local where = "landscape.random_plane"
  o = options.check(where, o, scenes.spec { grid = GRID.grid, reach = { "positive", 1 },
    normalise = { choice = { "filter", "layer", "none" }, "filter" },
    biases = { choice = { "zero", "normal" }, "zero" }, seed = { "integer", 1 } })
  local w, scene = vectors.of(where, "a", a), scenes.of(where, o, { a })
  local u, v = directions.pair(scene.model.segments, w, o)
  local nx, ny = grid_of(where, o.grid)
  local self = new { origin = w, u = u, v = v, x_label = "first direction",
    y_label = "second direction", x = ticks({ -o.reach, o.reach }, 0, nx),
    y = ticks({ -o.reach, o.reach }, 0, ny) }
  filled(self, scene, o.file)
  return self:mark("a", w)
end

-- ------------------------------------------------------------------ a trajectory

---Loss and accuracy on the plane of a trajectory: through its last weights, along the two principal
---directions of w(i) - w(last). The plane's `explained` has their shares of the squared distances;
---the trajectory is drawn at its projections, and its distances from the plane are in
---`paths[1].residual`.
---@param list any[]               weights in the order of time
---@param o swale.PlaneOptions
---@return swale.Plane
function M.trajectory(list, o)
  local where = "landscape.trajectory"
  o = options.check(where, o, scenes.spec { grid = GRID.grid, margin = GRID.margin })
  local w = vectors.list(where, list, 3)
  local u, v, explained = directions.principal(where, w)
  local nx, ny = grid_of(where, o.grid)
  local self = new { origin = w[#w], u = u, v = v, equal = true, explained = explained,
    x_label = ("first principal direction, %.1f %%"):format(100 * explained[1]),
    y_label = ("second principal direction, %.1f %%"):format(100 * explained[2]) }
  self:path("trajectory", w)
  self.x, self.y = ticks(self.paths[1].x, o.margin, nx), ticks(self.paths[1].y, o.margin, ny)
  filled(self, scenes.of(where, o, list), o.file)
  return self:mark("end", w[#w])
end

-- ------------------------------------------------------------------ methods

---The weights at a point of the plane.
---@param x number
---@param y number
---@return swale.Tensor    float64
function Plane:weights(x, y)
  return vectors.sum { { 1, self.origin }, { x, self.u }, { y, self.v } }
end

---Projects weights by least squares.
---@param w swale.Tensor|swale.Model|swale.Trainer|swale.Averaging
---@return number x
---@return number y
---@return number residual     their distance from the plane
function Plane:project(w)
  local where = "plane:project"
  local point = vectors.of(where, "w", w)
  vectors.check_length(where, "w", point, self.origin:numel())
  return vectors.project(vectors.difference(point, self.origin), self.u, self.v)
end

---Marks weights under a name, for the picture.
---@param name string
---@param w swale.Tensor|swale.Model|swale.Trainer|swale.Averaging
---@return swale.Plane self
function Plane:mark(name, w)
  name = options.value("plane:mark", "name", name, "string")
  local x, y, residual = self:project(w)
  self.marks[#self.marks + 1] = { name = name, x = x, y = y, residual = residual }
  return self
end

---Adds the projections of several weights, for instance of a training, as a line in the picture.
---The plane's own losses are not those of the weights where their residual is large.
---@param name string
---@param list any[]
---@return swale.Plane self
function Plane:path(name, list)
  local path = { name = options.value("plane:path", "name", name, "string"), x = {}, y = {},
    residual = {} }
  for i, w in ipairs(options.value("plane:path", "list", list, "list")) do
    path.x[i], path.y[i], path.residual[i] = self:project(w)
  end
  self.paths[#self.paths + 1] = path
  return self
end

---The numbers: { "x", "y", "train_loss", … } and rows of them.
---@return string[] names
---@return number[][] rows
function Plane:table()
  local names, rows = { "x", "y", table.unpack(self.columns) }, {}
  for i, found in ipairs(self.rows) do
    local at = i - 1
    rows[i] = { self.x[at % #self.x + 1], self.y[at // #self.x + 1] }
    for k, column in ipairs(self.columns) do rows[i][k + 2] = found[column] end
  end
  return names, rows
end

---Writes the numbers as csv.
---@param file string
---@return swale.Plane self
function Plane:save(file) return csv.save(self, file) end

---Draws the contours of a quantity, with the marks.
---@param file string          ends in .svg, .png or .pdf
---@param o? { value?: string, levels?: integer|number[], log?: boolean, title?: string }
---value: "train loss", "test error", …; the first loss
---@return swale.Plane self
function Plane:plot(file, o)
  pictures.plane(self, file, o)
  return self
end

function Plane:__tostring() return ("plane of %d x %d points"):format(#self.x, #self.y) end

return M
