--- The order of the values between two layers, compared with PyTorch. Images are (height, width,
--- channels) here and (channels, height, width) in PyTorch, and so are flattened images: that
--- permutes the weights of a linear layer or of a norm behind them.
local errors = require "swale.errors"

local M = {}

---@class swale.Order
---@field flattened? integer[]      a flattened image, in one axis: its height, width and channels
---@field unknown? swale.Layer      unknown, because of this layer

---@class swale.Arrangement         of a parameter or buffer
---@field split integer[]     our tensor is reshaped to this,
---@field perm integer[]      its axes are put in this order,
---@field shape integer[]     and this is its shape in the file

---The same as in PyTorch.
---@type swale.Order
M.PLAIN = {}

---An image in three axes.
---@type swale.Order
M.IMAGE = {}

---The order behind a flattened image.
---@param shape integer[]     height, width, channels
---@return swale.Order
function M.flattened(shape)
  local h, w, c = shape[1], shape[2], shape[3]
  if c == 1 or h * w == 1 then return M.PLAIN end
  return { flattened = shape }
end

---The order behind a layer whose order is unknown.
---@param layer swale.Layer
---@return swale.Order
function M.unknown(layer) return { unknown = layer } end

---Whether values of both orders may be added.
---@param a swale.Order
---@param b swale.Order
---@return boolean
function M.agree(a, b) return a == b or a.flattened ~= nil and b.flattened ~= nil end

---Raises: the layer has no layout in PyTorch's files.
---@param layer swale.Layer
---@param why string
function M.refuse(layer, why)
  errors.misuse("layout: %s %s: rearrange the weights by hand (state_dict, load_state_dict)",
    tostring(layer), why)
end

---Refuses rows of an unknown order, for a layer with a weight for each of their values.
---@param order swale.Order
---@param shape integer[]|nil
function M.check_rows(order, shape)
  if order.unknown and shape and #shape == 1 then
    M.refuse(order.unknown, "stands between the image and a linear layer")
  end
end

---What pytorch gives for a layer with one weight, or statistic, for each value of the last axis:
---behind a flattened image they are permuted as the image is.
---@param layer swale.Layer
---@param shape integer[]|nil
---@param order swale.Order
---@param walk swale.LayoutWalk
---@return swale.Order, table<string, swale.Arrangement>|nil
function M.per_value(layer, shape, order, walk)
  walk:confirm(order)
  M.check_rows(order, shape)
  if not order.flattened then return order end
  local h, w, c = table.unpack(order.flattened)
  local found = {}
  for _, list in ipairs { layer:parameters(), layer:buffers() } do
    for _, p in ipairs(list) do
      if #p.shape == 1 then
        found[p.name] = { split = { h, w, c }, perm = { 3, 1, 2 }, shape = p.shape }
      end
    end
  end
  return order, found
end

return M
