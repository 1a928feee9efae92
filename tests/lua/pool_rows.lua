-- The rows of pools and mirrored borders for op_harness: by plain loops over arrays, images (batch,
-- height, width, channels).
local h = require "op_harness"
local windows = require "windows"

local pair, zeros, out_size = windows.pair, windows.zeros, windows.out_size
local joined, with = windows.joined, windows.with

local B = "batch"

local function pooled_shape(o, x)
  local kh, kw = pair(o.kernel)
  local sh, sw = pair(o.stride, 1)
  local ph, pw = pair(o.padding, 0)
  local dh, dw = pair(o.dilation, 1)
  return { x[1], out_size(x[2], kh, sh, ph, dh), out_size(x[3], kw, sw, pw, dw), x[4] }
end

-- visit(flat position in x, flat position in y, tap) for each tap that lies in the image, in order.
local function each_tap(o, x_shape, visit)
  local kh, kw = pair(o.kernel)
  local sh, sw = pair(o.stride, 1)
  local ph, pw = pair(o.padding, 0)
  local dh, dw = pair(o.dilation, 1)
  local y_shape = pooled_shape(o, x_shape)
  for flat = 1, h.size(y_shape) do
    local b, i, j, c = table.unpack(h.unravel(flat, y_shape))
    for tap = 0, kh * kw - 1 do
      local row, column = i * sh - ph + tap // kw * dh, j * sw - pw + tap % kw * dw
      if row >= 0 and row < x_shape[2] and column >= 0 and column < x_shape[3] then
        visit(h.ravel({ b, row, column, c }, x_shape), flat, tap)
      end
    end
  end
end

local function max_pool(o)
  return function(x)
    local y, index = zeros(pooled_shape(o, x.shape)), zeros(pooled_shape(o, x.shape))
    for i = 1, #y do y[i] = -math.huge end
    each_tap(o, x.shape, function(at, to, tap)
      if x[at] > y[to] then y[to], index[to] = x[at], tap end
    end)
    return y, index
  end
end

local function max_unpool(o, x_shape)
  return function(c, index)
    local x = zeros { c.shape[1], x_shape[2], x_shape[3], x_shape[4] }
    each_tap(o, x.shape, function(at, from, tap)
      if index[from] == tap then x[at] = x[at] + c[from] end
    end)
    return x
  end
end

local function max_repool(o)
  return function(v, index)
    local y = zeros(pooled_shape(o, v.shape))
    each_tap(o, v.shape, function(at, to, tap)
      if index[to] == tap then y[to] = v[at] end
    end)
    return y
  end
end

local function avg_pool(o)
  local kh, kw = pair(o.kernel)
  return function(x)
    local y = zeros(pooled_shape(o, x.shape))
    each_tap(o, x.shape, function(at, to) y[to] = y[to] + x[at] / (kh * kw) end)
    return y
  end
end

local function avg_unpool(o, x_shape)
  local kh, kw = pair(o.kernel)
  return function(c)
    local x = zeros { c.shape[1], x_shape[2], x_shape[3], x_shape[4] }
    each_tap(o, x.shape, function(at, from) x[at] = x[at] + c[from] / (kh * kw) end)
    return x
  end
end

-- Each kind of window: its attributes and images; seven channels are a part of a vector.
local CASES = {
  halves = { { kernel = 2, stride = 2 }, { B, 4, 4, 3 } },
  rest = { { kernel = 2, stride = 2 }, { B, 5, 3, 2 } }, -- a row and a column in no window
  tiles = { { kernel = { 3, 2 }, stride = { 3, 2 } }, { B, 7, 4, 2 } },
  overlapping = { { kernel = 3, stride = 2, padding = 1 }, { B, 5, 6, 2 } },
  dense = { { kernel = 2, padding = 1 }, { B, 3, 3, 2 } },
  gaps = { { kernel = 1, stride = 3 }, { B, 5, 4, 2 } },
  dilated = { { kernel = { 2, 3 }, stride = { 1, 2 }, dilation = { 2, 1 }, padding = { 1, 0 } },
    { B, 4, 5, 2 } },
  everything = { { kernel = { 3, 4 } }, { B, 3, 4, 7 } },
}

