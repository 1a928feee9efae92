--- The zoo's networks, so small that all of them run in a test.
local sw = require "swale"

local M = { CLASSES = 5, LENGTH = 6, WORDS = 7 } -- LENGTH, WORDS: of texts

--- What makes a network small; others are narrow: by this factor, unless it is told here.
local NARROW = 0.06
local TINY = {
  logreg = { features = 12 }, mlp_small = { features = 12 }, mlp = { features = 12 },
  F1 = { features = 12 }, F2 = { features = 12 }, lenet5 = { scale = 0.3 },
  wrn = { depth = 10, width = 0.25 }, wrn_28_10 = { scale = 0.02 }, C2 = { scale = 0.03 },
  C4 = { scale = 0.03 }, resnet20 = { scale = 0.125 },
  resnet56 = { scale = 0.125, input = { 16, 16, 3 } },
  preresnet110 = { scale = 0.125, input = { 16, 16, 3 } },
  preresnet164 = { scale = 0.125, input = { 16, 16, 3 } },
}

---@param name string
---@return swale.Layer layer, integer[]|"words" features   of an example
function M.network(name)
  if name == "char_transformer" then
    return sw.zoo.char_transformer { vocabulary = M.WORDS, length = M.LENGTH, layers = 2,
      size = 8, heads = 2 }, "words"
  end
  local o = { classes = M.CLASSES }
  for key, value in pairs(TINY[name] or { scale = NARROW }) do o[key] = value end
  if name ~= "logreg" and name ~= "wrn" then o.scale = o.scale or NARROW end
  local features = o.features and { o.features } or o.input or name == "lenet5" and { 28, 28, 1 }
    or { 32, 32, 3 }
  return sw.zoo[name](o), features
end

return M
