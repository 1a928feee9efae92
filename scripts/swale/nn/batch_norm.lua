--- Batch normalisation: each channel by its mean and variance over the batch, in evaluation by
--- their running statistics. Ghost batches (Hoffer et al. 2017) are normalised separately.
local core = require "swale.core"
local errors = require "swale.errors"
local layer = require "swale.nn.layer"
local ops = require "swale.ops"
local options = require "swale.options"
local orders = require "swale.nn.order"

local M = {}

---@class swale.BatchNormOptions
---@field eps? number              added to the variance, 1e-5
---@field momentum? number|false   weight of a new value in the running statistics, 0.1; false: they
---are the mean of all values
---@field affine? boolean          weight and bias, true
---@field track? boolean           running statistics, true; without them evaluation is as training
---@field ghost? integer           examples that are normalised together; the whole batch
---@field name? string

---@class swale.BatchNorm: swale.Layer
---@field channels integer
---@field eps number
---@field momentum number|false
---@field affine boolean
---@field track boolean
---@field ghost integer            0: the whole batch
local BatchNorm = layer.kind "BatchNorm"

function BatchNorm:parameters()
  if not self.affine then return {} end
  return { { name = "weight", shape = { self.channels }, init = "ones" },
    { name = "bias", shape = { self.channels }, init = "zeros" } }
end

function BatchNorm:buffers()
  if not self.track then return {} end
  return { { name = "running_mean", shape = { self.channels }, init = "zeros" },
    { name = "running_var", shape = { self.channels }, init = "ones" },
    { name = "num_batches_tracked", shape = {}, init = "zeros" } }
end

BatchNorm.pytorch = orders.per_value

function BatchNorm:has_modes() return self.track end
function BatchNorm:output(shape) return shape end
function BatchNorm:normalises() return true end
function BatchNorm:couples() return self.ghost > 0 and self.ghost or "batch" end
function BatchNorm:maps_channels() return self.track and self.channels or nil end
function BatchNorm.sample() return M.BatchNorm(6), layer.example { 4, 6 } end

function BatchNorm:declared()
  return ("%d channels%s"):format(self.channels,
    self.ghost > 0 and (", ghosts of %d"):format(self.ghost) or "")
end

local function check_channels(self, x)
  local shape = x:shape()
  if #shape < 2 or shape[#shape] ~= self.channels then
    errors.misuse("normalises %d channels, the last axis, but the input is %s", self.channels,
      errors.shape_text(shape))
  end
end

--- Normalises x by its own statistics. Returns y and the moments (2, channels) of x: mean and
--- biased variance.
local function normalised(self, x, p, ghost)
  local dtype = core.type(x) == "tensor" and x:dtype() or nil
  local weight = p.weight or core.zeros({ self.channels }, dtype):fill(1)
  local bias = p.bias or core.zeros({ self.channels }, dtype)
  return ops.batch_norm(x, weight, bias, { eps = self.eps, ghost = ghost })
end

--- The number of values of a channel in one example.
local function positions_of(shape)
  local positions = 1
  for axis = 2, #shape - 1 do positions = positions * shape[axis] end
  return positions
end

---The moments are those of all examples, whatever the ghosts.
---@param x swale.Value
---@param p table
---@return swale.LayerStatistics|nil    nil: it keeps no running statistics
function BatchNorm:statistics(x, p)
  if not self.track then return nil end
  local _, moments = normalised(self, x, p, 0)
  return { moments = moments, positions = positions_of(x:shape()), mean = p.running_mean,
    var = p.running_var, count = p.num_batches_tracked }
end

--- The number of values in a channel's variance: of a ghost, or of the batch if that is smaller. In
--- a graph, the batch size is known only when it runs.
local function values(self, x, tracked, context)
  local shape = x:shape()
  local first, positions = shape[1], positions_of(shape)
  if type(first) == "number" then
    return positions * math.min(first, self.ghost > 0 and self.ghost or first)
  end
  context.one = context.one or ops.eq(tracked, tracked) -- one node for all norms
  local n = core.apply("scale", { value = tonumber(first:match "^%d+") or 1, batch_power = 1 },
    context.one)
  if self.ghost > 0 then n = ops.minimum(n, self.ghost) end
  return n * positions
end

