--- A few eigenpairs of a large symmetric matrix that is known by its products alone: ARPACK, or all
--- of them by LAPACK where the matrix is small.
local core = require "swale.core"
local errors = require "swale.errors"
local options = require "swale.options"

local M = {}

---@class swale.EigshOptions
---@field k? integer             pairs, 1
---@field which? "largest"|"smallest"|"both"|"magnitude"   "largest"; both: k / 2 from each end
---@field tolerance? number      of an eigenvalue's error bound, relative to its magnitude; 1e-8
---@field basis? integer         Lanczos vectors kept at a time: more need fewer products; 2 k + 1,
---at least 20
---@field restarts? integer      at most; 300
---@field start? swale.Tensor    (n); normal random numbers of seed
---@field seed? integer          1

---@class swale.EigshInfo
---@field products integer       of the matrix, with those for the residuals
---@field converged boolean      whether all k pairs are found
---@field residuals swale.Tensor (m): |A v - w v|, computed anew; an eigenvalue is within it of w

local SPEC = { k = { "count", 1 },
  which = { choice = { "largest", "smallest", "both", "magnitude" }, "largest" },
  tolerance = { "nonnegative", 1e-8 }, basis = "count?", restarts = { "count", 300 },
  start = "tensor?", seed = { "integer", 1 } }

--- Products in float32 are symmetric to some 1e-6.
local ASYMMETRY <const> = 1e-3

local function multiplied(product, x, n)
  local y = product(x)
  if core.type(y) ~= "tensor" or y:ndim() ~= 1 or y:numel() ~= n then
    errors.misuse("linalg.eigsh: the product must return a vector of %d elements, got %s", n,
      errors.shown(y))
  end
  return y
end

-- ------------------------------------------------------------------ small matrices

local function dense(product, n)
  local a = core.zeros({ n, n }, "float64")
  for i = 1, n do
    local unit = core.zeros({ n }, "float64")
    unit:set(i, 1)
    a:select(1, i):copy(multiplied(product, unit, n))
  end
  local largest, off = a:abs():max():item(), (a - a:t()):abs():max():item()
  if off > ASYMMETRY * largest then
    errors.misuse("linalg.eigsh: the products are not those of a symmetric matrix: elements of it "
      .. "and of its transpose differ by up to %.3g, the largest is %.3g", off, largest)
  end
  return (a + a:t()) * 0.5
end

--- Positions of the pairs that are wanted, among all n in ascending order.
local function wanted(w, n, o)
  local list = {}
  for i = 1, n do list[i] = i end
  if o.which == "magnitude" then
    table.sort(list, function(a, b) return math.abs(w[a]) > math.abs(w[b]) end)
    list = table.move(list, 1, o.k, 1, {})
    table.sort(list)
    return list
  end
  local low = ({ largest = 0, smallest = o.k, both = o.k // 2 })[o.which]
  for i = low + 1, o.k do list[i] = n - o.k + i end
  return table.move(list, 1, o.k, 1, {})
end

local function by_lapack(product, n, o)
  local w, v = core.eigh(dense(product, n))
  local values, rows = core.zeros({ o.k }, "float64"), core.zeros({ o.k, n }, "float64")
  for i, at in ipairs(wanted(w, n, o)) do
    values:set(i, w[at])
    rows:select(1, i):copy(v:select(2, at))
  end
  return values, rows, n
end

-- ------------------------------------------------------------------ large ones

--- The product of the start was 0, as that of a network whose units are all dead: the matrix is 0
--- (the residuals tell), and any orthonormal vectors will do.
local function of_zero(start, n, o)
  local columns = core.random(o.seed, "measure/eigsh", 1)
    :fill_normal(core.zeros({ n, o.k }, "float64"), 0, 1)
  columns:select(2, 1):copy(start)
  local q = core.qr(columns)
  return core.zeros({ o.k }, "float64"), q:t(), 1
end

--- A power of two near a product's norm. ARPACK takes |lambda| below 4e-11 for 0 and accepts any
--- error there, so it is given the products of A / unit.
local function unit_of(norm)
  return 2.0 ^ math.max(-1000, math.min(1000, math.floor(math.log(norm, 2))))
end

local function by_arpack(product, n, o)
  local start = o.start and o.start:to "float64"
    or core.random(o.seed, "measure/eigsh", 0):fill_normal(core.zeros({ n }, "float64"), 0, 1)
  local solver <close> = errors.check(core.arpack(n, start, { k = o.k, which = o.which,
    basis = o.basis, restarts = o.restarts, tolerance = o.tolerance }))
  local unit
  while true do
    local x, y, code = solver:step()
    if not x then
      if y then errors.environment("linalg.eigsh: " .. y, code) end
      break
    end
    y:copy(multiplied(product, x:clone(), n))
    local norm = not unit and y:norm()
    if norm == 0 then return of_zero(start, n, o) end
    unit = unit or norm < math.huge and unit_of(norm) or 1
    y:scale(1 / unit)
  end
  local values, rows = solver:result()
  return values:scale(unit), rows, solver:products()
end

local function residuals(product, values, rows, n)
  local list = core.zeros({ #values }, "float64")
  for i = 1, #values do
    local v = rows:select(1, i)
    list:set(i, (multiplied(product, v, n):to "float64" - v * values[i]):norm())
  end
  return list
end

---Some eigenpairs of a symmetric matrix A (n, n), named as in SciPy. A matrix of at most `basis`
---rows is computed as a whole, by n products. Pairs that did not converge are left out.
---@param product fun(x: swale.Tensor): swale.Tensor    A x of a float64 vector, in any float type
---@param n integer
---@param o? swale.EigshOptions
---@return swale.Tensor w        (m) float64, ascending
---@return swale.Tensor v        (n, m), vectors of norm 1 as columns
---@return swale.EigshInfo info
function M.eigsh(product, n, o)
  o = options.check("linalg.eigsh", o, SPEC)
  if o.k > n or o.which == "both" and o.k < 2 then
    errors.misuse("linalg.eigsh: k must be from %d to n = %d, not %d",
      o.which == "both" and 2 or 1, n, o.k)
  end
  o.basis = math.min(n, o.basis or math.max(2 * o.k + 1, 20))
  if o.basis <= o.k and o.basis < n then
    errors.misuse("linalg.eigsh: basis must be above k = %d, not %d", o.k, o.basis)
  end
  local solve = o.basis == n and by_lapack or by_arpack
  local values, rows, products = solve(product, n, o)
  local off = residuals(product, values, rows, n)
  return values, rows:transpose(1, 2),
    { products = products + #values, converged = #values == o.k, residuals = off }
end

return M
