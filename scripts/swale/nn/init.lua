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
---@field Linear fun(inputs: integer, outputs: integer, o?: swale.LinearOptions): swale.Linear
---@field Conv2d fun(inputs: integer, outputs: integer, kernel: swale.Pair, o?: table): swale.Conv2d
---@field BatchNorm fun(channels: integer, o?: swale.BatchNormOptions): swale.BatchNorm
---@field GhostBatchNorm fun(size: integer, o?: swale.BatchNormOptions): function
---@field LayerNorm fun(channels: integer, o?: swale.NormOptions): swale.LayerNorm
---@field GroupNorm fun(groups: integer, channels: integer, o?: swale.NormOptions): swale.GroupNorm
---@field Dropout fun(p?: number, o?: { name?: string }): swale.Dropout
---@field MaxPool2d fun(kernel: swale.Pair, o?: swale.PoolOptions): swale.Pool
---@field AvgPool2d fun(kernel: swale.Pair, o?: swale.PoolOptions): swale.Pool
---@field GlobalAvgPool fun(o?: { name?: string }): swale.Layer
---@field ZeroPad2d fun(padding: swale.Pair, o?: { name?: string }): swale.Layer
---@field ReflectionPad2d fun(padding: swale.Pair, o?: { name?: string }): swale.Layer
---@field Upsample fun(factor: swale.Pair, o?: { name?: string }): swale.Layer
---@field Residual fun(o: swale.ResidualOptions|table): swale.Residual
---@field ShortcutA fun(inputs: integer, outputs: integer, stride?: integer): swale.ShortcutA
---@field Embedding fun(vocabulary: integer, size: integer, o?: table): swale.Embedding
---@field Positions fun(length: integer, size: integer, o?: table): swale.Positions
---@field MultiHeadAttention fun(size: integer, heads: integer, o?: table): swale.MultiHeadAttention
---@field TransformerBlock fun(size: integer, heads: integer, o?: table): swale.TransformerBlock
---@field ReLU fun(o?: { name?: string }): swale.Layer
---@field Tanh fun(o?: { name?: string }): swale.Layer
---@field Sigmoid fun(o?: { name?: string }): swale.Layer
---@field LeakyReLU fun(o?: { slope?: number, name?: string }): swale.Layer
---@field GELU fun(o?: { name?: string }): swale.Layer
---@field SiLU fun(o?: { name?: string }): swale.Layer
---@field Softplus fun(o?: { name?: string }): swale.Layer
---@field Flatten fun(o?: { name?: string }): swale.Layer
---@field Lambda fun(f: function, params?: table, o?: { name?: string }): swale.Lambda
---@field shared fun(layer: swale.Layer, o?: { name?: string }): swale.Layer
---@field Sequential fun(layers: table): swale.Sequential
---@field initializers swale.initializers
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
