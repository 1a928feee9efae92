--- Layers without parameters: activations and Flatten.
local layer = require "swale.nn.layer"
local ops = require "swale.ops"
local options = require "swale.options"

local M = {}

local function constructor(kind, f, takes)
  local class = layer.kind(kind)
  function class:forward(x) return f(x) end
  function class:takes() return takes end
  return function(o)
    o = options.check("nn." .. kind, o, { name = "string?" })
    layer.check_name("nn." .. kind, o.name)
    return layer.new(class, o)
  end
end

local relu, tanh = constructor("ReLU", ops.relu), constructor("Tanh", ops.tanh)
local sigmoid = constructor("Sigmoid", ops.sigmoid)
local flatten = constructor("Flatten", ops.flatten, "any")

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

local gelu, silu = constructor("GELU", ops.gelu), constructor("SiLU", ops.silu)
local softplus = constructor("Softplus", ops.softplus)

---x Phi(x), Phi the normal distribution function
---@param o? { name?: string }
---@return swale.Layer
function M.GELU(o) return gelu(o) end

---x sigmoid(x)
---@param o? { name?: string }
---@return swale.Layer
function M.SiLU(o) return silu(o) end

---log(1 + e^x)
---@param o? { name?: string }
---@return swale.Layer
function M.Softplus(o) return softplus(o) end

local leaky = layer.kind "LeakyReLU"
function leaky:forward(x) return ops.leaky_relu(x, self.slope) end

---x where it is positive, slope x elsewhere
---@param o? { slope?: number, name?: string }   slope: 0.01
---@return swale.Layer
function M.LeakyReLU(o)
  o = options.check("nn.LeakyReLU", o, { slope = { "number", 0.01 }, name = "string?" })
  layer.check_name("nn.LeakyReLU", o.name)
  return layer.new(leaky, o)
end

---(B, …) -> (B, n)
---@param o? { name?: string }
---@return swale.Layer
function M.Flatten(o) return flatten(o) end

return M
