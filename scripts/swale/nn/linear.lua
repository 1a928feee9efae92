--- The linear layer.
local affine = require "swale.nn.affine"
local core = require "swale.core"
local errors = require "swale.errors"
local layer = require "swale.nn.layer"
local ops = require "swale.ops"
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

Linear.folds = affine.folds
Linear.folded = affine.folded

function Linear:parameters()
  return affine.parameters(self, { self.outputs, self.inputs }, self.inputs, self.outputs)
end

local function product(x, p)
  local y = ops.matmul(x, p.weight, { transpose_b = true })
  return p.bias and y + p.bias or y
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
  if #shape <= 2 then return product(x, p) end
  shape[#shape] = self.outputs
  return ops.reshape(product(ops.reshape(x, { -1, self.inputs }), p), shape)
end

function Linear:takes() return "rows" end
function Linear:couples() return nil end
function Linear:rows(x) return x end

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

local OPTIONS = affine.options {}

---y = x W' + b:  (B, inputs) -> (B, outputs),  weight (outputs, inputs), bias (outputs). With more
---axes it acts on the last one: (B, …, inputs) -> (B, …, outputs).
---@param inputs integer
---@param outputs integer
---@param o? swale.LinearOptions
---@return swale.Linear
function M.Linear(inputs, outputs, o)
  layer.check_first("nn.Linear", inputs, "inputs, outputs, { bias = false }")
  return layer.new(Linear, affine.check("nn.Linear", inputs, outputs, o, OPTIONS))
end

return M
