-- Tensors of known values, and back to their values.
local core = require "swale.core"
local h = require "op_harness"

local M = {}

-- Numbers in -1 … 1, the same ones for a seed.
function M.random(seed)
  local state = seed
  return function()
    state = (state * 1103515245 + 12345) % 2 ^ 31
    return state / 2 ^ 30 - 1
  end
end

function M.tensor(shape, f, dtype)
  local t = core.zeros({ h.size(shape) }, dtype)
  for i = 1, h.size(shape) do t:set(i, f(i)) end
  return t:reshape(shape)
end

function M.flat(t) return t:contiguous():reshape({ -1 }):table() end

return M