local WRONG = {
  { { B, 4, 4 }, says = "images have 4 axes" },
  { { B, 4, 4, 2 }, attrs = {}, says = "needs a kernel = {height, width}" },
  { { B, 4, 4, 2 }, attrs = { kernel = 5 }, says = "does not fit into images of 4 x 4" },
  { { B, 4, 4, 2 }, attrs = { kernel = 2, padding = 2 }, says = "lies in the padding" },
  { { B, 1, 1, 2 }, attrs = { kernel = 2, padding = 1, dilation = 2 },
    says = "lies in the padding" },
}

local function add_pools(class)
  for name, case in pairs(CASES) do
    local o, x = table.unpack(case)
    local y, wrong = pooled_shape(o, x), name == "halves" and WRONG or nil
    local kh, kw = pair(o.kernel)
    local sized, index = joined(o, { size = { x[2], x[3] } }), { taps = kh * kw, table.unpack(y) }
    h.add(class, { op = "max_pool2d", name = "max_pool2d_" .. name, attrs = o, wrong = wrong,
      inputs = { with(x, 8) }, differentiable = { 1 }, reference = max_pool(o) })
    h.add(class, { op = "max_unpool2d", name = "max_unpool2d_" .. name, attrs = sized,
      inputs = { with(y, 1), index }, reference = max_unpool(o, x) })
    h.add(class, { op = "max_repool2d", name = "max_repool2d_" .. name, attrs = o,
      inputs = { with(x, 1), index }, reference = max_repool(o) })
    h.add(class, { op = "avg_pool2d", name = "avg_pool2d_" .. name, attrs = o, wrong = wrong,
      inputs = { with(x, 1) }, reference = avg_pool(o) })
    h.add(class, { op = "avg_unpool2d", name = "avg_unpool2d_" .. name, attrs = sized,
      inputs = { with(y, 1) }, reference = avg_unpool(o, x) })
  end
end

-- visit(flat position in x, flat position in the padded image)
local function each_mirrored(ph, pw, x_shape, visit)
  local y_shape = { x_shape[1], x_shape[2] + 2 * ph, x_shape[3] + 2 * pw, x_shape[4] }
  local function mirrored(i, n)
    i = math.abs(i)
    return i < n and i or 2 * (n - 1) - i
  end
  for flat = 1, h.size(y_shape) do
    local at = h.unravel(flat, y_shape)
    at[2], at[3] = mirrored(at[2] - ph, x_shape[2]), mirrored(at[3] - pw, x_shape[3])
    visit(h.ravel(at, x_shape), flat)
  end
  return y_shape
end

local function reflect_pad(ph, pw)
  return function(x)
    local y = {}
    y.shape = each_mirrored(ph, pw, x.shape, function(from, to) y[to] = x[from] end)
    return y
  end
end

local function reflect_fold(ph, pw)
  return function(y)
    local x = zeros { y.shape[1], y.shape[2] - 2 * ph, y.shape[3] - 2 * pw, y.shape[4] }
    each_mirrored(ph, pw, x.shape, function(to, from) x[to] = x[to] + y[from] end)
    return x
  end
end

local function add_reflections(class)
  for name, case in pairs { even = { 1, 1 }, most = { 2, 3 }, rows = { 2, 0 } } do
    local ph, pw = table.unpack(case)
    h.add(class, { op = "reflect_pad2d", name = "reflect_pad2d_" .. name,
      attrs = { padding = case }, inputs = { { B, 3, 4, 2 } }, reference = reflect_pad(ph, pw),
      wrong = name == "most" and { { { B, 2, 4, 2 }, says = "is too large for images of 2 x 4" },
        { { B, 3, 4 }, says = "images have 4 axes" } } })
    h.add(class, { op = "reflect_fold2d", name = "reflect_fold2d_" .. name,
      attrs = { padding = case }, inputs = { { B, 3 + 2 * ph, 4 + 2 * pw, 2 } },
      reference = reflect_fold(ph, pw),
      wrong = name == "most" and {
        { { B, 6, 10, 2 }, says = "is too large for images of 2 x 4" } } })
  end
end

return function(class)
  add_pools(class)
  add_reflections(class)
end
