--- Which running statistics go with which weights. Those that the training keeps belong to its last
--- weights; an average of weights, or any other vector, gets its own, re-estimated on what it was
--- trained on.
local reestimate = require "swale.reestimate"

local M = {}

M.METHODS = { "pooled", "layerwise", "running" }

---@alias swale.BatchNormMethod "pooled"|"layerwise"|"running"

---Statistics for these weights.
---@param engine swale.Engine
---@param weights swale.Tensor
---@param how? swale.BatchNormMethod    the trainer's; "running": those of the last weights
---@return swale.Tensor|nil
function M.of(engine, weights, how)
  how = how or engine.batch_norm
  if not engine.buffers or how == "running" then return engine.buffers end
  return reestimate.buffers { layer = engine.model.layer, weights = weights,
    buffers = engine.buffers, source = engine.data.train.source,
    example = engine.example, index = engine.fixed.subset, method = how,
    batch_size = engine.eval_batch }
end

---Likewise for an average, kept until it captures again.
---@param engine swale.Engine
---@param average swale.Averaging
---@param weights swale.Tensor      its own
---@param how? swale.BatchNormMethod
---@return swale.Tensor|nil
function M.of_average(engine, average, weights, how)
  how = how or engine.batch_norm
  if not engine.buffers or how == "running" then return engine.buffers end
  local cache = engine.statistics[average] or {}
  if cache.count ~= average.count then cache = { count = average.count } end
  cache[how] = cache[how] or M.of(engine, weights, how)
  engine.statistics[average] = cache
  return cache[how]
end

---What is there already for an average, without computing anything.
---@param engine swale.Engine
---@param average swale.Averaging
---@return swale.Tensor|nil
function M.known(engine, average)
  local cache = engine.statistics[average]
  if not cache or cache.count ~= average.count then return nil end
  return cache[engine.batch_norm]
end

return M
