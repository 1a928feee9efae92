--- What an evaluation is of: which weights, which examples.
local core = require "swale.core"
local errors = require "swale.errors"

local M = {}

local function best_weights(engine)
  if not engine.data.valid then
    errors.misuse('Trainer:evaluate: "best" is chosen on data.valid, and there is none')
  elseif not engine.best then
    errors.misuse('Trainer:evaluate: there is no "best" yet: it is looked for at an epoch\'s end')
  end
  return engine.best.weights
end

local function average_weights(engine)
  if not engine.average then
    errors.misuse('Trainer:evaluate: "swa" needs Trainer { average = sw.average.SWA { … } }')
  elseif engine.average.count == 0 then
    errors.misuse('Trainer:evaluate: "swa": nothing was captured; averaging begins after %s',
      engine.average.start)
  end
  return engine.average:weights()
end

local NAMES = { "last", "best", "swa" }

---@param engine swale.Engine
---@param which "last"|"best"|"swa"|swale.Tensor|nil
---@return swale.Tensor
function M.weights(engine, which)
  if which == nil or which == "last" then return engine.weights end
  if which == "best" then return best_weights(engine) end
  if which == "swa" then return average_weights(engine) end
  if core.type(which) == "tensor" then
    if which:numel() == engine.weights:numel() then return which:to "float32" end
    errors.misuse("Trainer:evaluate: %d weights, the model has %d", which:numel(),
      engine.weights:numel())
  end
  errors.misuse('Trainer:evaluate: "last", "best", "swa" or a weight vector, not %s%s',
    tostring(which), errors.suggestion(which, NAMES))
end

local SPLITS = { "train", "valid", "test" }

---@param engine swale.Engine
---@param on "train"|"valid"|"test"|swale.Split
---@return swale.Split
---@return string name
function M.split(engine, on)
  if type(on) == "table" and core.type(on.source) == "source" then return on, "a split" end
  for _, name in ipairs(SPLITS) do
    if on == name then
      local split = engine.data[name]
      return split or errors.misuse("Trainer:evaluate: the data has no %s split", name), name
    end
  end
  errors.misuse('Trainer:evaluate: on = "train", "valid", "test" or a split, not %s%s',
    tostring(on), errors.suggestion(on, SPLITS))
end

return M
