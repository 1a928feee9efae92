--- Layers without parameters: activations and Flatten.
local errors = require "swale.errors"
local layer = require "swale.nn.layer"
local ops = require "swale.ops"
local options = require "swale.options"
local orders = require "swale.nn.order"
local segments = require "swale.segments"

local M = {}

local function constructor(kind, f)
  local class = layer.kind(kind)
  function class:forward(x) return f(x) end
  function class:keeps_channels() return true end
  local function make(o)
    o = options.check("nn." .. kind, o, { name = "string?" })
    layer.check_name("nn." .. kind, o.name)
    return layer.new(class, o)
  end
  function class.sample() return make(), layer.example { 4, 6 } end
  return make, class
end

local relu, ReLU = constructor("ReLU", ops.relu)
local tanh, sigmoid = constructor("Tanh", ops.tanh), constructor("Sigmoid", ops.sigmoid)

function ReLU:rectifies() return true end

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
function leaky:keeps_channels() return true end
function leaky.sample() return M.LeakyReLU { slope = 0.1 }, layer.example { 4, 6 } end

---x where it is positive, slope x elsewhere
---@param o? { slope?: number, name?: string }   slope: 0.01
---@return swale.Layer
function M.LeakyReLU(o)
  o = options.check("nn.LeakyReLU", o, { slope = { "number", 0.01 }, name = "string?" })
  layer.check_name("nn.LeakyReLU", o.name)
  return layer.new(leaky, o)
end

local flatten, Flatten = constructor("Flatten", ops.flatten)

function Flatten:takes() return "any" end
function Flatten:keeps_channels() return false end
function Flatten:output(shape) return { segments.elements(shape) } end

function Flatten:pytorch(shape, order)
  if not shape then
    errors.misuse('layout: "pytorch" needs input, the shape of one example, of images'
      .. ' { height, width, channels }: a layer flattens')
  end
  return order == orders.IMAGE and orders.flattened(shape) or order
end

function Flatten.sample() return M.Flatten(), layer.example { 4, 2, 3, 2 } end

---(B, …) -> (B, n)
---@param o? { name?: string }
---@return swale.Layer
function M.Flatten(o) return flatten(o) end

return M
