--- Which running statistics go with which weights. Those that the training keeps belong to its last
--- weights; an average of weights, or any other vector, gets its own, re-estimated on what it was
--- trained on.
local M = {}

M.METHODS = { "pooled", "layerwise", "running" }

---@alias swale.BatchNormMethod "pooled"|"layerwise"|"running"

---Statistics for these weights.
---@param evaluator swale.Evaluator
---@param weights swale.Tensor
---@param how? swale.BatchNormMethod    the trainer's; "running": those of the last weights
---@return swale.Tensor|nil
function M.of(evaluator, weights, how)
  how = how or evaluator.batch_norm
  if not evaluator.buffers or how == "running" then return evaluator.buffers end
  return evaluator:reestimate(weights, how)
end

--- What is known of an average as it is: another mean, or another capture, and it is forgotten.
local function cached(evaluator, average)
  local cache = evaluator.statistics[average]
  local mean = rawget(average, "mean")
  if not cache or cache.count ~= average.count or cache.mean ~= mean then
    cache = { count = average.count, mean = mean, by_method = {} }
    evaluator.statistics[average] = cache
  end
  return cache.by_method
end

---Likewise for an average, kept until it captures again.
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

---What is there already for an average, without computing anything.
---@param evaluator swale.Evaluator
---@param average swale.Averaging
---@return swale.Tensor|nil
function M.known(evaluator, average)
  return cached(evaluator, average)[evaluator.batch_norm]
end

---Makes what is not known yet of averages that have captured something.
---@param evaluator swale.Evaluator
---@param list swale.NamedAverage[]
---@return boolean   whether there was any
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