--- As PyTorch:  running = (1 - momentum) running + momentum new,  with the unbiased variance.
local function note(self, x, p, moments, context)
  local function row(i) return ops.reshape(ops.slice(moments, 1, i, 1), { self.channels }) end
  local n, tracked = values(self, x, p.num_batches_tracked, context), p.num_batches_tracked + 1
  local rate = self.momentum or 1 / tracked
  context:set(p.running_mean, p.running_mean * (1 - rate) + row(1) * rate)
  context:set(p.running_var, p.running_var * (1 - rate) + row(2) * (n / (n - 1) * rate))
  context:set(p.num_batches_tracked, tracked)
end

local function train(self, x, p, context)
  local y, moments = normalised(self, x, p, self.ghost)
  if self.track then note(self, x, p, moments, context) end
  return y
end

---The mean is subtracted before the scaling, so that a constant channel gives exactly its bias.
---@param p table
---@param before? swale.Value     a bias to be added to x; none
---@return swale.Value scale, swale.Value shift     (channels)
function BatchNorm:affine_map(p, before)
  local scale = self:scale(p)
  local shift = (before and before - p.running_mean or -p.running_mean) * scale
  return scale, p.bias and shift + p.bias or shift
end

---@param p table
---@return swale.Value scale      (channels)
function BatchNorm:scale(p)
  local scale = 1 / ops.sqrt(p.running_var + self.eps)
  return p.weight and p.weight * scale or scale
end

function BatchNorm:forward(x, p, context)
  check_channels(self, x)
  if context.mode == "eval" and self.track then
    local y = (x - p.running_mean) * self:scale(p)
    return p.bias and y + p.bias or y
  end
  return train(self, x, p, context)
end

local OPTIONS = { eps = { "positive", 1e-5 }, momentum = { "number|boolean", 0.1 },
  affine = { "boolean", true }, track = { "boolean", true }, ghost = "count?", name = "string?" }

---y = weight (x - mean) / sqrt(variance + eps) + bias, for each channel, the last axis: (B, …,
---channels). In training, mean and variance are those of the batch, or of a ghost; the variance is
---biased, the running one unbiased, as in PyTorch. Ghosts are contiguous; a last ghost of a single
---example is merged with the one before.
---@param channels integer
---@param o? swale.BatchNormOptions
---@return swale.BatchNorm
function M.BatchNorm(channels, o)
  layer.check_first("nn.BatchNorm", channels, "channels, { momentum = 0.1 }")
  o = options.check("nn.BatchNorm", o, OPTIONS)
  o.channels = options.value("nn.BatchNorm", "channels", channels, "count")
  o.ghost = o.ghost or 0
  if o.momentum == true or o.momentum and (o.momentum < 0 or o.momentum > 1) then
    errors.misuse("nn.BatchNorm: momentum is a number from 0 to 1, or false, not %s",
      errors.shown(o.momentum))
  elseif o.ghost == 1 then
    errors.misuse("nn.BatchNorm: a ghost has at least 2 examples")
  end
  layer.check_name("nn.BatchNorm", o.name)
  return layer.new(BatchNorm, o)
end

--- It was put among layers, where it is called as a function of x.
local function refuse_ghost(ghost, shape)
  local channels = shape[#shape]
  errors.misuse("nn.GhostBatchNorm(%d) makes norms and is not one: among layers, write"
    .. " nn.GhostBatchNorm(%d)(%s) or nn.BatchNorm(%s, { ghost = %d })", ghost, ghost, channels,
    channels, ghost)
end

---Batch norms over ghosts of `size` examples: returns a function that makes one for a number of
---channels, as nn.BatchNorm does, for networks that take a norm: `norm = nn.GhostBatchNorm(32)`.
---@param size integer
---@param o? swale.BatchNormOptions
---@return fun(channels: integer, o?: swale.BatchNormOptions): swale.BatchNorm
function M.GhostBatchNorm(size, o)
  local ghost = options.value("nn.GhostBatchNorm", "size", size, "count")
  local shared = options.check("nn.GhostBatchNorm", o, OPTIONS)
  return function(channels, own)
    if core.type(channels) == "node" or core.type(channels) == "tensor" then
      refuse_ghost(ghost, channels:shape())
    end
    local all = { ghost = ghost }
    for _, part in ipairs { shared, own or {} } do
      for key, value in pairs(part) do all[key] = value end
    end
    return M.BatchNorm(channels, all)
  end
end

return M
