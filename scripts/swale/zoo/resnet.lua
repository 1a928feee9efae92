--- Residual networks for CIFAR (He et al. 2016a): three stages of 16, 32 and 64 channels, shortcuts
--- without weights ("option A").
local nn = require "swale.nn"
local parts = require "swale.zoo.parts"

local M = {}

--- Kaiming normal of the outputs, as in He et al. 2015; no bias where a norm follows.
local function conv_options(o, to, stride)
  return { stride = stride, padding = 1, bias = o.norm == nil,
    init = { "normal", std = (2 / (9 * to)) ^ 0.5 } }
end

local function block(o, from, to, stride)
  local inner = { norm = o.norm, scale = 1 }
  local body = parts.list(inner):conv(1, from, to, 3, conv_options(o, to, stride))
    :add("conv2", nn.Conv2d(to, to, 3, conv_options(o, to))):norm("norm2", to):done()
  if stride == 1 and from == to then return nn.Residual { body } end
  return nn.Residual { body, nn.ShortcutA(from, to, stride) }
end

local function resnet(name, o, blocks)
  o = parts.check("zoo." .. name, o)
  local last = parts.width(o, 16)
  local list = parts.list(o):conv(1, o.input[3], last, 3, conv_options(o, last))
  for stage, channels in ipairs { 16, 32, 64 } do
    local width = parts.width(o, channels)
    for i = 1, blocks do
      local residual = block(o, last, width, stage > 1 and i == 1 and 2 or 1)
      list:add(("stage%d_%d"):format(stage, i), residual):add(nil, nn.ReLU())
      last = width
    end
  end
  return list:add(nil, nn.GlobalAvgPool()):add("fc", nn.Linear(last, o.classes)):done()
end

---ResNet-20: 269,722 parameters (0.27M).
---@param o? swale.ZooOptions
---@return swale.Layer
function M.resnet20(o) return resnet("resnet20", o, 3) end

---ResNet-56: 853,018 parameters (0.85M).
---@param o? swale.ZooOptions
---@return swale.Layer
function M.resnet56(o) return resnet("resnet56", o, 9) end

return M
