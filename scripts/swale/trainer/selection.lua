--- What an evaluation is of: which weights, which examples.
local averages = require "swale.trainer.averages"
local core = require "swale.core"
local errors = require "swale.errors"
local faults = require "swale.trainer.faults"
local statistics = require "swale.trainer.statistics"

local M = {}

--- Weights that have statistics of their own keep them, unless others are asked for.
local function own(engine, weights, buffers, how)
  if how and how ~= "running" then buffers = statistics.of(engine, weights, how) end
  return weights, buffers
end

local function best(engine, how)
  if not engine.data.valid then
    errors.misuse('Trainer:evaluate: "best" is chosen on data.valid, and there is none')
  elseif not engine.best and engine.valid_is_nan then
    errors.misuse("Trainer:evaluate: there is no \"best\": at each epoch's end the loss on"
      .. " data.valid was NaN. Values of data.valid that are not finite make it so, or weights"
      .. " that have diverged")
  elseif not engine.best then
    errors.misuse('Trainer:evaluate: there is no "best" yet: it is looked for at an epoch\'s end')
  end
  return own(engine, engine.best.weights, engine.best.buffers, how)
end

local function averaged(engine, name, average, how)
  if average.count == 0 then
    errors.misuse('Trainer:evaluate: "%s": nothing was captured; averaging begins after %s', name,
      average.start)
  end
  local weights = average:weights()
  return weights, statistics.of_average(engine, average, weights, how)
end

--- Any other vector of weights.
local function given(engine, which, how)
  if which:numel() ~= engine.weights:numel() then
    errors.misuse("Trainer:evaluate: %d weights, the model has %d", which:numel(),
      engine.weights:numel())
  end
  local weights = which:to "float32"
  return weights, statistics.of(engine, weights, how)
end

--- What evaluate takes by name, and what might be meant.
local function refuse(engine, which)
  local names = averages.names(engine.averages)
  table.insert(names, 1, "last")
  table.insert(names, 2, "best")
  if which == "swa" or which == "ema" or which == "last_k" then
    errors.misuse('Trainer:evaluate: "%s" needs Trainer { average = sw.average.%s { … } }', which,
      ({ swa = "SWA", ema = "EMA", last_k = "LastK" })[which])
  end
  errors.misuse('Trainer:evaluate: "%s" or a weight vector, not %s%s',
    table.concat(names, '", "'), errors.shown(which), errors.suggestion(which, names))
end

---Weights, and the running statistics that go with them.
---@param engine swale.Engine
---@param which "last"|"best"|string|swale.Tensor|nil
---@param how? swale.BatchNormMethod    of averages and vectors the trainer's; of others none
---@return swale.Tensor weights
---@return swale.Tensor|nil buffers
function M.weights(engine, which, how)
  if which == nil or which == "last" then
    faults.refuse_spoiled(engine, 'Trainer:evaluate: "last"')
    return own(engine, engine.weights, engine.buffers, how)
  end
  if which == "best" then return best(engine, how) end
  if core.type(which) == "tensor" then return given(engine, which, how) end
  local average = averages.find(engine.averages, which)
  if average then return averaged(engine, which, average, how) end
  return refuse(engine, which)
end

local SPLITS = { "train", "valid", "test" }

---@param engine swale.Engine
---@param on "train"|"valid"|"test"|swale.Split|nil   nil: valid, or train where there is none
---@return swale.Split
---@return string name
function M.split(engine, on)
  if on == nil and not engine.data.valid then
    return engine.data.train, "train: there is no valid"
  end
  on = on or "valid"
  if type(on) == "table" and core.type(on.source) == "source" then return on, "a split" end
  for _, name in ipairs(SPLITS) do
    if on == name then
      local split = engine.data[name]
      return split or errors.misuse("Trainer:evaluate: the data has no %s split", name), name
    end
  end
  errors.misuse('Trainer:evaluate: on = "train", "valid", "test" or a split, not %s%s',
    errors.shown(on), errors.suggestion(on, SPLITS))
end

return M
