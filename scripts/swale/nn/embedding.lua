--- Rows for whole numbers: what a token is, and where it stands.
local core = require "swale.core"
local errors = require "swale.errors"
local initializers = require "swale.nn.initializers"
local layer = require "swale.nn.layer"
local ops = require "swale.ops"
local options = require "swale.options"

local M = {}

---@class swale.EmbeddingOptions
---@field init? swale.Initializer    normal with deviation 0.02, as GPT-2's; PyTorch's is "normal"
---@field name? string

local OPTIONS = { init = { "any", { "normal", std = 0.02 } }, name = "string?" }

local function checked(where, o)
  o = options.check(where, o, OPTIONS)
  initializers.check(where .. ": init", o.init)
  layer.check_name(where, o.name)
  return o
end

-- ------------------------------------------------------------------ tokens

---@class swale.Embedding: swale.Layer
---@field vocabulary integer
---@field size integer
local Embedding = layer.kind "Embedding"

function Embedding:parameters()
  return { { name = "weight", shape = { self.vocabulary, self.size }, init = self.init } }
end

function Embedding:declared() return ("%d x %d"):format(self.vocabulary, self.size) end

local function is_index(x)
  if core.type(x) == "node" then return x:kind() == "index" end
  return x:dtype() == "int32"
end

function Embedding:takes() return "indices" end

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
function M.Embedding(vocabulary, size, o)
  o = checked("nn.Embedding", o)
  o.vocabulary = options.value("nn.Embedding", "vocabulary", vocabulary, "count")
  o.size = options.value("nn.Embedding", "size", size, "count")
  return layer.new(Embedding, o)
end

-- ------------------------------------------------------------------ positions

---@class swale.Positions: swale.Layer
---@field length integer
---@field size integer
local Positions = layer.kind "Positions"

function Positions:parameters()
  return { { name = "weight", shape = { self.length, self.size }, init = self.init } }
end

function Positions:declared() return ("%d x %d"):format(self.length, self.size) end

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
function M.Positions(length, size, o)
  o = checked("nn.Positions", o)
  o.length = options.value("nn.Positions", "length", length, "count")
  o.size = options.value("nn.Positions", "size", size, "count")
  return layer.new(Positions, o)
end

return M
