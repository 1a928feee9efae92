--- The transformer block.
local attentions = require "swale.nn.attention"
local dropouts = require "swale.nn.dropout"
local elementwise = require "swale.nn.elementwise"
local layer = require "swale.nn.layer"
local linear = require "swale.nn.linear"
local norms = require "swale.nn.norms"
local options = require "swale.options"

local M = {}

---@class swale.TransformerOptions
---@field mlp? number                  width of the hidden layer, in units of size (4)
---@field causal? boolean              false
---@field dropout? number              of attention weights and of both branches (0)
---@field bias? boolean                of the linear layers (true)
---@field norm? "pre"|"post"           "pre": x + f(norm(x)), as GPT-2's; "post": norm(x + f(x))
---@field init? swale.Initializer      normal with deviation 0.02, as GPT-2's; biases begin at 0
---@field output_init? swale.Initializer   of the last layer of each branch; init by default
---@field name? string

---@class swale.TransformerBlock: swale.Layer
---@field size integer
---@field heads integer
local Block = layer.kind "TransformerBlock"
Block.container = true

function Block:children() return self.list end
function Block:output(shape) return shape end

function Block:pytorch(_, order, walk)
  for _, child in ipairs(self.list) do order = walk:inside(child, order) end
  return order
end

function Block.sample() return M.TransformerBlock(6, 2), layer.example { 4, 3, 6 } end

function Block:declared() return ("%d, %d heads"):format(self.size, self.heads) end

--- A branch: children first … last, one after another.
local function branch(self, first, last, x, p, context)
  for i = first, last do x = self.list[i].layer:call(x, p[i], context) end
  return x
end

--- Children: norm1, self_attn [, dropout1]; norm2, linear1, activation, linear2 [, dropout2].
function Block:forward(x, p, context)
  local second, n = self.second, #self.list
  local function normed(i, value) return self.list[i].layer:call(value, p[i], context) end
  if self.norm == "pre" then
    x = x + branch(self, 1, second - 1, x, p, context)
    return x + branch(self, second, n, x, p, context)
  end
  x = normed(1, x + branch(self, 2, second - 1, x, p, context))
  return normed(second, x + branch(self, second + 1, n, x, p, context))
end

local OPTIONS = { mlp = { "positive", 4 }, causal = { "boolean", false },
  dropout = { "nonnegative", 0 }, bias = { "boolean", true },
  norm = { choice = { "pre", "post" }, "pre" }, init = { "any", { "normal", std = 0.02 } },
  output_init = "any?", name = "string?" }

local function add(list, key, child) list[#list + 1] = { key = key, layer = child } end

local function add_dropout(list, key, rate)
  if rate > 0 then add(list, key, dropouts.Dropout(rate)) end
end

local function add_children(o)
  local list, hidden = {}, math.max(1, math.floor(o.mlp * o.size + 0.5))
  local output_init = o.output_init or o.init
  add(list, "norm1", norms.LayerNorm(o.size))
  add(list, "self_attn", attentions.MultiHeadAttention(o.size, o.heads, { causal = o.causal,
    dropout = o.dropout, bias = o.bias, init = o.init, output_init = output_init }))
  add_dropout(list, "dropout1", o.dropout)
  o.second = #list + 1
  add(list, "norm2", norms.LayerNorm(o.size))
  add(list, "linear1", linear.Linear(o.size, hidden, { bias = o.bias, init = o.init,
    bias_init = "zeros" }))
  add(list, "activation", elementwise.GELU())
  add(list, "linear2", linear.Linear(hidden, o.size, { bias = o.bias, init = output_init,
    bias_init = "zeros" }))
  add_dropout(list, "dropout2", o.dropout)
  o.list = list
end

---Attention, then two linear layers with GELU between them, each a residual branch: (B, T, size) ->
---(B, T, size). Its weights have the names and the layout of PyTorch's TransformerEncoderLayer.
---@param size integer
---@param heads integer             divides size
---@param o? swale.TransformerOptions
---@return swale.TransformerBlock
function M.TransformerBlock(size, heads, o)
  o = options.check("nn.TransformerBlock", o, OPTIONS)
  o.size = options.value("nn.TransformerBlock", "size", size, "count")
  o.heads = options.value("nn.TransformerBlock", "heads", heads, "count")
  layer.check_name("nn.TransformerBlock", o.name)
  add_children(o)
  return layer.new(Block, o)
end

return M
