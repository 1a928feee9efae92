--- Normalisation within an example: layer norm and group norm.
local errors = require "swale.errors"
local layer = require "swale.nn.layer"
local ops = require "swale.ops"
local options = require "swale.options"
local orders = require "swale.nn.order"

local M = {}

---@class swale.NormOptions
---@field eps? number         added to the variance, 1e-5
---@field affine? boolean     weight and bias, true
---@field name? string

local OPTIONS = { eps = { "positive", 1e-5 }, affine = { "boolean", true }, name = "string?" }

local function parameters(self)
  if not self.affine then return {} end
  return { { name = "weight", shape = { self.channels }, init = "ones" },
    { name = "bias", shape = { self.channels }, init = "zeros" } }
end

local function check_channels(self, x, least)
  local shape = x:shape()
  if #shape < least or shape[#shape] ~= self.channels then
    errors.misuse("normalises %d channels, the last axis, but the input is %s", self.channels,
      errors.shape_text(shape))
  end
end

---@class swale.LayerNorm: swale.Layer
local LayerNorm = layer.kind "LayerNorm"

LayerNorm.parameters = parameters
LayerNorm.pytorch = orders.per_value

function LayerNorm:output(shape) return shape end
function LayerNorm:couples() return nil end
function LayerNorm:normalises() return true end
function LayerNorm.sample() return M.LayerNorm(6), layer.example { 4, 6 } end

function LayerNorm:declared() return ("%d channels"):format(self.channels) end

function LayerNorm:forward(x, p)
  check_channels(self, x, 1)
  return ops.layer_norm(x, p.weight, p.bias, self.eps)
end

---y = weight (x - mean) / sqrt(variance + eps) + bias, mean and variance over the last axis.
---@param channels integer
---@param o? swale.NormOptions
---@return swale.LayerNorm
function M.LayerNorm(channels, o)
  layer.check_first("nn.LayerNorm", channels, "channels, { eps = 1e-5 }")
  o = options.check("nn.LayerNorm", o, OPTIONS)
  o.channels = options.value("nn.LayerNorm", "channels", channels, "count")
  layer.check_name("nn.LayerNorm", o.name)
  return layer.new(LayerNorm, o)
end

---@class swale.GroupNorm: swale.Layer
local GroupNorm = layer.kind "GroupNorm"

GroupNorm.parameters = parameters

function GroupNorm:output(shape) return shape end
function GroupNorm:couples() return nil end
function GroupNorm:normalises() return true end

function GroupNorm:pytorch(shape, order, walk)
  if order.flattened and self.groups > 1 then
    orders.refuse(self, "has other groups in a flattened image of PyTorch's")
  end
  return orders.per_value(self, shape, order, walk)
end

function GroupNorm.sample() return M.GroupNorm(2, 6), layer.example { 4, 3, 6 } end

function GroupNorm:declared()
  return ("%d groups of %d channels"):format(self.groups, self.channels)
end

function GroupNorm:forward(x, p)
  check_channels(self, x, 2)
  return ops.group_norm(x, self.groups, p.weight, p.bias, self.eps)
end

---As LayerNorm, but mean and variance are over groups of adjacent channels and all positions of an
---example: (B, …, channels). One group: the whole example.
---@param groups integer
---@param channels integer
---@param o? swale.NormOptions
---@return swale.GroupNorm
function M.GroupNorm(groups, channels, o)
  layer.check_first("nn.GroupNorm", groups, "groups, channels, { eps = 1e-5 }")
  o = options.check("nn.GroupNorm", o, OPTIONS)
  o.groups = options.value("nn.GroupNorm", "groups", groups, "count")
  o.channels = options.value("nn.GroupNorm", "channels", channels, "count")
  if o.channels % o.groups ~= 0 then
    errors.misuse("nn.GroupNorm: %d groups do not divide the %d channels", o.groups, o.channels)
  end
  layer.check_name("nn.GroupNorm", o.name)
  return layer.new(GroupNorm, o)
end

return M
