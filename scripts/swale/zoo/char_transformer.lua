--- A transformer that predicts the next character.
local nn = require "swale.nn"
local options = require "swale.options"

local M = {}

---@class swale.CharTransformerOptions
---@field vocabulary? integer  different characters (256: bytes)
---@field length? integer      of its context (64)
---@field layers? integer      blocks (4)
---@field heads? integer       4
---@field size? integer        of the vector of a character, a multiple of heads (64)
---@field mlp? number          width of a block's hidden layer, in units of size (4)
---@field dropout? number      0
---@field bias? boolean        of the linear layers in blocks (true)
---@field name? string

local OPTIONS = { vocabulary = { "count", 256 }, length = { "count", 64 }, layers = { "count", 4 },
  heads = { "count", 4 }, size = { "count", 64 }, mlp = { "positive", 4 },
  dropout = { "nonnegative", 0 }, bias = { "boolean", true }, name = "string?" }

local function blocks(o)
  local list = { name = "h" }
  for i = 1, o.layers do
    list[i] = nn.TransformerBlock(o.size, o.heads, { causal = true, mlp = o.mlp,
      dropout = o.dropout, bias = o.bias,
      output_init = { "normal", std = 0.02 / (2 * o.layers) ^ 0.5 } })
  end
  return nn.Sequential(list)
end

---A decoder like GPT-2, for texts as indices: (B, T) -> (B, T, vocabulary), the logits of the next
---character; T is at most length. Norms come before the branches, GELU is exact. Weights are
---initialised as in GPT-2: normal with deviation 0.02, and 0.02 / sqrt(2 layers) at the end of a
---branch. Embedding and output do not share weights. By default it has 236,928 parameters.
---@param o? swale.CharTransformerOptions
---@return swale.Layer
function M.char_transformer(o)
  o = options.check("zoo.char_transformer", o, OPTIONS)
  local layers = { name = o.name, nn.Embedding(o.vocabulary, o.size, { name = "wte" }),
    nn.Positions(o.length, o.size, { name = "wpe" }) }
  if o.dropout > 0 then layers[#layers + 1] = nn.Dropout(o.dropout) end
  layers[#layers + 1] = blocks(o)
  layers[#layers + 1] = nn.LayerNorm(o.size, { name = "ln_f" })
  layers[#layers + 1] = nn.Linear(o.size, o.vocabulary, { bias = false,
    init = { "normal", std = 0.02 }, name = "lm_head" })
  return nn.Sequential(layers)
end

return M
