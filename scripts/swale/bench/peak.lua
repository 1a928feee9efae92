--- What the machine can do at most: multiply-adds in registers, and memory bandwidth.
local core = require "swale.core"
local measure = require "swale.bench.measure"

local M = {}

local ROUNDS <const> = 1000000     -- of multiply-adds: some 10 ms
local ELEMENTS <const> = 64 << 20  -- of each vector: 256 MiB, beyond any cache

---GFLOP/s of one thread in the instruction set in use: the most of some attempts.
---@return number
function M.gflops()
  local count
  local best = measure.calls(function() count = core.multiply_adds(ROUNDS) end, 0.05).min_ms
  return 2 * count / best / 1e6
end

--- y += a x moves 12 bytes an element.
local function triad(o)
  local x, y = core.zeros { ELEMENTS }, core.zeros { ELEMENTS }
  local result = measure.calls(function() y:add(0.5, x) end, o.min_time)
  result.kind, result.gb_per_s = "peak", 12 * ELEMENTS / result.min_ms / 1e6
  return result
end

---@return swale.BenchRow[]
function M.rows()
  return {
    { name = "peak_multiply_add", run = function()
      return { kind = "peak", variant = core.variant(), gflops_per_thread = M.gflops() }
    end },
    { name = "peak_triad", heavy = true, run = triad },
  }
end

return M
