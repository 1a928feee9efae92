--- Layers that enlarge images: padding and upsampling.
local layer = require "swale.nn.layer"
local ops = require "swale.ops"
local options = require "swale.options"
local windows = require "swale.nn.windows"

local M = {}

--- size(n, k): rows or columns of the output for n of the input.
local function constructor(kind, what, least, forward, size)
  local class = layer.kind(kind)
  local where = "nn." .. kind
  function class:takes() return "images" end
  function class:keeps_channels() return true end
  function class:declared() return what .. " " .. windows.text(self.pair) end
  function class:forward(x)
    windows.image(x)
    return forward(x, self.pair)
  end
  function class:output(shape)
    return { size(shape[1], self.pair[1]), size(shape[2], self.pair[2]), shape[3] }
  end
  local function make(value, o)
    o = options.check(where, o, { name = "string?" })
    o.pair = windows.pair(where, what, value, least)
    layer.check_name(where, o.name)
    return layer.new(class, o)
  end
  function class.sample() return make { 1, 2 }, layer.example { 4, 3, 5, 2 } end
  return make
end

local function padded(n, k) return n + 2 * k end

local zero = constructor("ZeroPad2d", "padding", 0, ops.zero_pad2d, padded)
local reflection = constructor("ReflectionPad2d", "padding", 0, ops.reflect_pad2d, padded)
local upsample = constructor("Upsample", "factor", 1, ops.upsample2d,
  function(n, k) return n * k end)

---Adds rows and columns of zeros on both sides.
---@param padding swale.Pair
---@param o? { name?: string }
---@return swale.Layer
function M.ZeroPad2d(padding, o) return zero(padding, o) end

---Adds rows and columns on both sides by reflection at the edges, which are not repeated.
---@param padding swale.Pair    less than the image's height and width
---@param o? { name?: string }
---@return swale.Layer
function M.ReflectionPad2d(padding, o) return reflection(padding, o) end

---Repeats each pixel `factor` times, in rows and columns (nearest neighbour).
---@param factor swale.Pair
---@param o? { name?: string }
---@return swale.Layer
function M.Upsample(factor, o) return upsample(factor, o) end

return M
