--- Normal numbers of a given covariance, for small dimensions, in double.
local core = require "swale.core"
local errors = require "swale.errors"
local ops = require "swale.ops"

local M = {}

local ROUNDING <const> = 1e-12 -- of the largest element: what is below is 0

local function largest(rows)
  local top = 0
  for j = 1, #rows do top = math.max(top, math.abs(rows[j][j])) end
  return top
end

--- Cholesky's factor, row by row; a column whose pivot is 0 is 0.
local function factor_of(rows)
  local l, least = {}, ROUNDING * largest(rows)
  for i = 1, #rows do
    l[i] = {}
    for j = 1, #rows do l[i][j] = 0 end
    for j = 1, i do
      local rest = rows[i][j]
      for k = 1, j - 1 do rest = rest - l[i][k] * l[j][k] end
      if i == j then
        if rest < -least then return nil end
        l[i][i] = rest > least and math.sqrt(rest) or 0
      elseif l[j][j] > 0 then
        l[i][j] = rest / l[j][j]
      elseif math.abs(rest) > least then
        return nil
      end
    end
  end
  return l
end

---Checks a square symmetric matrix of numbers, as a tensor or a list of rows.
---@param where string
---@param matrix any
---@param d? integer     its size; any
---@return swale.Tensor  (d, d), of float32 values, as float64
function M.symmetric(where, matrix, d)
  local t = core.type(matrix) == "tensor" and matrix
    or type(matrix) == "table" and core.tensor(matrix) or nil
  local shape = t and t:shape()
  if not shape or #shape ~= 2 or shape[1] ~= shape[2] or d and shape[1] ~= d then
    errors.misuse("%s: must be a matrix of shape (%s, %s)", where, d or "d", d or "d")
  end
  t = t:to("float32"):to "float64"
  local off, top = ops.max(ops.abs(t - t:t())):item(), ops.max(ops.abs(t)):item()
  if off > 1e-6 * top or top == math.huge or top ~= top then
    errors.misuse("%s: must be symmetric and finite", where)
  end
  return t
end

---L of the matrix L L'.
---@param where string
---@param matrix swale.Tensor    (d, d), float64; positive semidefinite
---@return swale.Tensor          (d, d), float64, lower triangular
function M.factor(where, matrix)
  local l = factor_of(matrix:table())
  if not l then errors.misuse("%s: must be positive semidefinite", where) end
  return core.tensor(l, "float64")
end

--- Rows x of n numbers become L^-1 x, by forward substitution.
local function solve(l, rows)
  for _, x in ipairs(rows) do
    for i = 1, #x do
      local rest = x[i]
      for k = 1, i - 1 do rest = rest - l[i][k] * x[k] end
      x[i] = rest / l[i][i]
    end
  end
end

---n normal vectors with mean 0 and covariance L L'.
---@param n integer
---@param l swale.Tensor         (d, d), float64
---@param stream swale.Random
---@return swale.Tensor          (n, d), float64
function M.normal(n, l, stream)
  local z = stream:fill_normal(core.zeros({ n, #l }, "float64"), 0, 1)
  return ops.matmul(z, l, { transpose_b = true })
end

---The same, moved and turned so that these vectors themselves have mean 0 and covariance L L'
---(n - 1 in its denominator), up to rounding.
---@param where string
---@param n integer
---@param l swale.Tensor
---@param stream swale.Random
---@return swale.Tensor
function M.exact_normal(where, n, l, stream)
  local d = #l
  if n <= d then errors.misuse("%s: n must be above %d, the number of dimensions", where, d) end
  local z = stream:fill_normal(core.zeros({ n, d }, "float64"), 0, 1)
  z = z - ops.mean(z, 1)
  local own = factor_of((ops.matmul(z, z, { transpose_a = true }) * (1 / (n - 1))):table())
  local rows = z:table()
  solve(own, rows)
  return ops.matmul(core.tensor(rows, "float64"), l, { transpose_b = true })
end

return M
