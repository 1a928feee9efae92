--- Shared by Linear and Conv2d: a weight (outputs, …), a bias (outputs), and their options.
local initializers = require "swale.nn.initializers"
local layer = require "swale.nn.layer"
local ops = require "swale.ops"
local options = require "swale.options"

local M = {}

local OPTIONS = { bias = { "boolean", true }, init = { "any", "kaiming_uniform" },
  bias_init = { "any", "kaiming_uniform" }, name = "string?" }

---A spec of options: those of the weight and bias, and others.
---@param own table
---@return table
function M.options(own)
  local spec = {}
  for _, part in ipairs { OPTIONS, own } do
    for name, entry in pairs(part) do spec[name] = entry end
  end
  return spec
end

---Checks the options of a layer.
---@param where string
---@param inputs integer
---@param outputs integer
---@param o table|nil
---@param spec table        as options returns it
---@return table o          with inputs and outputs
function M.check(where, inputs, outputs, o, spec)
  o = options.check(where, o, spec)
  o.inputs = options.value(where, "inputs", inputs, "count")
  o.outputs = options.value(where, "outputs", outputs, "count")
  initializers.check(where .. ": init", o.init)
  initializers.check(where .. ": bias_init", o.bias_init)
  layer.check_name(where, o.name)
  return o
end

---The parameters of a layer.
---@param self swale.Layer
---@param shape integer[]       of the weight
---@param fan_in integer
---@param fan_out integer
---@return swale.Parameter[]
function M.parameters(self, shape, fan_in, fan_out)
  local list = { { name = "weight", shape = shape, init = self.init, fan_in = fan_in,
    fan_out = fan_out } }
  if self.bias then
    list[2] = { name = "bias", shape = { self.outputs }, init = self.bias_init, fan_in = fan_in }
  end
  return list
end

---@param self swale.Layer
---@return integer
function M.folds(self) return self.outputs end

---Parameters with which a layer computes scale y + shift, where y is its output without bias.
---@param self swale.Layer
---@param p table
---@param scale swale.Value      (outputs)
---@param shift swale.Value
---@return table
function M.folded(self, p, scale, shift)
  options.value(("nn.%s:folded"):format(self.kind), "p", p, "table")
  local shape = { self.outputs }
  for axis = 2, p.weight:ndim() do shape[axis] = 1 end
  return { weight = p.weight * ops.reshape(scale, shape), bias = shift }
end

return M
