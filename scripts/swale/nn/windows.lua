--- Shared by layers over images: options that are pairs, and shapes of images.
local errors = require "swale.errors"

local M = {}

---@alias swale.Pair integer|integer[]   of both axes, or { rows, columns }

---A number for both axes, or { rows, columns }.
---@param where string
---@param name string
---@param value swale.Pair
---@param least integer
---@param word? string       what else it may be, for the message
---@return integer[]
function M.pair(where, name, value, least, word)
  local pair = type(value) == "table" and value or { value, value }
  for i = 1, 2 do
    local n = type(pair[i]) == "number" and math.tointeger(pair[i])
    if not n or n < least or #pair ~= 2 then
      errors.misuse("%s: %s must be a whole number from %d on, or two, { rows, columns }%s, not %s",
        where, name, least, word and (", or %q"):format(word) or "",
        type(value) == "table" and #value > 0 and errors.shape_text(value) or errors.shown(value))
    end
  end
  return { math.tointeger(pair[1]), math.tointeger(pair[2]) }
end

---The height and width of the output of windows over an image.
---    height' = (height + 2 padding + more - dilation (kernel - 1) - 1) // stride + 1
---@param shape integer[]     of the image, without the batch
---@param kernel integer[]
---@param window { stride: integer[], padding: integer[], dilation: integer[] }
---@param more? integer[]     padding on one side alone
---@return integer height, integer width
function M.sizes(shape, kernel, window, more)
  local sizes = {}
  for i = 1, 2 do
    local span = window.dilation[i] * (kernel[i] - 1) + 1
    local room = shape[i] + 2 * window.padding[i] + (more and more[i] or 0)
    sizes[i] = (room - span) // window.stride[i] + 1
  end
  return sizes[1], sizes[2]
end

---"3x5"
---@param pair integer[]
---@return string
function M.text(pair) return ("%dx%d"):format(pair[1], pair[2]) end

---The shape of x, which must be of images, and have so many channels if given.
---@param x swale.Value
---@param channels? integer
---@return swale.size[]
function M.image(x, channels)
  local shape = x:shape()
  if #shape ~= 4 then
    errors.misuse("takes images (batch, height, width, channels), not %s; rows become images by"
      .. " x:reshape { -1, height, width, channels }", errors.shape_text(shape))
  elseif channels and shape[4] ~= channels then
    errors.misuse("takes images of %d channels, not %s%s", channels, errors.shape_text(shape),
      shape[2] == channels and "; channels come last, (batch, height, width, channels):"
      .. " x:transpose(2, 3):transpose(3, 4) puts them there" or ", which have " .. shape[4])
  end
  return shape
end

return M
