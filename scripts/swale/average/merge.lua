--- Checkpoints averaged offline by any weights, and the learning-rate decay that such weights stand
--- for.
local core = require "swale.core"
local errors = require "swale.errors"
local options = require "swale.options"

local M = {}

local function check_weights(where, name, list)
  options.value(where, name, list, "list")
  for i, x in ipairs(list) do options.value(where, ("%s[%d]"):format(name, i), x, "number") end
  if #list == 0 then errors.misuse("%s: %s is empty", where, name) end
end

--- Point i: one of a list, or what a function gives.
local function point(points, i, first)
  local where = ("points[%d]"):format(i)
  local w
  if type(points) == "function" then w = points(i) else w = points[i] end
  options.value("average.merge", where, w, "tensor")
  if first and w:numel() ~= first:numel() then
    errors.misuse("average.merge: %s has %d weights, points[1] %d", where, w:numel(),
      first:numel())
  end
  return w
end

---The sum of weights[i] times point i, added in float64:
---    local a, b, c = sw.tensor { 0, 4 }, sw.tensor { 1, 2 }, sw.tensor { 2, 1 }
---    print(sw.average.merge({ a, b, c }, sw.average.merging_weights { 1, 0.5 }))
---Points are the flat weights of checkpoints; a function of i is asked for one at a time. Batch
---norms need statistics of their own at the result: model:reestimate. Weights whose sum is not 1
---are taken as they are.
---@param points swale.Tensor[]|fun(i: integer): swale.Tensor
---@param weights number[]
---@return swale.Tensor    of the dtype of the first point
function M.merge(points, weights)
  check_weights("average.merge", "weights", weights)
  if type(points) ~= "function" then
    options.value("average.merge", "points", points, "list")
    if #points ~= #weights then
      errors.misuse("average.merge: %d points and %d weights", #points, #weights)
    end
  end
  local sum, first
  for i, factor in ipairs(weights) do
    local w = point(points, i, first)
    first = first or w
    sum = sum or core.zeros(w:shape(), "float64")
    sum:add(factor, w:to "float64")
  end
  return sum:to(first:dtype())
end

---The weights with which checkpoints of a constant rate make the weights that a decaying rate would
---have reached (WSM, Tian et al. 2025). decay[j] is the rate between checkpoints j - 1 and j, as a
---part of the constant one, for checkpoints 0 to n:
---    c_0 = 1 - decay[1],   c_j = decay[j] - decay[j + 1],   c_n = decay[n]
---so that decay[j] is the sum of c_i over i >= j. Exact if the gradients are the same in both
---trainings, which they are not: the decayed one would have met others. Uniform weights stand for a
---linear decay. Where a decay rises a weight is negative. The sum is 1.
---@param decay number[]
---@return number[]        n + 1 numbers: for the checkpoint at the start first
function M.merging_weights(decay)
  check_weights("average.merging_weights", "decay", decay)
  local weights = { 1 - decay[1] }
  for j, d in ipairs(decay) do weights[j + 1] = d - (decay[j + 1] or 0) end
  return weights
end

---The decay that merging weights stand for, as parts of the constant rate: decay[j] is the sum of
---c_i over i >= j, for weights c_0 to c_n.
---@param weights number[]
---@return number[]        n numbers
function M.equivalent_decay(weights)
  check_weights("average.equivalent_decay", "weights", weights)
  local decay, sum = {}, 0
  for j = #weights, 2, -1 do
    sum = sum + weights[j]
    decay[j - 1] = sum
  end
  return decay
end

return M
