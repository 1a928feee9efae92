--- Which running statistics go with which weights. Those that the training keeps belong to its last
--- weights; an average of weights, or any other vector, gets its own, re-estimated on what it was
--- trained on.
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
  return engine:reestimate(weights, how)
end

--- What is known of an average as it is: another mean, or another capture, and it is forgotten.
local function cached(engine, average)
  local cache = engine.statistics[average]
  local mean = rawget(average, "mean")
  if not cache or cache.count ~= average.count or cache.mean ~= mean then
    cache = { count = average.count, mean = mean, by_method = {} }
    engine.statistics[average] = cache
  end
  return cache.by_method
end

---Likewise for an average, kept until it captures again.
---@param engine swale.Engine
---@param average swale.Averaging
---@param weights? swale.Tensor     its own, where they are at hand
---@param how? swale.BatchNormMethod
---@return swale.Tensor|nil
function M.of_average(engine, average, weights, how)
  how = how or engine.batch_norm
  if not engine.buffers or how == "running" then return engine.buffers end
  local cache = cached(engine, average)
  cache[how] = cache[how] or M.of(engine, weights or average:weights(), how)
  return cache[how]
end

---What is there already for an average, without computing anything.
---@param engine swale.Engine
---@param average swale.Averaging
---@return swale.Tensor|nil
function M.known(engine, average)
  return cached(engine, average)[engine.batch_norm]
end

---Makes what is not known yet of averages that have captured something.
---@param engine swale.Engine
---@param list swale.NamedAverage[]
---@return boolean   whether there was any
function M.complete(engine, list)
  local any = false
  for _, entry in ipairs(engine.buffers and engine.batch_norm ~= "running" and list or {}) do
    if entry.average.count > 0 and not M.known(engine, entry.average) then
      M.of_average(engine, entry.average)
      any = true
    end
  end
  return any
end

return M
