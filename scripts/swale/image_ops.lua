--- Ops on images (B, height, width, channels): pooling, padding, upsampling. They are part of
--- swale.ops, and methods as well.
local core = require "swale.core"
local errors = require "swale.errors"
local options = require "swale.options"
local windows = require "swale.nn.windows"

local M = {}

local apply = core.apply

---@class swale.PoolAttributes            pairs are { rows, columns }; one number stands for both
---@field stride? integer|integer[]     the kernel's size, so that windows do not overlap
---@field padding? integer|integer[]    pixels on each side; 0
---@field dilation? integer|integer[]   pixels from one tap of the window to the next; 1

--- The shape of images.
local function image(where, x)
  local shape = x:shape()
  if #shape == 4 then return shape end
  errors.misuse("%s: images are (batch, height, width, channels), got %s", where,
    errors.shape_text(shape))
end

local POOL = { stride = "any?", padding = "any?", dilation = "any?" }

local function window(where, x, kernel, o)
  image(where, x)
  local w = options.check(where, o, POOL)
  w.kernel = windows.pair(where, "kernel", kernel, 1)
  w.stride = w.stride or w.kernel
  return w
end

---The largest value of each window, without the padding. Of equal ones the first gets the
---derivative.
---@param x swale.Value
---@param kernel integer|integer[]
---@param o? swale.PoolAttributes
---@return swale.Value
function M.max_pool2d(x, kernel, o)
  return (apply("max_pool2d", window("max_pool2d", x, kernel, o), x))
end

---The average of each window, in which the padding counts as zeros.
---@param x swale.Value
---@param kernel integer|integer[]
---@param o? swale.PoolAttributes
---@return swale.Value
function M.avg_pool2d(x, kernel, o)
  return (apply("avg_pool2d", window("avg_pool2d", x, kernel, o), x))
end

---The average over all pixels: (B, height, width, channels) -> (B, channels)
---@param x swale.Value
---@return swale.Value
function M.global_avg_pool2d(x)
  image("global_avg_pool2d", x)
  return x:mean { 2, 3 }
end

---Zeros around each image.
---@param x swale.Value
---@param padding integer|integer[]     pixels on each side, or { rows, columns }
---@return swale.Value
function M.zero_pad2d(x, padding)
  image("zero_pad2d", x)
  local rows, columns = table.unpack(windows.pair("zero_pad2d", "padding", padding, 0))
  if rows > 0 then x = x:pad(2, rows, rows) end
  return columns > 0 and x:pad(3, columns, columns) or x
end

---Pads by reflection; the edge is not repeated.
---@param x swale.Value
---@param padding integer|integer[]     pixels on each side, or { rows, columns }
---@return swale.Value
function M.reflect_pad2d(x, padding)
  image("reflect_pad2d", x)
  padding = windows.pair("reflect_pad2d", "padding", padding, 0)
  return (apply("reflect_pad2d", { padding = padding }, x))
end

---Repeats each pixel factor x factor times.
---@param x swale.Value
---@param factor integer|integer[]      or { rows, columns }
---@return swale.Value
function M.upsample2d(x, factor)
  local b, rows, columns, channels = table.unpack(image("upsample2d", x))
  local down, across = table.unpack(windows.pair("upsample2d", "factor", factor, 1))
  local apart = apply("reshape", { shape = { b, rows, 1, columns, 1, channels } }, x)
  local equal = apply("broadcast", { shape = { b, rows, down, columns, across, channels } },
    apart)
  return (apply("reshape", { shape = { b, rows * down, columns * across, channels } }, equal))
end

return M
