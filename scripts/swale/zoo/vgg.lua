--- Deep plain convolutional networks: 3 x 3 convolutions between poolings.
local nn = require "swale.nn"
local parts = require "swale.zoo.parts"

local M = {}

--- Numbers of convolutions and their width, between poolings.
local STAGES = { { 2, 64 }, { 2, 128 }, { 3, 256 }, { 3, 512 }, { 3, 512 } }

--- Normal with deviation sqrt(2 / (9 outputs)), as in Izmailov's code.
local function conv_options(width)
  return { init = { "normal", std = (2 / (9 * width)) ^ 0.5 }, bias_init = "zeros" }
end

--- The convolutions, with dropout at the rate of the stage after each but the last of a stage.
local function convolutions(o, rates)
  local list, last, n = parts.list(o), o.input[3], 0
  for s, stage in ipairs(STAGES) do
    local channels = parts.width(o, stage[2])
    for i = 1, stage[1] do
      n = n + 1
      list:conv(n, last, channels, 3, conv_options(channels))
      if i < stage[1] then list:dropout(rates[s]) end
      last = channels
    end
    list:add(nil, nn.MaxPool2d(2))
  end
  return list:add(nil, nn.Flatten())
end

---@class swale.VggOptions: swale.ZooOptions
---@field hidden? integer[]   layers before the last one ({ 512, 512 }); {} is the plain CIFAR form
---@field dropout? number     before each of them (0.5)

---VGG-16 (Simonyan and Zisserman 2015) in the form for CIFAR of Izmailov et al. 2018: 15,245,130
---parameters, norm = "none" being theirs; with "batch" 15,253,578. With hidden = {} and batch norm
---14,728,266: vgg16_cifar of the benchmarks.
---@param o? swale.VggOptions   norm "none"
---@return swale.Layer
function M.vgg16(o)
  o = parts.check("zoo.vgg16", o, { norm = { "string|function", "none" },
    hidden = { "table", { 512, 512 } }, dropout = { "nonnegative", 0.5 } })
  local list = convolutions(o, { 0, 0, 0, 0, 0 })
  local last = list:values()
  for i, width in ipairs(o.hidden) do
    width = parts.width(o, width)
    list:dropout(o.dropout):add("fc" .. i, nn.Linear(last, width)):add(nil, nn.ReLU())
    last = width
  end
  return list:add("fc" .. #o.hidden + 1, nn.Linear(last, o.classes)):done()
end

local function deep(name, o, classes)
  o = parts.check("zoo." .. name, o, { classes = { "count", classes }, dropout = { "nonnegative",
    0.5 } })
  local most = o.dropout
  local list = convolutions(o, { 0.6 * most, 0.8 * most, 0.8 * most, 0.8 * most, 0.8 * most })
  local width = parts.width(o, 512)
  return list:dropout(most):dense(1, nil, width):dropout(most)
    :add("fc2", nn.Linear(width, o.classes)):done()
end

---C2 of Keskar et al. 2017, for CIFAR-10: deep, like VGG, with batch norm and dropout;
---14,991,946 parameters.
---@param o? swale.KeskarOptions
---@return swale.Layer
function M.C2(o) return deep("C2", o, 10) end

---C4 of Keskar et al. 2017: C2 for CIFAR-100; 15,038,116 parameters.
---@param o? swale.KeskarOptions
---@return swale.Layer
function M.C4(o) return deep("C4", o, 100) end

return M
