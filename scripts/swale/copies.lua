--- Deep copies of Lua values. Tensors are cloned; functions, and objects of the core other than
--- tensors, are shared.
local core = require "swale.core"

local M = {}

local function copy(value, seen)
  if core.type(value) == "tensor" then return value:clone() end
  if type(value) ~= "table" then return value end
  if seen[value] then return seen[value] end
  local new = {}
  seen[value] = new
  for key, one in next, value do rawset(new, copy(key, seen), copy(one, seen)) end
  return setmetatable(new, getmetatable(value))
end

---@generic T
---@param value T
---@return T
function M.deep(value) return copy(value, {}) end

---Returns a copy of a tensor, in `into` if it is given; nil for nil.
---@param from swale.Tensor|nil
---@param into? swale.Tensor
---@return swale.Tensor|nil
function M.tensor(from, into) return from and (into and into:copy(from) or from:clone()) end

return M
