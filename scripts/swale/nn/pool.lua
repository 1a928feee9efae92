--- Pooling.
local errors = require "swale.errors"
local layer = require "swale.nn.layer"
local ops = require "swale.ops"
local options = require "swale.options"
local orders = require "swale.nn.order"
local windows = require "swale.nn.windows"

local M = {}

---@class swale.PoolOptions
---@field stride? swale.Pair       the kernel
---@field padding? swale.Pair      0, at most half the kernel
---@field dilation? swale.Pair     MaxPool2d alone: 1
---@field name? string

---@class swale.Pool: swale.Layer
---@field kernel integer[]
---@field window table             stride, padding, dilation

local function pool(kind, op)
  local class = layer.kind(kind)
  function class:takes() return "images" end
  function class:keeps_channels() return true end
  function class:output(shape)
    local height, width = windows.sizes(shape, self.kernel, self.window)
    return { height, width, shape[3] }
  end
  function class:declared()
    return ("kernel %s, stride %s"):format(windows.text(self.kernel),
      windows.text(self.window.stride))
  end
  function class:forward(x)
    windows.image(x)
    return op(x, self.kernel, self.window)
  end
  return class
end

local max_pool = pool("MaxPool2d", ops.max_pool2d)
local average_pool = pool("AvgPool2d", ops.avg_pool2d)

local function make(class, kernel, o, spec)
  local where = "nn." .. class.kind
  o = options.check(where, o, spec)
  kernel = windows.pair(where, "kernel", kernel, 1)
  local window = { stride = windows.pair(where, "stride", o.stride or kernel, 1),
    padding = windows.pair(where, "padding", o.padding, 0),
    dilation = windows.pair(where, "dilation", o.dilation or 1, 1) }
  for i = 1, 2 do
    if 2 * window.padding[i] > kernel[i] then
      errors.misuse("%s: padding %d is more than half the kernel, %d", where, window.padding[i],
        kernel[i])
    end
  end
  layer.check_name(where, o.name)
  return layer.new(class, { kernel = kernel, window = window, name = o.name })
end

local AVERAGE = { stride = "any?", padding = { "any", 0 }, name = "string?" }
local MAX = { stride = "any?", padding = { "any", 0 }, dilation = { "any", 1 }, name = "string?" }

local function sample(constructor)
  return function()
    return constructor({ 2, 3 }, { stride = 2, padding = 1 }), layer.example { 4, 5, 6, 2 }
  end
end

---The largest value of each window; of equal ones, the first gets the derivative.
---@param kernel swale.Pair
---@param o? swale.PoolOptions
---@return swale.Pool
function M.MaxPool2d(kernel, o) return make(max_pool, kernel, o, MAX) end

---The mean of each window; padding counts as zeros.
---@param kernel swale.Pair
---@param o? swale.PoolOptions
---@return swale.Pool
function M.AvgPool2d(kernel, o) return make(average_pool, kernel, o, AVERAGE) end

max_pool.sample, average_pool.sample = sample(M.MaxPool2d), sample(M.AvgPool2d)

local Global = layer.kind "GlobalAvgPool"

function Global:takes() return "images" end
function Global:output(shape) return { shape[3] } end
function Global:pytorch() return orders.PLAIN end
function Global.sample() return M.GlobalAvgPool(), layer.example { 4, 3, 5, 2 } end

function Global:forward(x)
  windows.image(x)
  return ops.global_avg_pool2d(x)
end

---The mean of each channel: (B, height, width, channels) -> (B, channels)
---@param o? { name?: string }
---@return swale.Layer
function M.GlobalAvgPool(o)
  o = options.check("nn.GlobalAvgPool", o, { name = "string?" })
  layer.check_name("nn.GlobalAvgPool", o.name)
  return layer.new(Global, o)
end

return M
