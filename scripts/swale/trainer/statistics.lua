--- Chooses the running statistics for weights. Those that the training keeps belong to the last
--- weights; for an average, or any other vector, they are re-estimated on the training set.
local copies = require "swale.copies"

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

--- The averages that have captured something, and whose statistics are not known.
local function unknown(evaluator)
  local list = {}
  if not evaluator.buffers or evaluator.batch_norm == "running" then return list end
  for _, entry in ipairs(evaluator.averages) do
    local average = entry.average
    if average.count > 0 and not M.known(evaluator, average) then list[#list + 1] = average end
  end
  return list
end

---Whether the statistics of all averages are known.
---@param evaluator swale.Evaluator
---@return boolean
function M.are_complete(evaluator) return #unknown(evaluator) == 0 end

---Computes the unknown statistics of averages that have captured something.
---@param evaluator swale.Evaluator
function M.complete(evaluator)
  for _, average in ipairs(unknown(evaluator)) do M.of_average(evaluator, average) end
end

-- ------------------------------------------------------------------ state

---Returns copies of what is known of averages, by their names and the method.
---@param evaluator swale.Evaluator
---@return table<string, table<swale.BatchNormMethod, swale.Tensor>>
function M.state(evaluator)
  local found = {}
  for _, entry in ipairs(evaluator.averages) do
    local known = cached(evaluator, entry.average)
    if next(known) then found[entry.name] = copies.deep(known) end
  end
  return found
end

---Restores what state returned, once the averages are restored.
---@param evaluator swale.Evaluator
---@param saved table
function M.restore(evaluator, saved)
  for _, entry in ipairs(evaluator.averages) do
    local known = cached(evaluator, entry.average)
    for how, vector in pairs(saved[entry.name] or {}) do known[how] = copies.tensor(vector) end
  end
end

return M
