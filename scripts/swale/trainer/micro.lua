--- Micro-batches: large batches computed in parts. Where examples are coupled, as by batch norm,
--- the parts do not give the result of the whole.
local additive = require "swale.trainer.additive"
local errors = require "swale.errors"
local options = require "swale.options"
local tree = require "swale.nn.tree"

local M = {}

---@class swale.MicroBatch
---@field size integer
---@field couple? boolean   batch norms normalise over micro-batches instead of batches; false

--- The first layer that couples examples of different micro-batches of that size.
local function unfit(network, size)
  return tree.find(network, function(layer)
    local coupled = layer:couples()
    return coupled == "batch" or coupled and size % coupled ~= 0
  end)
end

local function has_ghosts(network)
  return tree.find(network, function(layer) return math.type(layer:couples()) end) ~= nil
end

local REMEDY = "\n  Ghost batches that divide it are independent of the cut"
  .. " (nn.GhostBatchNorm(%d)); or micro_batch = { size = %d, couple = true } normalises over"
  .. " micro-batches"

local function refuse(layer, path, size)
  if not layer then
    errors.misuse("Trainer: micro_batch = %d: the loss of an example depends on the others of its"
      .. " batch, which would be cut; leave micro_batch out, or take the loss within micro-batches:"
      .. " micro_batch = { size = %d, couple = true }", size, size)
  end
  local coupled = layer:couples()
  local ghost = coupled == "batch" and "the whole batch"
    or ("ghosts of %d, which do not divide it"):format(coupled)
  errors.misuse("Trainer: micro_batch = %d: %s normalises over %s%s", size,
    path == "" and tostring(layer) or ('"%s", %s,'):format(path, tostring(layer)), ghost,
    REMEDY:format(size, size))
end

--- A part of one example has no variance, or only that of its pixels; in the whole batch it is
--- merged with the ghost before it.
local function check_rest(batch, size)
  if type(batch) == "number" and batch > size and batch % size == 1 then
    errors.misuse("Trainer: micro_batch = %d leaves one example of a batch of %d alone, of which"
      .. " batch norms have no variance", size, batch)
  end
end

---@param value integer|swale.MicroBatch|nil
---@param graph swale.CompiledGraph    of mode "train"
---@param batch swale.Hyperparameter   the batch size
---@param uneven swale.Uneven|nil     the loss is not a mean over examples
---@return integer|nil size
function M.size(value, graph, batch, uneven)
  if value == nil then return nil end
  if type(value) == "number" then value = { size = value } end
  local o = options.check("Trainer: micro_batch", value,
    { size = "count", couple = { "boolean", false } })
  if graph.ratio then
    errors.misuse("Trainer: micro_batch = %d: each part of a batch would divide by a sum of its own"
      .. "%s", o.size, graph.loss_facts.coupled or "; leave micro_batch out")
  end
  if uneven and not (type(batch) == "number" and batch <= o.size) then
    additive.refuse(uneven, ("Trainer: micro_batch = %d"):format(o.size), "leave micro_batch out")
  end
  local coupled = graph:is_coupled()
  if coupled and not o.couple then
    local layer, path = unfit(graph.layer, o.size)
    if layer or not has_ghosts(graph.layer) then refuse(layer, path, o.size) end
  end
  if coupled then check_rest(batch, o.size) end
  return o.size
end

return M
