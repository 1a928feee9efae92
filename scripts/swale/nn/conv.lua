--- Convolutions over images.
local affine = require "swale.nn.affine"
local core = require "swale.core"
local errors = require "swale.errors"
local layer = require "swale.nn.layer"
local ops = require "swale.ops"
local orders = require "swale.nn.order"
local windows = require "swale.nn.windows"

local M = {}

---@class swale.Conv2dOptions
---@field stride? swale.Pair                  1
---@field padding? swale.Pair|"same"          0; "same": the images keep their size (stride 1)
---@field dilation? swale.Pair                1
---@field groups? integer                     1; as many as inputs: depthwise
---@field bias? boolean                       true
---@field padding_mode? "zeros"|"reflect"     "zeros"
---@field init? swale.Initializer             kaiming_uniform with a = sqrt(5), as PyTorch's
---@field bias_init? swale.Initializer        uniform in +-1 / sqrt(fan_in), as PyTorch's
---@field name? string

---@class swale.Conv2d: swale.Layer
---@field inputs integer
---@field outputs integer
---@field kernel integer[]
local Conv2d = layer.kind "Conv2d"

Conv2d.folds = affine.folds
Conv2d.folded = affine.folded

function Conv2d:parameters()
  local kh, kw, inputs = self.kernel[1], self.kernel[2], self.inputs // self.groups
  return affine.parameters(self, { self.outputs, kh, kw, inputs }, kh * kw * inputs,
    kh * kw * self.outputs)
end

function Conv2d:widened(n)
  if self.groups > 1 then return nil end
  local wide = {}
  for name, value in pairs(self) do wide[name] = value end
  wide.outputs = n * self.outputs
  return setmetatable(wide, getmetatable(self))
end

function Conv2d:takes() return "images" end
function Conv2d:couples() return nil end

function Conv2d:output(shape)
  local height, width = windows.sizes(shape, self.kernel, self, self.more)
  return { height, width, self.outputs }
end

--- Kernels are (out, height, width, in), PyTorch's (out, in, height, width).
function Conv2d:pytorch(_, order, walk)
  local o, kh, kw, inputs = self.outputs, self.kernel[1], self.kernel[2], self.inputs // self.groups
  walk:confirm(order)
  return orders.IMAGE, { weight = { split = { o, kh, kw, inputs }, perm = { 1, 4, 2, 3 },
    shape = { o, inputs, kh, kw } } }
end

function Conv2d.sample()
  return M.Conv2d(2, 4, { 2, 3 }, { stride = { 1, 2 }, padding = 1, groups = 2 }),
    layer.example { 4, 5, 6, 2 }
end

--- With "same" and an even kernel, the odd row or column of padding is at the end, as in PyTorch.
local function padded(self, x)
  if self.padding_mode == "reflect" then
    return ops.reflect_pad2d(x, self.padding), 0
  end
  for axis = 1, 2 do
    if self.more[axis] > 0 then x = ops.pad(x, axis + 1, 0, self.more[axis]) end
  end
  return x, self.padding
end

function Conv2d:forward(x, p)
  windows.image(x, self.inputs)
  local image, padding = padded(self, x)
  local y = ops.conv2d(image, p.weight, { stride = self.stride, padding = padding,
    dilation = self.dilation, groups = self.groups })
  return p.bias and y + p.bias or y
end

--- Taps of a kernel, one for each of its places in each channel: a depthwise convolution by these
--- gives the pixels below the kernel.
local function one_hot(channels, kh, kw)
  local taps = core.zeros { channels * kh * kw, kh, kw, 1 }
  for i = 0, channels * kh * kw - 1 do taps:set(i + 1, i // kw % kh + 1, i % kw + 1, 1, 1) end
  return taps
end

---The pixels below the kernel at each place.
---@param x swale.Value
---@return swale.Value rows         (B, height', width', inputs * kernel)
---@return integer groups
function Conv2d:rows(x)
  local kh, kw, taps = self.kernel[1], self.kernel[2], {}
  for name, value in pairs(self) do taps[name] = value end
  taps.groups, taps.outputs = self.inputs, self.inputs * kh * kw
  local kernel = one_hot(self.inputs, kh, kw)
  if core.type(x) == "tensor" then kernel = kernel:to(x:dtype()) end
  return setmetatable(taps, getmetatable(self)):forward(x, { weight = kernel }), self.groups
end

function Conv2d:declared()
  return ("%d -> %d, kernel %s"):format(self.inputs, self.outputs, windows.text(self.kernel))
end

local OPTIONS = affine.options { stride = { "any", 1 }, padding = { "any", 0 },
  dilation = { "any", 1 }, groups = { "count", 1 },
  padding_mode = { choice = { "zeros", "reflect" }, "zeros" } }

--- Padding on both sides, and the surplus at the end.
local function same(o)
  local padding, more = {}, {}
  for i = 1, 2 do
    local total = o.dilation[i] * (o.kernel[i] - 1)
    padding[i], more[i] = total // 2, total % 2
    if o.stride[i] ~= 1 then
      errors.misuse('nn.Conv2d: padding = "same" needs a stride of 1, not %d', o.stride[i])
    elseif more[i] > 0 and o.padding_mode == "reflect" then
      errors.misuse('nn.Conv2d: padding = "same" by reflection needs odd kernels, not %d',
        o.kernel[i])
    end
  end
  return padding, more
end

local function check_groups(o)
  for _, name in ipairs { "inputs", "outputs" } do
    if o[name] % o.groups ~= 0 then
      errors.misuse("nn.Conv2d: %d groups do not divide the %d %s", o.groups, o[name], name)
    end
  end
end

---Convolution: (B, height, width, inputs) -> (B, height', width', outputs), weight (outputs,
---kernel rows, kernel columns, inputs / groups), bias (outputs).
---    height' = (height + 2 padding - dilation (kernel - 1) - 1) // stride + 1
---@param inputs integer      channels
---@param outputs integer     channels
---@param kernel swale.Pair
---@param o? swale.Conv2dOptions
---@return swale.Conv2d
function M.Conv2d(inputs, outputs, kernel, o)
  layer.check_first("nn.Conv2d", inputs, "inputs, outputs, kernel, { stride = 2 }")
  o = affine.check("nn.Conv2d", inputs, outputs, o, OPTIONS)
  o.kernel = windows.pair("nn.Conv2d", "kernel", kernel, 1)
  o.stride = windows.pair("nn.Conv2d", "stride", o.stride, 1)
  o.dilation = windows.pair("nn.Conv2d", "dilation", o.dilation, 1)
  check_groups(o)
  if o.padding == "same" then
    o.padding, o.more = same(o)
  else
    o.padding, o.more = windows.pair("nn.Conv2d", "padding", o.padding, 0, "same"), { 0, 0 }
  end
  return layer.new(Conv2d, o)
end

return M
