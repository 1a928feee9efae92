--- Chooses the running statistics for weights. Those that the training keeps belong to the last
--- weights; for an average, or any other vector, they are re-estimated on the training set.
local M = {}

M.METHODS = { "pooled", "layerwise", "running" }

---@alias swale.BatchNormMethod "pooled"|"layerwise"|"running"

---Returns statistics for weights.
---@param evaluator swale.Evaluator
---@param weights swale.Tensor
---@param how? swale.BatchNormMethod    the trainer's; "running": those of the last weights
---@return swale.Tensor|nil
function M.of(evaluator, weights, how)
  how = how or evaluator.batch_norm
  if not evaluator.buffers or how == "running" then return evaluator.buffers end
  return evaluator:reestimate(weights, how)
end

--- The statistics known for an average in its present state.
local function cached(evaluator, average)
  local cache = evaluator.statistics[average]
  local mean = rawget(average, "mean")
  if not cache or cache.count ~= average.count or cache.mean ~= mean then
    cache = { count = average.count, mean = mean, by_method = {} }
    evaluator.statistics[average] = cache
  end
  return cache.by_method
end

---Returns the statistics of an average; they are kept until its next capture.
---@param evaluator swale.Evaluator
---@param average swale.Averaging
---@param weights? swale.Tensor     its own, where they are at hand
---@param how? swale.BatchNormMethod
---@return swale.Tensor|nil
function M.of_average(evaluator, average, weights, how)
  how = how or evaluator.batch_norm
  if not evaluator.buffers or how == "running" then return evaluator.buffers end
  local cache = cached(evaluator, average)
  cache[how] = cache[how] or M.of(evaluator, weights or average:weights(), how)
  return cache[how]
end

---Returns the statistics of an average if they are known; computes nothing.
---@param evaluator swale.Evaluator
---@param average swale.Averaging
---@return swale.Tensor|nil
function M.known(evaluator, average)
  return cached(evaluator, average)[evaluator.batch_norm]
end

---Computes the unknown statistics of averages that have captured something.
---@param evaluator swale.Evaluator
---@param list swale.NamedAverage[]
---@return boolean   whether any were computed
function M.complete(evaluator, list)
  local any = false
  for _, entry in ipairs(evaluator.buffers and evaluator.batch_norm ~= "running" and list or {}) do
    if entry.average.count > 0 and not M.known(evaluator, entry.average) then
      M.of_average(evaluator, entry.average)
      any = true
    end
  end
  return any
end

return M
