--- A landscape: losses on a plane of 21 x 21 points, train and test of 10,000 examples each.
local measure = require "swale.bench.measure"
local networks = require "swale.bench.network"
local sw = require "swale"

local M = {}

local EXAMPLES, GRID <const> = 10000, 21

local function run(name)
  local network = networks.named(name)
  local model = network.make(sw.zoo):build { seed = 1 }
  local splits = {}
  for i, split in ipairs { "train", "test" } do
    local x, y = networks.examples(network, EXAMPLES * i)
    splits[split] = { x = x:narrow(1, EXAMPLES * (i - 1) + 1, EXAMPLES),
      y = y:narrow(1, EXAMPLES * (i - 1) + 1, EXAMPLES) }
  end
  local data = sw.data.from_tensors { train = splits.train, test = splits.test, classes = 10,
    images = #network.features == 3 }
  local seconds = measure.once(function()
    sw.landscape.random_plane(model, { on = data, grid = GRID })
  end)
  local result = measure.summary { seconds * 1e3 }
  result.kind, result.points, result.examples = "landscape", GRID * GRID, 2 * EXAMPLES
  return result
end

---@return swale.BenchRow[]
function M.rows()
  return { { name = "plane21_lenet", heavy = true, run = function() return run "lenet" end } }
end

return M
