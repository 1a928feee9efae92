--- Self-attention.
local dropouts = require "swale.nn.dropout"
local errors = require "swale.errors"
local initializers = require "swale.nn.initializers"
local layer = require "swale.nn.layer"
local linear = require "swale.nn.linear"
local ops = require "swale.ops"
local options = require "swale.options"

local M = {}

---@class swale.AttentionOptions
---@field causal? boolean             false; true: a position attends to itself and earlier ones
---@field dropout? number             of the attention weights (0)
---@field bias? boolean               true
---@field init? swale.Initializer     normal with deviation 0.02, as GPT-2's; biases begin at 0
---@field output_init? swale.Initializer   of out_proj; init by default
---@field name? string

---@class swale.MultiHeadAttention: swale.Layer
---@field size integer
---@field heads integer
local Attention = layer.kind "MultiHeadAttention"

function Attention:parameters()
  local n = self.size
  local list = { { name = "in_proj_weight", shape = { 3 * n, n }, init = self.init } }
  if self.bias then list[2] = { name = "in_proj_bias", shape = { 3 * n }, init = "zeros" } end
  return list
end

function Attention:children() return self.list end
function Attention:output(shape) return shape end
function Attention:couples() return nil end

--- in_proj needs no rearranging: the heads are in PyTorch's order.
function Attention:pytorch(_, order, walk)
  for _, child in ipairs(self.list) do order = walk:inside(child, order) end
  return order
end

function Attention.sample()
  return M.MultiHeadAttention(6, 2, { causal = true }), layer.example { 4, 3, 6 }
end

function Attention:declared() return ("%d, %d heads"):format(self.size, self.heads) end

local function affine(x, weight, bias)
  local y = ops.matmul(x, weight, { transpose_b = true })
  return bias and y + bias or y
end

--- Queries, keys and values of all heads: three of (B, heads, T, size / heads).
local function project(self, x, p)
  local batch, length = x:shape()[1], x:shape()[2]
  local all = affine(ops.reshape(x, { -1, self.size }), p.in_proj_weight, p.in_proj_bias)
  all = ops.reshape(all, { batch, length, 3 * self.heads, self.size // self.heads })
  all = ops.transpose(all, 2, 3)
  local function part(i) return ops.slice(all, 2, 1 + i * self.heads, self.heads) end
  return part(0), part(1), part(2)
end

--- Attention weights: softmax(q k' / sqrt(size / heads)) over the last axis.
local function attend(self, q, k)
  local scores = ops.bmm(q, k, { transpose_b = true })
  local scale = (self.size // self.heads) ^ -0.5
  if self.causal then return ops.causal_softmax(scores, scale) end
  return ops.softmax(scores * scale)
end

function Attention:forward(x, p, context)
  local shape = x:shape()
  if #shape ~= 3 or shape[3] ~= self.size then
    errors.misuse("MultiHeadAttention: takes (B, T, %d), not %s", self.size,
      errors.shape_text(shape))
  end
  local q, k, v = project(self, x, p)
  local weights = attend(self, q, k)
  if self.drop then weights = self.drop:call(weights, p[2], context) end
  local y = ops.transpose(ops.bmm(weights, v), 2, 3)
  return self.out_proj:call(ops.reshape(y, shape), p[1], context)
end

local OPTIONS = { causal = { "boolean", false }, dropout = { "nonnegative", 0 },
  bias = { "boolean", true }, init = { "any", { "normal", std = 0.02 } }, output_init = "any?",
  name = "string?" }

local function add_children(o)
  o.out_proj = linear.Linear(o.size, o.size, { bias = o.bias, init = o.output_init or o.init,
    bias_init = "zeros" })
  o.list = { { key = "out_proj", layer = o.out_proj } }
  if o.dropout > 0 then
    o.drop = dropouts.Dropout(o.dropout)
    o.list[2] = { key = "dropout", layer = o.drop }
  end
end

---Attention with several heads (Vaswani et al. 2017): (B, T, size) -> (B, T, size). Its weights
---have the names and the layout of PyTorch's MultiheadAttention.
---@param size integer
---@param heads integer             divides size
---@param o? swale.AttentionOptions
---@return swale.MultiHeadAttention
function M.MultiHeadAttention(size, heads, o)
  local where = "nn.MultiHeadAttention"
  o = options.check(where, o, OPTIONS)
  o.size = options.value(where, "size", size, "count")
  o.heads = options.value(where, "heads", heads, "count")
  if o.size % o.heads ~= 0 then
    errors.misuse("%s: %d heads do not divide the size %d", where, o.heads, o.size)
  end
  initializers.check(where .. ": init", o.init)
  if o.output_init then initializers.check(where .. ": output_init", o.output_init) end
  layer.check_name(where, o.name)
  add_children(o)
  return layer.new(Attention, o)
end

return M
