--- Rows of weights for whole numbers: for tokens, and for their positions.
local core = require "swale.core"
local errors = require "swale.errors"
local initializers = require "swale.nn.initializers"
local layer = require "swale.nn.layer"
local ops = require "swale.ops"
local options = require "swale.options"
local orders = require "swale.nn.order"

local M = {}

---@class swale.EmbeddingOptions
---@field init? swale.Initializer    normal with deviation 0.02, as GPT-2's; PyTorch's is "normal"
---@field name? string

local OPTIONS = { init = { "any", { "normal", std = 0.02 } }, name = "string?" }

--- A kind of layer with rows of weights, and its constructor. count: the name of their number.
local function rows_of(kind, count)
  local class, where = layer.kind(kind), "nn." .. kind
  function class:parameters()
    return { { name = "weight", shape = { self[count], self.size }, init = self.init } }
  end
  function class:declared() return ("%d x %d"):format(self[count], self.size) end
  function class:couples() return nil end
  function class:pytorch(_, order)
    return order == orders.PLAIN and order or orders.unknown(self)
  end
  return class, function(n, size, o)
    o = options.check(where, o, OPTIONS)
    initializers.check(where .. ": init", o.init)
    layer.check_name(where, o.name)
    o[count] = options.value(where, count, n, "count")
    o.size = options.value(where, "size", size, "count")
    return layer.new(class, o)
  end
end

---@class swale.Embedding: swale.Layer
---@field vocabulary integer
---@field size integer
local Embedding, new_embedding = rows_of("Embedding", "vocabulary")

local function is_index(x)
  if core.type(x) == "node" then return x:kind() == "index" end
  return x:dtype() == "int32"
end

function Embedding:takes() return "indices" end

function Embedding:output(shape)
  local result = table.move(shape, 1, #shape, 1, {})
  result[#result + 1] = self.size
  return result
end

function Embedding.sample()
  return M.Embedding(5, 3), core.tensor({ { 0, 4 }, { 2, 2 }, { 1, 0 }, { 3, 1 } }, "int32")
end

function Embedding:forward(x, p)
  if not is_index(x) then
    errors.misuse("Embedding: takes whole numbers (int32, from 0), not %s of real ones",
      errors.shape_text(x:shape()))
  end
  local shape = x:shape()
  local rows = ops.gather(p.weight, ops.reshape(x, { -1 }))
  shape[#shape + 1] = self.size
  return ops.reshape(rows, shape)
end

---A row of the weights for each whole number from 0:  (B, …) -> (B, …, size).
---@param vocabulary integer   how many numbers there are
---@param size integer
---@param o? swale.EmbeddingOptions
---@return swale.Embedding
function M.Embedding(vocabulary, size, o) return new_embedding(vocabulary, size, o) end

---@class swale.Positions: swale.Layer
---@field length integer
---@field size integer
local Positions, new_positions = rows_of("Positions", "length")

function Positions:output(shape) return shape end
function Positions.sample() return M.Positions(5, 3), layer.example { 4, 2, 3 } end

function Positions:forward(x, p)
  local length = x:shape()[2]
  if x:ndim() ~= 3 or length > self.length then
    errors.misuse("Positions: takes (B, T, %d) with T at most %d, not %s", self.size, self.length,
      errors.shape_text(x:shape()))
  end
  return x + (length == self.length and p.weight or ops.slice(p.weight, 1, 1, length))
end

---Adds a learned row for each position: y_bt = x_bt + w_t,  (B, T, size) with T up to length.
---@param length integer
---@param size integer
---@param o? swale.EmbeddingOptions
---@return swale.Positions
function M.Positions(length, size, o) return new_positions(length, size, o) end

return M
