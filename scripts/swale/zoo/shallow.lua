--- Shallow convolutional networks.
local nn = require "swale.nn"
local parts = require "swale.zoo.parts"

local M = {}

---LeNet-5 (LeCun et al. 1998) as it is commonly built today: ReLU, max pooling, 28 x 28 images
---padded to 32 x 32; 61,706 parameters.
---@param o? swale.ZooOptions    input { 28, 28, 1 }, norm "none"
---@return swale.Layer
function M.lenet5(o)
  o = parts.check("zoo.lenet5", o, { input = { "table", { 28, 28, 1 } },
    norm = { "string|function", "none" } })
  local a, b, c, d = parts.width(o, 6), parts.width(o, 16), parts.width(o, 120), parts.width(o, 84)
  return parts.list(o)
    :conv(1, o.input[3], a, 5):add(nil, nn.MaxPool2d(2))
    :conv(2, a, b, 5, { padding = 0 }):add(nil, nn.MaxPool2d(2))
    :add(nil, nn.Flatten()):dense(1, nil, c):dense(2, c, d)
    :add("fc3", nn.Linear(d, o.classes)):done()
end

---Four 3 x 3 convolutions with batch norm, two poolings, a layer of 256, for CIFAR: 1,117,354
---parameters with its norms. cnn_small of the benchmarks.
---@param o? swale.ZooOptions
---@return swale.Layer
function M.cnn_small(o)
  o = parts.check("zoo.cnn_small", o)
  local a, b, c = parts.width(o, 32), parts.width(o, 64), parts.width(o, 256)
  local list = parts.list(o)
    :conv(1, o.input[3], a, 3):conv(2, a, a, 3):add(nil, nn.MaxPool2d(2))
    :conv(3, a, b, 3):conv(4, b, b, 3):add(nil, nn.MaxPool2d(2)):add(nil, nn.Flatten())
  return list:add("fc1", nn.Linear(list:values(), c))
    :add(nil, nn.ReLU()):add("fc2", nn.Linear(c, o.classes)):done()
end

--- conv 64 5x5, pool 3x3/2, twice; 384 and 192 with dropout.
local function shallow(name, o, classes)
  o = parts.check("zoo." .. name, o, { classes = { "count", classes }, dropout = { "nonnegative",
    0.5 } })
  local a, b, c = parts.width(o, 64), parts.width(o, 384), parts.width(o, 192)
  local function pool() return nn.MaxPool2d(3, { stride = 2, padding = 1 }) end
  return parts.list(o)
    :conv(1, o.input[3], a, 5):add(nil, pool()):conv(2, a, a, 5):add(nil, pool())
    :add(nil, nn.Flatten())
    :dense(1, nil, b):dropout(o.dropout):dense(2, b, c):dropout(o.dropout)
    :add("fc3", nn.Linear(c, o.classes)):done()
end

---@class swale.KeskarOptions: swale.ZooOptions
---@field dropout? number   of the linear layers, and of the convolutions in proportion (0.5)

---C1 of Keskar et al. 2017, for CIFAR-10: shallow, like AlexNet; 1,757,834 parameters.
---@param o? swale.KeskarOptions
---@return swale.Layer
function M.C1(o) return shallow("C1", o, 10) end

---C3 of Keskar et al. 2017: C1 for CIFAR-100; 1,775,204 parameters.
---@param o? swale.KeskarOptions
---@return swale.Layer
function M.C3(o) return shallow("C3", o, 100) end

return M
