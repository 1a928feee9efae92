--- Layers: descriptions of networks, without weights.
---
---    local net = nn.Sequential { nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10) }
---
--- A Trainer or `net:build { seed = 1 }` makes an instance with weights. Weights are laid out as in
--- PyTorch, (outputs, inputs), and have its paths: "0.weight", "0.bias", "2.weight".
local batch_norm = require "swale.nn.batch_norm"
local elementwise = require "swale.nn.elementwise"
local embedding = require "swale.nn.embedding"
local norms = require "swale.nn.norms"
local padding = require "swale.nn.padding"
local pool = require "swale.nn.pool"
local residual = require "swale.nn.residual"

---@class swale.nn
local M = {
  Linear = require("swale.nn.linear").Linear,
  Conv2d = require("swale.nn.conv").Conv2d,
  BatchNorm = batch_norm.BatchNorm,
  GhostBatchNorm = batch_norm.GhostBatchNorm,
  LayerNorm = norms.LayerNorm,
  GroupNorm = norms.GroupNorm,
  Dropout = require("swale.nn.dropout").Dropout,
  MaxPool2d = pool.MaxPool2d,
  AvgPool2d = pool.AvgPool2d,
  GlobalAvgPool = pool.GlobalAvgPool,
  ZeroPad2d = padding.ZeroPad2d,
  ReflectionPad2d = padding.ReflectionPad2d,
  Upsample = padding.Upsample,
  Residual = residual.Residual,
  ShortcutA = residual.ShortcutA,
  Embedding = embedding.Embedding,
  Positions = embedding.Positions,
  MultiHeadAttention = require("swale.nn.attention").MultiHeadAttention,
  TransformerBlock = require("swale.nn.transformer").TransformerBlock,
  ReLU = elementwise.ReLU,
  Tanh = elementwise.Tanh,
  Sigmoid = elementwise.Sigmoid,
  LeakyReLU = elementwise.LeakyReLU,
  GELU = elementwise.GELU,
  SiLU = elementwise.SiLU,
  Softplus = elementwise.Softplus,
  Flatten = elementwise.Flatten,
  Lambda = require("swale.nn.lambda").Lambda,
  Sequential = require("swale.nn.sequential").Sequential,
  shared = require("swale.nn.shared").shared,
  initializers = require "swale.nn.initializers",
}

return M
