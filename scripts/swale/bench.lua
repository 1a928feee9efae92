--- Benchmarks: training steps of common networks on synthetic data of their real shapes.
---
--- A step is what training does: gather the batch from a data set in memory, run forward and
--- backward, update (SGD, momentum 0.9). Names, shapes and fields are those that other tools'
--- benchmarks use for the same work, so that results can be joined by workload and threads.
local core = require "swale.core"

local M = {}

--- Each: name, sizes of the layers of a network with ReLU between them, batch sizes. 60,000
--- examples of the first size, labels below the last.
local NETWORKS = {
  { name = "logreg", sizes = { 784, 10 }, batches = { 1, 32, 256, 4096 } },
  { name = "mlp_small", sizes = { 784, 100, 10 }, batches = { 8, 32, 256 } },
  { name = "mlp_800", sizes = { 784, 800, 800, 10 }, batches = { 32, 256 } },
}
local EXAMPLES = 60000

local function network(sizes)
  local nn = require "swale.nn"
  local layers = {}
  for i = 1, #sizes - 1 do
    layers[#layers + 1] = nn.Linear(sizes[i], sizes[i + 1])
    if i < #sizes - 1 then layers[#layers + 1] = nn.ReLU() end
  end
  return nn.Sequential(layers)
end

--- N(0, 1) features, one set kept for all workloads of a shape.
local function synthetic(cache, features, classes)
  if cache.features ~= features then
    local random = core.random(0, "bench")
    local x = random:fill_normal(core.zeros { EXAMPLES, features }, 0, 1)
    local y = core.zeros({ EXAMPLES }, "int32")
    for i = 1, EXAMPLES do y:set(i, random:integer(classes) - 1) end
    cache.features, cache.source = features, core.source { x = x, y = y, classes = classes }
  end
  return cache.source
end

---A function that makes one training step.
---@param sizes integer[]
---@param batch integer
---@param source swale.Source
---@return fun() step, integer parameters
local function stepper(sizes, batch, source)
  local model = network(sizes):build { seed = 0 }
  local example = { features = { sizes[1] }, labels = true }
  local compile = require "swale.compile"
  local graph = compile.graph(model.layer, require("swale.loss").cross_entropy, example)
  local loop = core.loop {
    program = graph:train(), weights = model:weights(), source = source, seed = 0,
  }
  loop:set("lr", 0.01)
  loop:set("momentum", 0.9)
  loop:set("batch_size", batch)
  local function step() assert(loop:advance(1)) end
  return step, #model:weights()
end

local function median(sorted)
  local n = #sorted
  if n % 2 == 1 then return sorted[n // 2 + 1] end
  return (sorted[n // 2] + sorted[n // 2 + 1]) / 2
end

---Times of f() in milliseconds: after a warm-up, as many calls as take min_time seconds, 5 to 5000.
---@param f fun()
---@param min_time number
---@return { median_ms: number, min_ms: number, reps: integer }
function M.measure(f, min_time)
  local clock = require("luv").hrtime -- nanoseconds
  local begun, calls = clock(), 0
  while calls < 2 or (clock() - begun < 0.3e9 and calls < 200) do
    f()
    calls = calls + 1
  end
  local times, total = {}, 0
  while (total < min_time * 1e9 or #times < 5) and #times < 5000 do
    local a = clock()
    f()
    local b = clock()
    times[#times + 1] = (b - a) / 1e6
    total = total + (b - a)
  end
  table.sort(times)
  return { median_ms = median(times), min_ms = times[1], reps = #times }
end

--- Floating-point operations of a step: forward, weight gradients, and input gradients but for the
--- first layer's; two a multiply-add.
local function flops(sizes, batch)
  local all, first = 0, sizes[1] * sizes[2]
  for i = 1, #sizes - 1 do all = all + sizes[i] * sizes[i + 1] end
  return 2 * batch * (3 * all - first)
end

local function row(network_row, batch, threads, cache, min_time)
  local sizes = network_row.sizes
  local step, parameters = stepper(sizes, batch, synthetic(cache, sizes[1], sizes[#sizes]))
  local result = M.measure(step, min_time)
  result.peer = "swale-" .. core._VERSION
  result.workload = ("%s_B%d"):format(network_row.name, batch)
  result.threads = threads
  result.kind = "train_step"
  result.B = batch
  result.params = parameters
  result.flops_per_step = flops(sizes, batch)
  result.gflops = result.flops_per_step / result.median_ms / 1e6
  result.examples_per_s = batch / result.median_ms * 1e3
  return result
end

---All names, in the order in which they are run.
---@return string[]
function M.workloads()
  local names = {}
  for _, n in ipairs(NETWORKS) do
    for _, batch in ipairs(n.batches) do names[#names + 1] = ("%s_B%d"):format(n.name, batch) end
  end
  return names
end

---@class swale.BenchOptions
---@field threads integer[]
---@field wanted fun(name: string): boolean
---@field min_time number           seconds for each
---@field report fun(result: table)

---Runs the workloads that wanted(name) chooses, on each number of threads, and hands each result
---to report as it is there.
---@param o swale.BenchOptions
function M.run(o)
  local cache = {}
  for _, threads in ipairs(o.threads) do
    core.set_threads(threads)
    for _, n in ipairs(NETWORKS) do
      for _, batch in ipairs(n.batches) do
        if o.wanted(("%s_B%d"):format(n.name, batch)) then
          o.report(row(n, batch, threads, cache, o.min_time))
          collectgarbage()
        end
      end
    end
  end
end

return M
