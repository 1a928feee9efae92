--- Sorting, quantiles and running sums of tensors along an axis. NaN counts as the largest value.
local core = require "swale.core"
local errors = require "swale.errors"
local options = require "swale.options"

local M = {}

local SORT = { descending = { "boolean", false } }

---The values in order, and the places (int32, from 0) that they came from; equal values keep their
---order.
---@param x swale.Tensor
---@param axis? integer           the last
---@param o? { descending?: boolean }
---@return swale.Tensor values
---@return swale.Tensor order
function M.sort(x, axis, o)
  o = options.check("ops.sort", o, SORT)
  return core.sort(x, axis or -1, o.descending)
end

---The value below which a share q of the values lies: at place q (n - 1) of the sorted ones, linear
---between two of them, as in NumPy and PyTorch. NaN where there is a NaN.
---@param x swale.Tensor          float32 or float64
---@param q number|number[]       0 to 1; of a list the results are along a first axis
---@param axis? integer           all elements
---@return swale.Tensor
function M.quantile(x, q, axis)
  local list = type(q) == "number" and { q } or q
  if type(list) ~= "table" then
    errors.misuse("ops.quantile: q must be a number from 0 to 1 or a list of them, got %s",
      errors.shown(q))
  end
  if not axis then x, axis = x:reshape { x:numel() }, 1 end
  if axis < 0 then axis = axis + x:ndim() + 1 end
  local y = core.quantile(x, list, axis)
  if list ~= q then return y:select(axis, 1):contiguous() end
  while axis > 1 do
    y, axis = y:transpose(axis - 1, axis), axis - 1
  end
  return y:contiguous()
end

---x[1], x[1] + x[2], …, summed in double.
---@param x swale.Tensor          float32 or float64
---@param axis integer
---@return swale.Tensor
function M.cumsum(x, axis) return core.cumsum(x, axis) end

return M
