--- Networks from the papers, by their names there:
---
---     local net = sw.zoo.resnet20 { classes = data.classes, norm = sw.nn.GhostBatchNorm(64) }
---
--- Each is a function of options that returns a layer. Those for images take (B, height, width,
--- channels); scale reduces all widths, for tests and small machines.
local dense = require "swale.zoo.dense"
local preresnet = require "swale.zoo.preresnet"
local resnet = require "swale.zoo.resnet"
local shallow = require "swale.zoo.shallow"
local vgg = require "swale.zoo.vgg"

---@class swale.zoo
local M = {
  logreg = dense.logreg, mlp_small = dense.mlp_small, mlp = dense.mlp, F1 = dense.F1,
  F2 = dense.F2,
  lenet5 = shallow.lenet5, cnn_small = shallow.cnn_small, C1 = shallow.C1, C3 = shallow.C3,
  C2 = vgg.C2, C4 = vgg.C4, vgg16 = vgg.vgg16,
  resnet20 = resnet.resnet20, resnet56 = resnet.resnet56,
  preresnet110 = preresnet.preresnet110, preresnet164 = preresnet.preresnet164,
  wrn = preresnet.wrn, wrn_16_4 = preresnet.wrn_16_4, wrn_28_10 = preresnet.wrn_28_10,
  char_transformer = require("swale.zoo.char_transformer").char_transformer,
}

local names = require("swale.errors").sorted_keys(M)

---All networks.
---@return string[]
function M.names() return table.move(names, 1, #names, 1, {}) end

return M
