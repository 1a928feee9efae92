--- What the scripts of this folder share: data, networks, and the schedules of Izmailov et al. 2018
--- as their code has them.
local sw = require "swale"

local M = {}

local INSTEAD = { "cifar10", "fashion-mnist", "digits" } -- each stands for the ones before it

local VALID = 2000 -- images of CIFAR-10

--- The data set of this name; if it is not on this machine, the next one of the list.
local function name_here(run, name)
  local wanted = false
  for _, other in ipairs(INSTEAD) do
    wanted = wanted or other == name
    if wanted and sw.data.is_here(other) then
      if other ~= name then run:print("%s is not on this machine: this is %s", name, other) end
      return other
    end
  end
  error(("data: %s is none of: %s"):format(name, table.concat(INSTEAD, ", ")), 0)
end

---Returns n training images; the validation images apart from them, since without `data.valid` a
---trainer does not evaluate at each epoch; and the splits to test on: the test images and, if they
---are few, training images that are used for nothing else.
---@param run swale.Run
---@param p { data: string, examples: integer }
---@param images boolean        rows are images
---@param augment? boolean      random crops and flips
---@return swale.Data data
---@return swale.Split valid
---@return swale.Split[] tests
function M.data(run, p, images, augment)
  local name = name_here(run, p.data)
  local data = sw.data.load(name, { images = images, valid = name == "cifar10" and 5000 or nil,
    augment = augment and { crop = 4, flip = true } or nil })
  data = data:subset { n = math.min(p.examples, #data.train) }
  local valid = data.valid
  data.valid = nil
  local tests, n = { data.test }, #valid
  if name == "cifar10" and #data.test < n then
    tests[2] = valid:select(sw.arange(VALID, n, "int32"))
    valid = valid:select(sw.arange(0, VALID, "int32"))
  end
  local tested = 0
  for _, split in ipairs(tests) do tested = tested + #split end
  run:print("data: %s, validated on %d, tested on %d", data, #valid, tested)
  return data, valid, tests
end

---"cnn": cnn_small with batch norm and a quarter of the channels. "mlp": two hidden layers of 128.
---@param name "cnn"|"mlp"
---@param data swale.Data
---@return swale.Layer
function M.network(name, data)
  if name == "cnn" then
    return sw.zoo.cnn_small { input = data.shape, classes = data.classes, scale = 0.25 }
  end
  return sw.zoo.mlp { features = data.features, classes = data.classes, scale = 0.16 }
end

---Constant for half of the epochs, then linear to `final` at nine tenths of them, then constant.
---@param lr number
---@param final number
---@param epochs number
---@return swale.Schedule
function M.decayed(lr, final, epochs)
  return sw.schedule.chain { { lr, epochs = epochs / 2 },
    { sw.schedule.linear { from = lr, to = final, epochs = 0.4 * epochs } }, final }
end

---`decayed` until its end, then cycles of an epoch from max to min.
---@param lr number
---@param max number
---@param min number
---@param epochs number
---@return swale.Schedule
function M.decayed_then_cyclic(lr, max, min, epochs)
  return sw.schedule.chain { { M.decayed(lr, min, epochs), epochs = epochs },
    sw.schedule.cyclic { max = max, min = min, period = { epochs = 1 } } }
end

return M
