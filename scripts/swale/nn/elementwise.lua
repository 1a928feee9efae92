--- Layers without parameters: activations and Flatten.
local layer = require "swale.nn.layer"
local ops = require "swale.ops"
local options = require "swale.options"

local M = {}

local function constructor(kind, f)
  local class = layer.kind(kind)
  function class:forward(x) return f(x) end
  return function(o)
    o = options.check("nn." .. kind, o, { name = "string?" })
    layer.check_name("nn." .. kind, o.name)
    return layer.new(class, o)
  end
end

local relu, tanh = constructor("ReLU", ops.relu), constructor("Tanh", ops.tanh)
local sigmoid, flatten = constructor("Sigmoid", ops.sigmoid), constructor("Flatten", ops.flatten)

---max(x, 0)
---@param o? { name?: string }
---@return swale.Layer
function M.ReLU(o) return relu(o) end

---@param o? { name?: string }
---@return swale.Layer
function M.Tanh(o) return tanh(o) end

---1 / (1 + e^-x)
---@param o? { name?: string }
---@return swale.Layer
function M.Sigmoid(o) return sigmoid(o) end

---(B, …) -> (B, n)
---@param o? { name?: string }
---@return swale.Layer
function M.Flatten(o) return flatten(o) end

return M
