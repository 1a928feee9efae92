--- The speed-up by threads of a training step, and that of its parts: the products of its layers'
--- shapes and a copy of its batch, on the same machine in the same run.
local core = require "swale.core"
local measure = require "swale.bench.measure"
local networks = require "swale.bench.network"

local M = {}

--- m x k times k x n, on tensors of its own.
local function product(m, k, n)
  local a, b = core.zeros { m, k }, core.zeros { k, n }
  return function() return a:matmul(b) end
end

local MOST_ROWS = 32768 -- of a convolution's products: more rows scale in the same way

--- The products of a step: forward, weight gradients, and input gradients but for the first layer.
local function mix(network, batch)
  require "swale" -- the methods of tensors
  local parts = {}
  for i, p in ipairs(networks.products(network)) do
    local rows = math.min(p.rows * batch, MOST_ROWS)
    parts[#parts + 1] = product(rows, p.from, p.to)
    parts[#parts + 1] = product(p.to, rows, p.from)
    if i > 1 then parts[#parts + 1] = product(rows, p.to, p.from) end
  end
  local shape = { batch, table.unpack(network.features) }
  local x, y = core.zeros(shape), core.zeros(shape)
  return function()
    y:copy(x)
    for i = 1, #parts do parts[i]() end
  end
end

--- The least time on one thread, divided by the least time on n threads.
local function scaling(f, threads, min_time)
  core.set_threads(1)
  local one = measure.calls(f, min_time).min_ms
  core.set_threads(threads)
  return one / measure.calls(f, min_time).min_ms
end

---@param step fun()
---@param network swale.BenchNetwork
---@param batch integer
---@param o { threads: integer, min_time: number }
---@return number scaling, number share   of the step; and that over the mix's
function M.scaling(step, network, batch, o)
  local own = scaling(step, o.threads, o.min_time)
  return own, own / scaling(mix(network, batch), o.threads, o.min_time)
end

return M
