--- The space in which sharpness is searched: all selected weights, or the span of random columns.
--- Both have `size`, `radius` (of the box along each coordinate), and maps to and from weights.
local core = require "swale.core"
local errors = require "swale.errors"

local M = {}

---@class swale.SearchSpace
---@field size integer                coordinates z
---@field radius swale.Tensor         float64 (size): epsilon (|(A^+ x)_i| + 1)
---@field move fun(z: swale.Tensor): swale.Tensor   A z, float64, the selected weights
---@field pull fun(g: swale.Tensor): swale.Tensor   A' g, float64 (size)

local function radius_of(coordinates, epsilon) return (coordinates:abs() + 1) * epsilon end

---A = I.
---@param x swale.Tensor              float64: the selected weights
---@param epsilon number
---@return swale.SearchSpace
function M.full(x, epsilon)
  local function same(v) return v end
  return { size = #x, radius = radius_of(x, epsilon), move = same, pull = same }
end

--- The laws of the elements of A.
local LAWS = {
  normal = function(row, random) random:fill_normal(row, 0, 1) end,
  unit = function(row, random)
    random:fill_normal(row, 0, 1)
    row:scale(1 / row:norm())
  end,
  uniform = function(row, random) random:fill_uniform(row, -1, 1) end,
}

M.LAWS = errors.sorted(LAWS)

--- A column of A is a row here.
local function columns(subject, p, law)
  local rows = core.zeros({ p, subject.selected }, subject.dtype)
  local random = core.random(subject.seed, "measure/" .. subject.where .. "/columns", 0)
  for i = 1, p do LAWS[law](rows:select(1, i), random) end
  return rows
end

local MANY <const> = 4e6 -- elements up to which A^+ x is computed from A itself, for any rank

--- A^+ x; of a large A, whose random columns are far from dependent, by the normal equations.
local function coordinates(rows, x)
  local p, n = rows:shape()[1], rows:shape()[2]
  if p * n <= MANY then return (core.lstsq(rows:t():to "float64", x)) end
  if 2 * p > n then
    errors.misuse("measure.sharpness: %d columns for %d weights are too many: the full space has "
      .. "no more", p, n)
  end
  local gram = rows:matmul(rows, { transpose_b = true }):to "float64"
  return core.solve(gram, rows:matmul(x:to(rows:dtype()):reshape { n, 1 }):to "float64"
    :reshape { p })
end

---A (n, p), random. Memory: n p numbers of the network's type.
---@param subject swale.Subject
---@param x swale.Tensor              float64: the selected weights
---@param o { epsilon: number, subspace: integer, columns: string }
---@return swale.SearchSpace
function M.random(subject, x, o)
  local p, n = o.subspace, subject.selected
  local rows = columns(subject, p, o.columns)
  return { size = p, radius = radius_of(coordinates(rows, x), o.epsilon),
    move = function(z)
      return z:to(subject.dtype):reshape({ 1, p }):matmul(rows):to("float64"):reshape { n }
    end,
    pull = function(g)
      return rows:matmul(g:to(subject.dtype):reshape { n, 1 }):to("float64"):reshape { p }
    end }
end

return M
