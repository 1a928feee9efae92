--- Windows over images, for the rows of op_harness: conv_rows and pool_rows.
local h = require "op_harness"

local M = {}

---The two numbers of an attribute: of rows, of columns.
function M.pair(value, default)
  if type(value) == "table" then return value[1], value[2] end
  return value or default, value or default
end

function M.zeros(shape) return h.array(shape, function() return 0 end) end

---The places of a window along one axis.
function M.out_size(size, kernel, stride, padding, dilation)
  return (size + 2 * padding - (kernel - 1) * dilation - 1) // stride + 1
end

---The input { low =, high =, sizes… } of a row: numbers within -range … range.
function M.with(shape, range) return { low = -range, high = range, table.unpack(shape) } end

---A new table with the fields of both.
function M.joined(a, b)
  local all = {}
  for key, value in pairs(a) do all[key] = value end
  for key, value in pairs(b) do all[key] = value end
  return all
end

return M
