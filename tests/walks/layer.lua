--- A layer: RMSNorm (Zhang and Sennrich 2019).
local FILE = "scripts/swale/nn/rms_norm.lua"

return {
  adds = "layer RMSNorm",
  pieces = {
    { name = "file", file = FILE, create = true, dropped = "module 'swale.nn.rms_norm' not found",
      text = [[
--- Normalisation by the root of the mean square (Zhang and Sennrich 2019).
local layer = require "swale.nn.layer"
local ops = require "swale.ops"
local options = require "swale.options"
local orders = require "swale.nn.order"

local M = {}

---@class swale.RMSNorm: swale.Layer
---@field channels integer
local RMSNorm = layer.kind "RMSNorm"

function RMSNorm:parameters()
  return { { name = "weight", shape = { self.channels }, init = "ones" } }
end

function RMSNorm:forward(x, p)
  return x * p.weight / ops.sqrt(ops.mean(x * x, -1, true) + self.eps)
end

local OPTIONS = { eps = { "positive", 1e-5 }, name = "string?" }

---y = weight x / sqrt(mean of x^2 + eps), over the last axis.
---@param channels integer
---@param o? { eps?: number, name?: string }
---@return swale.RMSNorm
function M.RMSNorm(channels, o)
  o = options.check("nn.RMSNorm", o, OPTIONS)
  o.channels = options.value("nn.RMSNorm", "channels", channels, "count")
  layer.check_name("nn.RMSNorm", o.name)
  return layer.new(RMSNorm, o)
end

return M
]] },
    { name = "output", of = "file", file = FILE, before = "local OPTIONS = {", text = [[
function RMSNorm:output(shape) return shape end
]], dropped = "nn%.RMSNorm does not define output%(shape%)" },
    { name = "couples", of = "file", file = FILE, before = "local OPTIONS = {", text = [[
function RMSNorm:couples() return nil end
]], dropped = "nn%.RMSNorm does not define couples%(%)" },
    { name = "pytorch", of = "file", file = FILE, before = "local OPTIONS = {", text = [[
RMSNorm.pytorch = orders.per_value
]], dropped = "nn%.RMSNorm does not define pytorch%(shape, order, walk%)" },
    { name = "sample", of = "file", file = FILE, before = "local OPTIONS = {", text = [[
function RMSNorm.sample() return M.RMSNorm(6), layer.example { 4, 6 } end
]], dropped = "nn%.RMSNorm does not define sample%(%)" },
    { name = "name in the list", file = "scripts/swale/nn/init.lua",
      after = "GroupNorm = norms.GroupNorm,",
      text = [[
  RMSNorm = require("swale.nn.rms_norm").RMSNorm,
]], dropped = "nn/init%.lua lacks RMSNorm" },
    { name = "declared", of = "file", file = FILE, before = "local OPTIONS = {", text = [[
function RMSNorm:declared() return ("%d channels"):format(self.channels) end

]], dropped = "nn%.RMSNorm: .*: declared" },
    { name = "line of docs", file = "docs/reference.md", part = "docs",
      replace = "`LayerNorm` `GroupNorm`", text = "`LayerNorm` `GroupNorm` `RMSNorm`",
      dropped = "reference%.md names no RMSNorm" },
  },
  tests = { { "lua", "^test_layers%." } },
}
