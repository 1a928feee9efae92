--- Loss and accuracy of weights on a split.
local class = require "swale.class"
local additive = require "swale.trainer.additive"
local core = require "swale.core"
local errors = require "swale.errors"

local M = {}

---@class swale.Metrics
---@field loss number          mean over the examples; with weights, the weighted mean
---@field accuracy number|nil  fraction of hits among labels that count; nil without class labels
---@field examples integer
---@field on string            name of the split
local Metrics = class.new("metrics", { fields = { "loss", "accuracy", "examples", "on" } })

function Metrics:__tostring()
  local accuracy = self.accuracy and (", accuracy %.4f"):format(self.accuracy) or ""
  return ("loss %.4f%s (%s, %d examples)"):format(self.loss, accuracy, self.on, self.examples)
end

local function pass_on(first, message, code)
  if first ~= nil then return first end
  if code == "EINTERRUPTED" then error(core.INTERRUPTED, 0) end
  errors.environment(message, code)
end

local function range(first, last)
  local list = {}
  for i = first, last do list[#list + 1] = i - 1 end
  return core.tensor(list, "int32")
end

--- Sums by the names of outputs.
local function named(names, sums)
  local found = {}
  for i, name in ipairs(names) do found[name] = sums[i] end
  return found
end

--- Sums for loss functions that return only the mean of a batch.
local function sums_of_means(program, vectors, source, batch)
  local loss, hits
  for first = 1, #source, batch do
    local last = math.min(first + batch - 1, #source)
    local x, y = source:gather(range(first, last))
    local mean, hit = program:run { inputs = { x, y }, vectors = vectors }
    pass_on(mean, hit)
    loss = (loss or 0) + mean:item() * (last - first + 1)
    if hit then hits = (hits or 0) + hit:sum():item() end
  end
  return { loss = loss, hit = hits }
end

--- A batch size that leaves no batch of one example where a norm is over the batch in evaluation,
--- too.
local function fitting(graph, n, batch)
  local values = graph.ratio and graph.ratio.value or graph.each or graph.output
  if values:dependence() ~= "mixed" then return batch end
  while batch > 2 and n % batch == 1 do batch = batch - 1 end
  return batch
end

--- Whether the loss, not the network, makes examples depend on each other.
local function loss_couples(graph)
  if graph.output:dependence() == "mixed" then return false end
  local ratio = graph.ratio
  if not ratio then return graph.each ~= nil and graph.each:dependence() == "mixed" end
  return ratio.value:dependence() == "mixed" or ratio.weight:dependence() == "mixed"
end

---Raises where evaluation would cut a batch whose loss is not the mean over its parts.
---@param graph swale.CompiledGraph   of mode "eval"
---@param data swale.Split|swale.Source|nil
---@param batch integer
---@param on string
---@param asks? string      who evaluates; Trainer
---@param option? string    its option for the batch size; eval_batch
function M.check_batches(graph, data, batch, on, asks, option)
  if not data or #data <= batch then return end
  local where = ("%s: evaluation of %s, %d examples %d at a time"):format(asks or "Trainer", on,
    #data, batch)
  local instead = ("%s = %d takes all of them at once"):format(option or "eval_batch", #data)
  if graph.uneven then additive.refuse(graph.uneven, where, instead) end
  if loss_couples(graph) then
    errors.misuse("%s: the loss of an example depends on the others of its batch, which would be"
      .. " cut; %s", where, instead)
  end
end

---@param graph swale.CompiledGraph   of mode "eval"
---@param weights swale.Tensor
---@param buffers swale.Tensor|nil
---@param source swale.Source
---@param batch integer
---@param on string
---@return swale.Metrics
function M.evaluate(graph, weights, buffers, source, batch, on)
  if not graph.evaluation_program then
    graph.evaluation_program, graph.evaluation_names = graph:evaluation(weights:dtype())
  end
  local program, n = graph.evaluation_program, #source
  local sums
  M.check_batches(graph, source, batch, on)
  batch = fitting(graph, #source, batch)
  if graph.each or graph.ratio then
    sums = named(graph.evaluation_names,
      pass_on(core.evaluate(program, weights, source, batch, buffers)))
  else
    sums = sums_of_means(program, { weights, buffers }, source, batch)
  end
  return setmetatable({ loss = sums.loss / (sums.weight or n),
    accuracy = sums.hit and sums.hit / (sums.counted or n), examples = n, on = on }, Metrics)
end

---Whether a is better than b: by accuracy if there is one, else by loss. NaN is never better.
---@param a swale.Metrics
---@param b swale.Metrics|nil
---@return boolean
function M.is_better(a, b)
  if not b or a.loss ~= a.loss then return a.loss == a.loss end
  if a.accuracy and a.accuracy ~= b.accuracy then return a.accuracy > b.accuracy end
  return a.loss < b.loss
end

---The class of what evaluate returns.
M.CLASS = Metrics

return M
