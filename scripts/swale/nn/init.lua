--- Layers: descriptions of networks, without weights.
---
---    local net = nn.Sequential { nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10) }
---
--- A Trainer or `net:build { seed = 1 }` makes an instance with weights. Weights are laid out as in
--- PyTorch, (outputs, inputs), and have its paths: "0.weight", "0.bias", "2.weight".
local elementwise = require "swale.nn.elementwise"

---@class swale.nn
---@field Linear fun(inputs: integer, outputs: integer, o?: swale.LinearOptions): swale.Linear
---@field ReLU fun(o?: { name?: string }): swale.Layer
---@field Tanh fun(o?: { name?: string }): swale.Layer
---@field Sigmoid fun(o?: { name?: string }): swale.Layer
---@field LeakyReLU fun(o?: { slope?: number, name?: string }): swale.Layer
---@field GELU fun(o?: { name?: string }): swale.Layer
---@field SiLU fun(o?: { name?: string }): swale.Layer
---@field Softplus fun(o?: { name?: string }): swale.Layer
---@field Flatten fun(o?: { name?: string }): swale.Layer
---@field Lambda fun(f: function, params?: table, o?: { name?: string }): swale.Lambda
---@field Sequential fun(layers: table): swale.Sequential
---@field initializers swale.initializers
local M = {
  Linear = require("swale.nn.linear").Linear,
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
  initializers = require "swale.nn.initializers",
}

return M
