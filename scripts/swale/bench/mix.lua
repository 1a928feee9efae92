--- How far threads help a training step, beside how far they help what it is made of: the products
--- of its layers' shapes and a copy of its batch, on the same machine in the same run.
local core = require "swale.core"
local measure = require "swale.bench.measure"

local M = {}

--- m x k times k x n, on tensors of its own.
local function product(m, k, n)
  local a, b = core.zeros { m, k }, core.zeros { k, n }
  return function() return a:matmul(b) end
end

--- All that the mix does: forward, weight gradients, input gradients but for the first layer's.
local function mix(sizes, batch)
  require "swale" -- the methods of tensors
  local parts = {}
  for i = 1, #sizes - 1 do
    local from, to = sizes[i], sizes[i + 1]
    parts[#parts + 1] = product(batch, from, to)
    parts[#parts + 1] = product(to, batch, from)
    if i > 1 then parts[#parts + 1] = product(batch, to, from) end
  end
  local x, y = core.zeros { batch, sizes[1] }, core.zeros { batch, sizes[1] }
  return function()
    y:copy(x)
    for i = 1, #parts do parts[i]() end
  end
end

--- Least time on one thread over that on so many.
local function scaling(f, threads, min_time)
  core.set_threads(1)
  local one = measure.calls(f, min_time).min_ms
  core.set_threads(threads)
  return one / measure.calls(f, min_time).min_ms
end

---@param step fun()
---@param sizes integer[]
---@param batch integer
---@param o { threads: integer, min_time: number }
---@return number scaling, number share   of the step; and that over the mix's
function M.scaling(step, sizes, batch, o)
  local own = scaling(step, o.threads, o.min_time)
  return own, own / scaling(mix(sizes, batch), o.threads, o.min_time)
end

return M
