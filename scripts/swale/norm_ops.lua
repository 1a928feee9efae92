--- Normalisation by the statistics of a batch, of an example or of a group of channels. Channels
--- are the last axis. The functions are part of swale.ops, and methods as well.
local core = require "swale.core"
local errors = require "swale.errors"
local options = require "swale.options"

local M = {}

local apply = core.apply
local EPS = 1e-5

---@class swale.BatchNormOp
---@field eps? number           added to the variance; 1e-5
---@field ghost? integer        examples that are normalised together, in their order; nil: all.
---Fewer are one ghost; a remainder of one joins the last ghost, a longer one is a ghost of its own

local BATCH_NORM = { eps = { "nonnegative", EPS }, ghost = { "integer", 0 } }

---gamma (x - mean) / sqrt(variance + eps) + beta over all axes but the last. The second result is
---(2, channels): the means, and the variances with 1 / n.
---@param x swale.Value         (B, …, channels)
---@param gamma swale.Value     (channels)
---@param beta swale.Value      (channels)
---@param o? swale.BatchNormOp
---@return swale.Value, swale.Value
function M.batch_norm(x, gamma, beta, o)
  o = options.check("batch_norm", o, BATCH_NORM)
  local y, _, moments = apply("batch_norm", { value = o.eps, n = o.ghost }, x, gamma,
    beta)
  return y, moments
end

-- gamma y + beta, both of which may be nil
local function affine(y, gamma, beta)
  if gamma then y = y * gamma end
  return beta and y + beta or y
end

---Each row of the last axis by its own mean and variance.
---@param x swale.Value         (…, channels)
---@param gamma? swale.Value    (channels)
---@param beta? swale.Value     (channels)
---@param eps? number           1e-5
---@return swale.Value
function M.layer_norm(x, gamma, beta, eps)
  return affine(apply("normalise", { axes = { -1 }, value = eps or EPS }, x), gamma, beta)
end

---Each example's groups of neighbouring channels by their own mean and variance.
---@param x swale.Value         (B, …, channels)
---@param groups integer
---@param gamma? swale.Value    (channels)
---@param beta? swale.Value     (channels)
---@param eps? number           1e-5
---@return swale.Value
function M.group_norm(x, groups, gamma, beta, eps)
  local shape = x:shape()
  local channels, positions = shape[#shape], 1
  for axis = 2, #shape - 1 do positions = positions * shape[axis] end
  if #shape < 2 or channels % groups ~= 0 then
    errors.misuse("group_norm: %s channels cannot be divided into %d equal groups",
      tostring(channels), groups)
  end
  local parts = apply("reshape", { shape = { shape[1], positions, groups, channels // groups } }, x)
  local y = apply("normalise", { axes = { 2, 4 }, value = eps or EPS }, parts)
  return affine(apply("reshape", { shape = shape }, y), gamma, beta)
end

return M
