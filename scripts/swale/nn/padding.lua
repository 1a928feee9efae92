--- Images made larger: frames around them, and each pixel repeated.
local core = require "swale.core"
local layer = require "swale.nn.layer"
local ops = require "swale.ops"
local options = require "swale.options"
local windows = require "swale.nn.windows"

local M = {}

local function constructor(kind, what, least, forward)
  local class = layer.kind(kind)
  local where = "nn." .. kind
  function class:takes() return "images" end
  function class:declared() return what .. " " .. windows.text(self.pair) end
  function class:forward(x) return forward(x, self.pair, windows.image(x)) end
  return function(value, o)
    o = options.check(where, o, { name = "string?" })
    o.pair = windows.pair(where, what, value, least)
    layer.check_name(where, o.name)
    return layer.new(class, o)
  end
end

local zero = constructor("ZeroPad2d", "padding", 0, function(x, pair)
  return ops.pad(ops.pad(x, 2, pair[1], pair[1]), 3, pair[2], pair[2])
end)

local reflection = constructor("ReflectionPad2d", "padding", 0, function(x, pair)
  return (core.apply("reflect_pad2d", { padding = pair }, x))
end)

local upsample = constructor("Upsample", "factor", 1, function(x, pair, shape)
  local b, h, w, c = table.unpack(shape)
  local apart = ops.reshape(x, { b, h, 1, w, 1, c })
  local wide = ops.broadcast(apart, { b, h, pair[1], w, pair[2], c })
  if core.type(wide) == "tensor" then wide = wide:contiguous() end
  return ops.reshape(wide, { b, h * pair[1], w * pair[2], c })
end)

---Rows and columns of zeros on both sides.
---@param padding swale.Pair
---@param o? { name?: string }
---@return swale.Layer
function M.ZeroPad2d(padding, o) return zero(padding, o) end

---The image mirrored at its edges, whose own pixels are not repeated.
---@param padding swale.Pair    less than the image's height and width
---@param o? { name?: string }
---@return swale.Layer
function M.ReflectionPad2d(padding, o) return reflection(padding, o) end

---Each pixel so many times, in rows and columns (nearest neighbour).
---@param factor swale.Pair
---@param o? { name?: string }
---@return swale.Layer
function M.Upsample(factor, o) return upsample(factor, o) end

return M
