--- Deep copies of Lua values. Tensors are cloned; functions, and objects of the core other than
--- tensors, are shared.
local core = require "swale.core"

local M = {}

local borrowing = false -- nothing is copied

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
function M.deep(value) return borrowing and value or copy(value, {}) end

---Returns a copy of a tensor, in `into` if it is given; nil for nil.
---@param from swale.Tensor|nil
---@param into? swale.Tensor
---@return swale.Tensor|nil
function M.tensor(from, into)
  if borrowing and not into then return from end
  return from and (into and into:copy(from) or from:clone())
end

---Calls f(...) with deep and tensor giving the values themselves: for a state that is written at
---once, before it can change.
---@param f function
---@param ... any
---@return any ...   what f gives
function M.borrowing(f, ...)
  local before = borrowing
  local _ <close> = setmetatable({}, { __close = function() borrowing = before end })
  borrowing = true
  return f(...)
end

return M
