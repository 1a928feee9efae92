--- Whole programs: from the start of a process to its first step, its memory while it trains on
--- images as data sets store them, and five epochs of training.
local core = require "swale.core"
local measure = require "swale.bench.measure"
local network = require "swale.bench.network"
local process = require "swale.process"

local M = {}

local SIZES = { 784, 100, 10 }

-- ------------------------------------------------------------------ the start

local FIRST_STEP = [[
local sw = require "swale"
local random = sw.random(0)
local y = {}
for i = 1, 32 do y[i] = random:integer(10) - 1 end
local trainer = sw.Trainer {
  model = sw.nn.Sequential { sw.nn.Linear(784, 100), sw.nn.ReLU(), sw.nn.Linear(100, 10) },
  data = sw.data.from_tensors { classes = 10,
    train = { x = sw.rand { 32, 784 }, y = sw.tensor(y, "int32") } },
  lr = 0.1, momentum = 0.9, batch_size = 32,
}
trainer:fit { steps = 1 }
]]

local PEAK = [[
for line in io.lines "/proc/self/status" do
  local kib = line:match "^VmHWM:%s*(%d+)"
  if kib then print(kib) end
end
]]

--- The command: the launcher of a checkout, or the installed one.
local function command()
  local launcher = (os.getenv "SWALE_HOME" or ".") .. "/swale"
  if process.find(launcher) then return { launcher } end
  return process.find "swale" and { "swale" } or process.swale()
end

local function write(text)
  local path = os.tmpname()
  assert(core.write_file(path, text))
  return path
end

--- Runs a text as a script and returns its output.
local function start(argv)
  local result, message = process.run(argv, { env = {
    SWALE_BUILD = os.getenv "SWALE_BUILD" or false } })
  if not result then error(message, 0) end
  if result.code ~= 0 then error("bench: " .. result.err, 0) end
  return result.out
end

local REPEATS = 6 -- the first one warms the page cache

local function timed_starts(argv)
  local times = {}
  for i = 1, REPEATS do
    local seconds = measure.once(function() start(argv) end)
    if i > 1 then times[#times + 1] = seconds * 1e3 end
  end
  return measure.summary(times)
end

local function first_step(o)
  local words, script, report = command(), write(FIRST_STEP), write(FIRST_STEP .. PEAK)
  local argv = table.move({ "lua", "--threads", tostring(o.threads), script }, 1, 4, #words + 1,
    words)
  local result = timed_starts(argv)
  argv[#argv] = report
  result.kind, result.peak_rss_mib = "start", tonumber(start(argv)) / 1024
  os.remove(script)
  os.remove(report)
  return result
end

local function nothing()
  local result = timed_starts { process.interpreter(), "-e", "" }
  result.kind = "start"
  return result
end

-- ------------------------------------------------------------------ memory

--- MNIST's sizes and element types, an epoch and both evaluations.
local TRAINING = [[
local sw = require "swale"
local some = sw.rand { 1000, 784 }:lt(0.5)
local function images(n)
  local x, y = sw.zeros({ n, 784 }, "uint8"), sw.zeros({ n }, "uint8")
  for i = 1, n, 1000 do x:narrow(1, i, 1000):copy(some) end
  return { x = x, y = y }
end
local data = sw.data.from_tensors { classes = 10, train = images(60000), test = images(10000) }
local trainer = sw.Trainer { model = sw.zoo.mlp_small(), data = data, lr = 0.01, momentum = 0.9,
  batch_size = 32, seed = 0 }
trainer:fit { epochs = 1 }
trainer:evaluate("last", { on = "train" })
trainer:evaluate("last", { on = "test" })
]]

local IMAGES = 70000 * 784

local function training_memory(o)
  local script = write(TRAINING .. PEAK)
  local argv = command()
  for _, word in ipairs { "lua", "--threads", tostring(o.threads), script } do
    argv[#argv + 1] = word
  end
  local peak = tonumber(start(argv)) / 1024
  os.remove(script)
  return { kind = "memory", peak_rss_mib = peak, data_mib = IMAGES / 2 ^ 20 }
end

-- ------------------------------------------------------------------ end to end

local EPOCHS, EXAMPLES, BATCH = 5, 60000, 32

--- Gaussians around ten centres: x = centre[y] + N(0, 1), the centres being 0.12 N(0, 1).
local function clusters(n, seed)
  local random = core.random(seed, "bench")
  local centres = core.random(99, "bench"):fill_normal(core.zeros { 10, SIZES[1] }, 0, 0.12)
  local x = random:fill_normal(core.zeros { n, SIZES[1] }, 0, 1)
  local y = network.labels(random, n, 10)
  for i = 1, n do x:select(1, i):add(1, centres:select(1, y:get(i) + 1)) end
  return { x = x, y = y }
end

local function end_to_end()
  local sw = require "swale"
  local data = sw.data.from_tensors { classes = 10, train = clusters(EXAMPLES, 1),
    test = clusters(10000, 2) }
  local trainer = sw.Trainer { model = sw.zoo.mlp_small(), data = data, lr = 0.01, momentum = 0.9,
    batch_size = BATCH, seed = 0 }
  local walls, wall = {}, 0
  for epoch = 1, EPOCHS do
    walls[epoch] = measure.once(function() trainer:fit { epochs = 1 } end)
    wall = wall + walls[epoch]
  end
  local steps = EPOCHS * EXAMPLES // BATCH
  return { kind = "e2e", wall_s = wall, epoch_s = walls, steps = steps,
    us_per_step = wall / steps * 1e6, final_loss = trainer:state().loss,
    test_accuracy = trainer:evaluate("last", { on = "test" }).accuracy }
end

---@return swale.BenchRow[]
function M.rows()
  return {
    { name = "start_lua_nothing", run = nothing },
    { name = "start_first_step_mlp_small", run = first_step },
    { name = "memory_mlp_small_B32", run = training_memory },
    { name = "e2e_mlp_small_B32_5epochs", run = end_to_end },
  }
end

return M
