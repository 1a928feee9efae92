--- Losses along a path between two weights, a and b: a line, or the arc of Keskar et al. 2017, and
--- the barrier between them.
local class = require "swale.class"
local csv = require "swale.landscape.csv"
local errors = require "swale.errors"
local options = require "swale.options"
local points = require "swale.landscape.points"
local pictures = require "swale.landscape.pictures"
local scenes = require "swale.landscape.scene"
local vectors = require "swale.landscape.vectors"

local M = {}

---@class swale.Path
---@field kind "line"|"curve"
---@field alpha number[]                   0 at a, 1 at b
---@field rows table<string, number>[]     by column, a row for each alpha
---@field columns string[]                 "train_loss", "test_accuracy", …
---@field distance number                  |b - a|
local Path = class.new("path", { fields = { "kind", "alpha", "rows", "columns", "distance" } })

--- Weights at alpha, as factors of a and b.
local FACTORS = {
  line = function(alpha) return 1 - alpha, alpha end,
  curve = function(alpha)
    if alpha == 0 then return 1, 0 elseif alpha == 1 then return 0, 1 end -- cos(pi / 2) is not 0
    return math.cos(alpha * math.pi / 2), math.sin(alpha * math.pi / 2)
  end,
}

local OPTIONS = scenes.spec { from = "number?", to = "number?", points = { "count", 25 } }

---Equal steps from one number to another. 0 and 1 are met exactly where they are among them.
---@param from number
---@param to number
---@param n integer
---@return number[]
local function steps(from, to, n)
  local list = {}
  for i = 0, n - 1 do
    local v = n > 1 and from + (to - from) * i / (n - 1) or from
    local whole = math.floor(v + 0.5)
    list[i + 1] = math.abs(v - whole) < 1e-12 and whole + 0.0 or v
  end
  return list
end

local function path(kind, where, a, b, o, from, to)
  o = options.check(where, o, OPTIONS)
  local wa, wb = vectors.of(where, "a", a), vectors.of(where, "b", b)
  vectors.check_length(where, "b", wb, wa:numel())
  local scene = scenes.of(where, o, { a, b })
  local alpha = steps(o.from or from, o.to or to, o.points)
  local rows = points.run(scene, { name = kind, list = alpha, numbers = alpha,
    vectors = { wa, wb }, weights = function(t)
      local of_a, of_b = FACTORS[kind](t)
      return vectors.sum { { of_a, wa }, { of_b, wb } }
    end }, o.file)
  return setmetatable({ kind = kind, alpha = alpha, rows = rows, columns = scene.columns,
    distance = vectors.difference(wb, wa):norm() }, Path)
end

---@class swale.PathOptions: swale.SceneOptions
---@field from? number       -1; of a curve and of a barrier 0
---@field to? number         2; of a curve and of a barrier 1
---@field points? integer    25

---Loss and accuracy on the line (1 - alpha) a + alpha b, at alpha from -1 to 2 (Keskar et al. 2017,
---section 2.2.1). a and b are flat vectors, models, trainers or averages. Cost: a pass over the
---splits for each point, and one over train where statistics of batch norms are re-estimated.
---@param a swale.Tensor|swale.Model|swale.Trainer|swale.Averaging
---@param b swale.Tensor|swale.Model|swale.Trainer|swale.Averaging
---@param o swale.PathOptions
---@return swale.Path
function M.line(a, b, o) return path("line", "landscape.line", a, b, o, -1, 2) end

---Loss and accuracy on the arc cos(alpha pi / 2) a + sin(alpha pi / 2) b, alpha from 0 to 1 (Keskar
---et al. 2017, appendix D). It keeps the norm of the weights where those of a and b are equal.
---@param a swale.Tensor|swale.Model|swale.Trainer|swale.Averaging
---@param b swale.Tensor|swale.Model|swale.Trainer|swale.Averaging
---@param o swale.PathOptions
---@return swale.Path
function M.curve(a, b, o) return path("curve", "landscape.curve", a, b, o, 0, 1) end

---The line from a to b, for its barrier (linear mode connectivity, Frankle et al. 2020):
---`landscape.barrier(a, b, { on = data }):barrier "test_loss"`.
---@param a swale.Tensor|swale.Model|swale.Trainer|swale.Averaging
---@param b swale.Tensor|swale.Model|swale.Trainer|swale.Averaging
---@param o swale.PathOptions
---@return swale.Path
function M.barrier(a, b, o) return path("line", "landscape.barrier", a, b, o, 0, 1) end

-- ------------------------------------------------------------------ methods

--- The value of a column; NAME_error is 1 - NAME_accuracy.
local function column_of(self, where, column)
  for _, name in ipairs(self.columns) do
    if column == name then return function(row) return row[name] end end
    if column == name:gsub("_accuracy$", "_error") then
      return function(row) return 1 - row[name] end
    end
  end
  errors.no_name(where .. " has", column, self.columns)
end

---How far a quantity rises above the chord between a and b: the largest of
---    L(alpha) - ((1 - alpha) L(0) + alpha L(1))
---over the points with alpha in [0, 1]. 0 where it is convex. A finer grid can only raise it.
---@param column? string     "train_loss", "test_error", …; the first loss
---@return number barrier
---@return number alpha       where
function Path:barrier(column)
  local value = column_of(self, "the path", column or self.columns[1])
  local a, b
  for i, alpha in ipairs(self.alpha) do
    if alpha == 0 then a = value(self.rows[i]) end
    if alpha == 1 then b = value(self.rows[i]) end
  end
  if not a or not b then
    errors.misuse "path:barrier: needs the points alpha = 0 and 1: from = 0, to = 1"
  end
  local most, at = -math.huge, 0
  for i, alpha in ipairs(self.alpha) do
    if alpha >= 0 and alpha <= 1 then
      local rise = value(self.rows[i]) - ((1 - alpha) * a + alpha * b)
      if alpha == 0 or alpha == 1 then rise = rise == rise and 0 or rise end
      if rise > most or rise ~= rise then most, at = rise, alpha end
      if rise ~= rise then break end
    end
  end
  return most, at
end

---The numbers: { "alpha", "train_loss", … } and rows of them.
---@return string[] names
---@return number[][] rows
function Path:table()
  local names, rows = { "alpha", table.unpack(self.columns) }, {}
  for i, alpha in ipairs(self.alpha) do
    rows[i] = { alpha }
    for k, column in ipairs(self.columns) do rows[i][k + 1] = self.rows[i][column] end
  end
  return names, rows
end

---Writes the numbers as csv.
---@param file string
---@return swale.Path self
function Path:save(file) return csv.save(self, file) end

---Draws losses (left axis) and accuracies (right axis): train solid, others dashed.
---@param file string          ends in .svg, .png or .pdf
---@param o? { log?: boolean, title?: string }   log: of the losses
---@return swale.Path self
function Path:plot(file, o)
  pictures.path(self, file, o)
  return self
end

function Path:__tostring()
  return ("%s of %d points, alpha %g to %g"):format(self.kind, #self.alpha, self.alpha[1],
    self.alpha[#self.alpha])
end

return M
