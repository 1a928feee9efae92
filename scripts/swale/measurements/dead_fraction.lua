--- The fraction of rectified units that are 0 for every example of the sample; a channel of images
--- is one unit. Costs a forward pass over the sample.
local compiled = require "swale.compiled"
local core = require "swale.core"
local errors = require "swale.errors"
local listen = require("swale.nn.listen").listen
local ops = require "swale.ops"
local tree = require "swale.nn.tree"

---@type swale.MeasurementRow
local M = { options = {} }

---@param facts swale.MeasurementFacts
function M.check(facts)
  if tree.find(facts.graph.layer, function(layer) return layer:rectifies() end) then return end
  errors.misuse("measure: %s: the network has no layer that rectifies, such as nn.ReLU", facts.name)
end

--- One output: the fraction over the units of all rectifying layers, which are in the last axis.
local function make(graph, _, dtype)
  local units, dead = 0, nil
  local function add(layer, _, _, y)
    if not layer:rectifies() then return end
    local shape, axes = y:shape(), {}
    for axis = 1, #shape - 1 do axes[axis] = axis end
    local found = ops.sum(ops.le(ops.max(y, axes), 0))
    units, dead = units + shape[#shape], dead and dead + found or found
  end
  listen(graph.layer, add, function() graph.layer:call(graph.x, graph.bound) end)
  return core.program(graph.graph, { dead * (1 / units) }, { dtype = dtype })
end

local function everything(split)
  local index = core.zeros({ #split }, "int32")
  for i = 1, #split do index:set(i, i - 1) end
  local x, y = split:gather(index)
  return { x = x, y = y, shape = split.shape }
end

---@param _ nil
---@param m swale.Measuring
---@return number
function M.read(_, m)
  local f, batch = compiled.compile(m.loss, m.model, { mode = "eval" }), everything(m.sample)
  local program, inputs = f:program("dead_fraction", batch, "float32", make)
  return errors.check(program:run { inputs = inputs, vectors = f:vectors(m.weights),
    batch = #batch.x }):item()
end

return M
