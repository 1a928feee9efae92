--- Overheads: an operation on a few numbers, a Lua function called before each step.
local core = require "swale.core"
local measure = require "swale.bench.measure"
local network = require "swale.bench.network"

local M = {}

local CALLS = 200

local function overhead(f, o)
  local m = measure.calls(function()
    for _ = 1, CALLS do f() end
  end, math.min(o.min_time, 0.3))
  return { kind = "overhead", us = m.median_ms * 1e3 / CALLS, us_min = m.min_ms * 1e3 / CALLS }
end

local function rand(...) return core.random(0, "bench"):fill_uniform(core.zeros { ... }, 0, 1) end

local function add10() -- all of this needs the methods of tensors
  require "swale"
  local a, b = rand(10), rand(10)
  return function() return a + b end
end

local function add10_in_place()
  local a, b = rand(10), rand(10)
  return function() a:add(0, b) end
end

local function add_1000x1000()
  require "swale"
  local a, b = rand(1000, 1000), rand(1000, 1000)
  return function() return a + b end
end

local function mm()
  require "swale"
  local x, w = rand(1, 10), rand(10, 10)
  return function() return x:matmul(w) end
end

--- A trainer of a network so small that a step is mostly overhead.
local function tiny_trainer(lr)
  local random = core.random(0, "bench")
  local data = require("swale.data").from_tensors { classes = 2, train = { x = rand(1000, 2),
    y = network.labels(random, 1000, 2) } }
  return require("swale.trainer").new { model = require("swale.nn").Linear(2, 2), data = data,
    lr = lr, batch_size = 1, momentum = 0.9, record = { steps = 1000000 } }
end

local STEPS = 1000 -- an epoch, so that both runs contain its end

local function step_us(trainer, o)
  local m = measure.calls(function() trainer:fit { steps = STEPS } end, math.min(o.min_time, 0.5))
  return m.median_ms * 1e3 / STEPS, m.min_ms * 1e3 / STEPS
end

--- Time of a step with a schedule and a hook in Lua, compared with neither.
local function schedule_and_hook(o)
  local seen = 0
  local with = tiny_trainer(function(s) return 1e-3 * 0.999 ^ s.epoch end)
  with:on("step", function() seen = seen + 1 end)
  local without = tiny_trainer(1e-3)
  local us, least = step_us(with, o)
  local base, base_least = step_us(without, o)
  return { kind = "overhead", us = us - base, us_min = least - base_least, step_us = base }
end

--- A chain of products of (1, 1) matrices and their gradient: about 4 nodes a product.
local function compile_nodes(nodes)
  local g = core.graph()
  local a = g:param(1, { 1, 1 })
  local x = a
  for _ = 1, nodes // 4 do x = core.apply("matmul", nil, x, a) end
  local y = core.apply("sum", { axes = { 1, 2 } }, x)
  local outputs = { y, g:gradient(y, { a })[1] }
  local m = measure.calls(function() core.program(g, outputs, {}) end, 0, { reps = 3, warm = 1 })
  m.kind, m.nodes = "compile", nodes
  m.us_per_node = m.median_ms * 1e3 / nodes
  return m
end

---@return swale.BenchRow[]
function M.rows()
  local function row(name, make)
    return { name = "overhead_" .. name, run = function(o) return overhead(make(), o) end }
  end
  return {
    row("add10", add10), row("add10_inplace", add10_in_place),
    row("add_1000x1000", add_1000x1000), row("mm_1x10x10", mm),
    row("lua_call", function() return function() end end),
    { name = "overhead_schedule_and_hook", run = schedule_and_hook },
    { name = "compile_10k", run = function() return compile_nodes(10000) end },
    { name = "compile_100k", heavy = true, run = function() return compile_nodes(100000) end },
  }
end

return M
