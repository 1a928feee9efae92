-- The rows of convolutions for op_harness: by plain loops over arrays, images (batch, height,
-- width, channels), weights (outputs, kernel height, kernel width, channels / groups).
local h = require "op_harness"
local windows = require "windows"

local pair, zeros, out_size = windows.pair, windows.zeros, windows.out_size
local joined, with = windows.joined, windows.with

local B = "batch"

-- visit(index into x, index into w, flat position in y, image) for every product of a convolution.
local function each_product(o, x_shape, w_shape, y_shape, visit)
  local sh, sw = pair(o.stride, 1)
  local ph, pw = pair(o.padding, 0)
  local dh, dw = pair(o.dilation, 1)
  local per_group = w_shape[1] // (o.groups or 1)
  for flat = 1, h.size(y_shape) do
    local b, i, j, out = table.unpack(h.unravel(flat, y_shape))
    for tap = 1, w_shape[2] * w_shape[3] * w_shape[4] do
      local p, q, k = table.unpack(h.unravel(tap, { w_shape[2], w_shape[3], w_shape[4] }))
      local row, column = i * sh - ph + p * dh, j * sw - pw + q * dw
      if row >= 0 and row < x_shape[2] and column >= 0 and column < x_shape[3] then
        visit({ b, row, column, out // per_group * w_shape[4] + k }, { out, p, q, k }, flat, b)
      end
    end
  end
end

local function result_shape(o, x, w)
  local sh, sw = pair(o.stride, 1)
  local ph, pw = pair(o.padding, 0)
  local dh, dw = pair(o.dilation, 1)
  return { x[1], out_size(x[2], w[2], sh, ph, dh), out_size(x[3], w[3], sw, pw, dw), w[1] }
end

local function forward(o)
  return function(x, w)
    local y = zeros(result_shape(o, x.shape, w.shape))
    each_product(o, x.shape, w.shape, y.shape, function(at_x, at_w, at_y)
      y[at_y] = y[at_y] + x[h.ravel(at_x, x.shape)] * w[h.ravel(at_w, w.shape)]
    end)
    return y
  end
end

local function input(o, x_shape)
  return function(y, w)
    local x = zeros { y.shape[1], x_shape[2], x_shape[3], x_shape[4] }
    each_product(o, x.shape, w.shape, y.shape, function(at_x, at_w, at_y)
      local i = h.ravel(at_x, x.shape)
      x[i] = x[i] + y[at_y] * w[h.ravel(at_w, w.shape)]
    end)
    return x
  end
end

local function weight(o, w_shape)
  return function(x, y)
    local w, shares, squares = zeros(w_shape), {}, zeros { x.shape[1] }
    for b = 0, x.shape[1] - 1 do shares[b] = zeros(w_shape) end
    each_product(o, x.shape, w_shape, y.shape, function(at_x, at_w, at_y, b)
      local i, product = h.ravel(at_w, w_shape), x[h.ravel(at_x, x.shape)] * y[at_y]
      w[i] = w[i] + product
      shares[b][i] = shares[b][i] + product
    end)
    for b, share in pairs(shares) do
      for i = 1, #share do squares[b + 1] = squares[b + 1] + share[i] * share[i] end
    end
    return w, squares
  end
end

-- Each kind of window: its attributes, images and weights.
local CASES = {
  plain = { {}, { B, 4, 4, 2 }, { 3, 3, 3, 2 } },
  padded = { { padding = 1 }, { B, 4, 3, 2 }, { 2, 3, 3, 2 } },
  strided = { { stride = 2, padding = 1 }, { B, 5, 5, 2 }, { 3, 3, 3, 2 } },
  -- the last rows and columns are in no window
  indivisible = { { stride = 3 }, { B, 7, 6, 1 }, { 2, 2, 2, 1 } },
  gaps = { { stride = 3 }, { B, 5, 4, 2 }, { 2, 1, 1, 2 } },
  dilated = { { dilation = 2, padding = 2 }, { B, 4, 5, 1 }, { 2, 3, 3, 1 } },
  all_at_once = { { stride = { 2, 1 }, padding = { 1, 2 }, dilation = { 1, 2 } },
    { B, 5, 4, 2 }, { 2, 3, 2, 2 } },
  narrow = { { padding = { 0, 1 } }, { B, 3, 5, 2 }, { 2, 1, 3, 2 } },
  grouped = { { groups = 2, padding = 1 }, { B, 3, 3, 4 }, { 6, 3, 3, 2 } },
  depthwise = { { groups = 3, padding = 1 }, { B, 4, 3, 3 }, { 3, 3, 3, 1 } },
  depthwise_multiplied = { { groups = 2, stride = 2 }, { B, 4, 4, 2 }, { 4, 2, 2, 1 } },
  pointwise = { {}, { B, 3, 2, 4 }, { 3, 1, 1, 4 } },
  pointwise_strided = { { stride = 2 }, { B, 4, 3, 2 }, { 3, 1, 1, 2 } },
  -- taps with padding alone
  far_padded = { { padding = 3 }, { B, 2, 2, 1 }, { 1, 3, 3, 1 } },
}

local WRONG = {
  { { B, 4, 4 }, { 2, 3, 3, 2 },
    says = "images must have 4 axes (batch, height, width, channels)" },
  { { B, 4, 4, 2 }, { 3, 3, 2 }, says = "weights must have 4 axes" },
  { { B, 4, 4, 3 }, { 2, 3, 3, 2 },
    says = "3 channels in 1 groups need weights of 3 channels, got 2" },
  { { B, 4, 4, 3 }, { 2, 3, 3, 1 }, attrs = { groups = 2 },
    says = "3 channels cannot be divided into 2 equal groups" },
  { { B, 4, 4, 2 }, { 3, 3, 3, 1 }, attrs = { groups = 2 },
    says = "3 outputs cannot be divided into 2 equal groups" },
  { { B, 4, 4, 2 }, { 3, 3, 5, 2 }, says = "spans 3 x 5 pixels does not fit into images of 4 x 4" },
  { { B, 4, 4, 2 }, { 3, 3, 3, 2 }, attrs = { dilation = 3, padding = 1 },
    says = "spans 7 x 7 pixels does not fit into images of 6 x 6" },
}
local WRONG_INPUT = {
  { { B, 4, 4, 3 }, { 3, 3, 3, 2 }, attrs = {}, says = "size = {height, width}" },
  { { B, 2, 2, 2 }, { 3, 3, 3, 2 }, says = "weights of 3 outputs need a cotangent of as many" },
  { { B, 3, 2, 3 }, { 3, 3, 3, 2 }, says = "the cotangent must have 2 x 2 pixels" },
}
local WRONG_WEIGHT = {
  { { B, 4, 4, 2 }, { B, 2, 2, 3 }, attrs = {}, says = "needs a kernel = {height, width}" },
  { { B, 4, 4, 2 }, { B, 2, 3, 3 }, says = "the cotangent must have 2 x 2 pixels" },
  { { B, 4, 4, 2 }, { 7, 2, 2, 3 }, says = "batches differ" },
}

return function(class)
  for name, case in pairs(CASES) do
    local o, x, w = table.unpack(case)
    local y = result_shape(o, x, w)
    local plain = name == "plain"
    h.add(class, { op = "conv2d", name = "conv2d_" .. name, attrs = o,
      inputs = { with(x, 1), with(w, 1) }, reference = forward(o), wrong = plain and WRONG })
    h.add(class, { op = "conv2d_input", name = "conv2d_input_" .. name,
      attrs = joined(o, { size = { x[2], x[3] } }), inputs = { with(y, 1), with(w, 1) },
      reference = input(o, x), wrong = plain and WRONG_INPUT })
    h.add(class, { op = "conv2d_weight", name = "conv2d_weight_" .. name,
      attrs = joined(o, { kernel = { w[2], w[3] } }), inputs = { with(x, 1), with(y, 1) },
      differentiable = { 1 }, reference = weight(o, w), wrong = plain and WRONG_WEIGHT })
  end
end
