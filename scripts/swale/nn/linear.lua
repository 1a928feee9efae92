--- The linear layer.
local core = require "swale.core"
local errors = require "swale.errors"
local initializers = require "swale.nn.initializers"
local layer = require "swale.nn.layer"
local ops = require "swale.ops"
local options = require "swale.options"
local orders = require "swale.nn.order"

local M = {}

---@class swale.LinearOptions
---@field bias? boolean                       true
---@field init? swale.Initializer             kaiming_uniform with a = sqrt(5), as PyTorch's
---@field bias_init? swale.Initializer        uniform in +-1 / sqrt(inputs), as PyTorch's
---@field name? string

---@class swale.Linear: swale.Layer
---@field inputs integer
---@field outputs integer
local Linear = layer.kind "Linear"

function Linear:parameters()
  local list = { { name = "weight", shape = { self.outputs, self.inputs }, init = self.init } }
  if self.bias then
    list[2] = { name = "bias", shape = { self.outputs }, init = self.bias_init,
      fan_in = self.inputs }
  end
  return list
end

local function affine(x, p)
  local y = ops.matmul(x, p.weight, { transpose_b = true })
  return p.bias and y + p.bias or y
end

---Parameters with which it computes scale y + shift, where y is its output without bias.
---@param p table
---@param scale swale.Value      (outputs)
---@param shift swale.Value
---@return table
function Linear:folded(p, scale, shift)
  options.value("nn.Linear:folded", "p", p, "table")
  return { weight = p.weight * ops.reshape(scale, { self.outputs, 1 }), bias = shift }
end

--- The usual remedy for a wrong input.
local function remedy(self, shape)
  local inputs, numbers = shape[#shape], 1
  for axis = 2, #shape do numbers = type(shape[axis]) == "number" and numbers * shape[axis] or 0 end
  if #shape > 2 and numbers == self.inputs then return "; nn.Flatten() before it makes rows" end
  return math.type(inputs) and (": nn.Linear(%d, %d) takes that"):format(inputs, self.outputs) or ""
end

local function check(self, x)
  local shape = x:shape()
  if core.type(x) == "node" and x:kind() == "index" then
    errors.misuse("takes real numbers, but the input is class indices %s; nn.Embedding makes"
      .. " vectors of them", errors.shape_text(shape))
  elseif shape[#shape] ~= self.inputs then
    errors.misuse("takes %d inputs, the last axis, but the input is %s%s", self.inputs,
      errors.shape_text(shape), remedy(self, shape))
  end
  return shape
end

function Linear:forward(x, p)
  local shape = check(self, x)
  if #shape <= 2 then return affine(x, p) end
  shape[#shape] = self.outputs
  return ops.reshape(affine(ops.reshape(x, { -1, self.inputs }), p), shape)
end

function Linear:takes() return "rows" end
function Linear:couples() return nil end

function Linear:output(shape)
  local result = table.move(shape, 1, #shape, 1, {})
  result[#result] = self.outputs
  return result
end

--- Behind a flattened image, its inputs are permuted like the image.
function Linear:pytorch(shape, order)
  if order == orders.IMAGE then return orders.unknown(self) end
  orders.check_rows(order, shape)
  if not order.flattened then return order end
  local h, w, c = table.unpack(order.flattened)
  return orders.PLAIN, { weight = { split = { self.outputs, h, w, c }, perm = { 1, 4, 2, 3 },
    shape = { self.outputs, self.inputs } } }
end

function Linear.sample() return M.Linear(6, 3), layer.example { 4, 6 } end

function Linear:declared() return ("%d -> %d"):format(self.inputs, self.outputs) end

local OPTIONS = { bias = { "boolean", true }, init = { "any", "kaiming_uniform" },
  bias_init = { "any", "kaiming_uniform" }, name = "string?" }

---y = x W' + b:  (B, inputs) -> (B, outputs),  weight (outputs, inputs), bias (outputs). With more
---axes it acts on the last one: (B, …, inputs) -> (B, …, outputs).
---@param inputs integer
---@param outputs integer
---@param o? swale.LinearOptions
---@return swale.Linear
function M.Linear(inputs, outputs, o)
  layer.check_first("nn.Linear", inputs, "inputs, outputs, { bias = false }")
  o = options.check("nn.Linear", o, OPTIONS)
  o.inputs = options.value("nn.Linear", "inputs", inputs, "count")
  o.outputs = options.value("nn.Linear", "outputs", outputs, "count")
  initializers.check("nn.Linear: init", o.init)
  initializers.check("nn.Linear: bias_init", o.bias_init)
  layer.check_name("nn.Linear", o.name)
  return layer.new(Linear, o)
end

return M
