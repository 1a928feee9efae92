--- The whole of a symmetric matrix that is known by its products.
local core = require "swale.core"

local M = {}

---The matrix, column by column; its mean with its transpose is symmetric to the last bit. Costs n
---products.
---@param product fun(v: swale.Tensor): swale.Tensor     float64 (n)
---@param n integer
---@return swale.Tensor              float64 (n, n)
function M.of(product, n)
  local h, v = core.zeros({ n, n }, "float64"), core.zeros({ n }, "float64")
  for i = 1, n do
    v:set(i, 1)
    h:select(2, i):copy(product(v))
    v:set(i, 0)
  end
  return (h + h:transpose(1, 2)) * 0.5
end

return M
