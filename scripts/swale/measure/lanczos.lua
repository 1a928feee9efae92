--- Lanczos's method with full re-orthogonalisation: the tridiagonal matrix T = Q'H Q of a symmetric
--- H known by its products, Q spanning v, H v, H^2 v, …
local basis = require "swale.measure.basis"
local core = require "swale.core"

local M = {}

---Nodes and weights of the Gauss quadrature for v'f(H)v / v'v: exact for polynomials f of degree
---2 steps - 1. Fewer than `steps` nodes where the space is exhausted; the quadrature is then exact.
---Costs a product a step and memory for `steps` vectors.
---@param product fun(v: swale.Tensor): swale.Tensor    float64 (n)
---@param v swale.Tensor             float64 (n)
---@param steps integer
---@return number[] nodes            ascending
---@return number[] weights          their sum is 1
function M.quadrature(product, v, steps)
  local q, diagonal, beside, largest = basis.new(), {}, {}, 0
  q:extend(v:clone())
  for i = 1, steps do
    local next_one = product(q.vectors[i])
    diagonal[i] = q.vectors[i]:dot(next_one)
    largest = math.max(largest, next_one:norm())
    if i == steps then break end
    beside[i] = q:extend(next_one, largest)
    if beside[i] == 0 then break end
  end
  beside[#diagonal] = nil
  local w, z = core.eigh_tridiagonal(core.tensor(diagonal, "float64"), #beside > 0
    and core.tensor(beside, "float64") or core.zeros({ 0 }, "float64"))
  local weights = z:select(1, 1):contiguous()
  return w:table(), (weights * weights):table()
end

return M
