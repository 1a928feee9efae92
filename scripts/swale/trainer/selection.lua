--- Chooses the weights and the examples of an evaluation.
local averages = require "swale.trainer.averages"
local core = require "swale.core"
local errors = require "swale.errors"
local faults = require "swale.trainer.faults"
local kinds = require("swale.average").KINDS
local sets = require "swale.data.set"
local statistics = require "swale.trainer.statistics"

local M = {}

--- For weights that have statistics of their own, unless others are requested.
local function own(evaluator, weights, buffers, how)
  if how and how ~= "running" then buffers = statistics.of(evaluator, weights, how) end
  return weights, buffers
end

local function best(evaluator, how)
  if not evaluator.data.valid then
    errors.misuse('Trainer:evaluate: "best" is chosen on data.valid, and there is none')
  elseif not evaluator.best and evaluator.valid_is_nan then
    errors.misuse("Trainer:evaluate: there is no \"best\": at each epoch's end the loss on"
      .. " data.valid was NaN. Values of data.valid that are not finite make it so, or weights"
      .. " that have diverged")
  elseif not evaluator.best then
    errors.misuse('Trainer:evaluate: there is no "best" yet: it is chosen at the ends of epochs')
  end
  return own(evaluator, evaluator.best.weights, evaluator.best.buffers, how)
end

local function averaged(evaluator, name, average, how)
  if average.count == 0 then
    errors.misuse('Trainer:evaluate: "%s": nothing was captured; averaging begins after %s', name,
      average.start)
  end
  local weights = average:weights()
  return weights, statistics.of_average(evaluator, average, weights, how)
end

--- A vector of weights given by the user.
local function given(evaluator, which, how)
  if which:numel() ~= evaluator.weights:numel() then
    errors.misuse("Trainer:evaluate: %d weights, the model has %d", which:numel(),
      evaluator.weights:numel())
  end
  local weights = which:to "float32"
  return weights, statistics.of(evaluator, weights, how)
end

--- Raises with the names that evaluate takes.
local function refuse(evaluator, which)
  local names = averages.names(evaluator.averages)
  table.insert(names, 1, "last")
  table.insert(names, 2, "best")
  for _, kind in pairs(kinds) do
    if which == kind.name then
      errors.misuse('Trainer:evaluate: "%s" needs Trainer { average = sw.average.%s { … } }', which,
        kind.title)
    end
  end
  errors.misuse('Trainer:evaluate: "%s" or a weight vector, not %s%s',
    table.concat(names, '", "'), errors.shown(which), errors.suggestion(which, names))
end

---Returns weights and their running statistics.
---@param evaluator swale.Evaluator
---@param s swale.State
---@param which "last"|"best"|string|swale.Tensor|nil
---@param how? swale.BatchNormMethod    for averages and vectors the trainer's; for others none
---@return swale.Tensor weights
---@return swale.Tensor|nil buffers
function M.weights(evaluator, s, which, how)
  if which == nil or which == "last" then
    faults.refuse_spoiled(s, 'Trainer:evaluate: "last"')
    return own(evaluator, evaluator.weights, evaluator.buffers, how)
  end
  if which == "best" then return best(evaluator, how) end
  if core.type(which) == "tensor" then return given(evaluator, which, how) end
  local average = averages.find(evaluator.averages, which)
  if average then return averaged(evaluator, which, average, how) end
  return refuse(evaluator, which)
end

---@param evaluator swale.Evaluator
---@param on "train"|"valid"|"test"|swale.Split|nil   nil: valid, or train where there is none
---@return swale.Split
---@return string name
function M.split(evaluator, on)
  if on == nil and not evaluator.data.valid then
    return evaluator.data.train, "train: there is no valid"
  end
  on = on or "valid"
  if type(on) == "table" and core.type(on.source) == "source" then return on, "a split" end
  for _, name in ipairs(sets.SPLITS) do
    if on == name then
      local split = evaluator.data[name]
      return split or errors.misuse("Trainer:evaluate: the data has no %s split", name), name
    end
  end
  errors.misuse('Trainer:evaluate: on = "train", "valid", "test" or a split, not %s%s',
    errors.shown(on), errors.suggestion(on, sets.SPLITS))
end

return M
