--- Evaluates weights. Owns the averages, their running statistics and the best weights on valid.
local averages = require "swale.trainer.averages"
local copies = require "swale.copies"
local metrics = require "swale.trainer.metrics"
local reestimate = require "swale.reestimate"
local statistics = require "swale.trainer.statistics"

local M = {}

---@class swale.Best
---@field weights swale.Tensor
---@field buffers swale.Tensor|nil
---@field metrics swale.Metrics
---@field epoch number

---@class swale.Evaluator
---@field layer swale.Layer
---@field weights swale.Tensor           those that are trained
---@field buffers swale.Tensor|nil       their running statistics
---@field data table
---@field example swale.Example
---@field subset swale.Tensor|nil        of the training set, that is trained on
---@field graph swale.CompiledGraph      of mode "eval"
---@field batch integer                  examples computed at a time
---@field batch_norm swale.BatchNormMethod   for averages
---@field average swale.Averaging|table|nil  as the user gave it
---@field averages swale.NamedAverage[]
---@field statistics table               by average: what was re-estimated
---@field best swale.Best|nil
---@field valid_is_nan boolean|nil       the last loss on valid was
local Evaluator = {}
Evaluator.__index = Evaluator

---@param o table    the fields but averages, statistics, best
---@return swale.Evaluator
function M.new(o)
  o.averages, o.statistics = averages.list(o.average), setmetatable({}, { __mode = "k" })
  return setmetatable(o, Evaluator)
end

---@param value swale.Averaging|table|nil
---@param list swale.NamedAverage[]    the same as a list
function Evaluator:set_average(value, list) self.average, self.averages = value, list end

---@param weights swale.Tensor
---@param buffers swale.Tensor|nil
---@param source swale.Source
---@param on string      the source's name
---@return swale.Metrics
function Evaluator:evaluate(weights, buffers, source, on)
  return metrics.evaluate(self.graph, weights, buffers, source, self.batch, on)
end

---@param weights swale.Tensor
---@param how "pooled"|"layerwise"
---@return swale.Tensor buffers    of what is trained on
function Evaluator:reestimate(weights, how)
  return reestimate.buffers { layer = self.layer, weights = weights, buffers = self.buffers,
    source = self.data.train.source, example = self.example, index = self.subset,
    method = how, batch_size = self.batch }
end

--- Keeps the weights if they are the best so far.
local function keep_best(self, found, epoch)
  self.valid_is_nan = found.loss ~= found.loss
  local before = self.best
  if not metrics.is_better(found, before and before.metrics) then return false end
  self.best = { metrics = found, epoch = epoch,
    weights = copies.tensor(self.weights, before and before.weights),
    buffers = copies.tensor(self.buffers, before and before.buffers) }
  return true
end

---Evaluates the last weights and every average on valid, and adds the results to a line.
---@param line table
---@param epoch number
---@return boolean   the last weights are the best so far
function Evaluator:validate(line, epoch)
  local valid = self.data.valid
  if not valid then return false end
  local found = self:evaluate(self.weights, self.buffers, valid.source, "valid")
  line.valid_loss, line.valid_accuracy = found.loss, found.accuracy
  local is_best = keep_best(self, found, epoch)
  for _, entry in ipairs(averages.with_captures(self.averages)) do
    local weights = entry.average:weights()
    found = self:evaluate(weights, statistics.of_average(self, entry.average, weights),
      valid.source, "valid")
    line[entry.name .. "_valid_loss"] = found.loss
    line[entry.name .. "_valid_accuracy"] = found.accuracy
  end
  return is_best
end

---Forgets re-estimated statistics.
function Evaluator:forget() self.statistics = setmetatable({}, { __mode = "k" }) end

---Returns copies for restore. Averages are another part of a snapshot; their re-estimated
---statistics are in this one.
---@return table
function Evaluator:state()
  return { best = copies.deep(self.best), valid_is_nan = self.valid_is_nan,
    statistics = statistics.state(self) }
end

---@param saved table|nil    nil: "best" stays as it is
function Evaluator:restore(saved)
  self:forget()
  if not saved then return end
  self.best, self.valid_is_nan = copies.deep(saved.best), saved.valid_is_nan
  statistics.restore(self, saved.statistics or {})
end

return M
