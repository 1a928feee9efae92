--- How weights lie in other libraries' files. Ours are channels last: kernels are (out, height,
--- width, in), PyTorch's (out, in, height, width); and the inputs of the first linear layer behind
--- an image come as (height, width, channels), those of PyTorch's as (channels, height, width).
--- Nothing else differs.
---
--- A rule looks at one kind of layer and knows the shape of what comes in, one example, flattened
--- or not; nil: it is not known. It gives the shape of what goes out and, by parameter, what is to
--- be rearranged.
local errors = require "swale.errors"

local M = {}

---@class swale.Arrangement
---@field split integer[]     our tensor is looked at in this shape,
---@field perm integer[]      its axes are put in this order,
---@field shape integer[]     and this is its shape in the file

---@alias swale.Arrangements table<string, swale.Arrangement>
---@alias swale.LayoutRule fun(layer: table, shape?: integer[]): integer[]?, swale.Arrangements?

---@type table<string, swale.LayoutRule>
local rules = {}

local function is_image(shape) return shape and #shape == 3 end

--- Norms behind Flatten have a weight for each place of the image.
local function norm(layer, shape)
  if not is_image(shape) or layer.channels == shape[3] then return shape end
  local h, w, c = shape[1], shape[2], shape[3]
  if layer.channels ~= h * w * c then return shape end
  local found = {}
  for _, list in ipairs { layer:parameters(), layer:buffers() } do
    for _, p in ipairs(list) do
      if #p.shape == 1 then
        found[p.name] = { split = { h, w, c }, perm = { 3, 1, 2 }, shape = p.shape }
      end
    end
  end
  return shape, found
end

rules.BatchNorm, rules.LayerNorm = norm, norm

function rules.Linear(layer, shape)
  if not is_image(shape) then return { layer.outputs } end
  local h, w, c = shape[1], shape[2], shape[3]
  if layer.inputs ~= h * w * c then return { layer.outputs } end
  return { layer.outputs }, { weight = { split = { layer.outputs, h, w, c }, perm = { 1, 4, 2, 3 },
    shape = { layer.outputs, layer.inputs } } }
end

--- Windows over an image: how many places they have.
local function places(size, kernel, o, i)
  local span = (o.dilation and o.dilation[i] or 1) * (kernel[i] - 1) + 1
  return (size + 2 * o.padding[i] + (o.more and o.more[i] or 0) - span) // o.stride[i] + 1
end

local function windowed(shape, kernel, o, channels)
  if not is_image(shape) then return nil end
  return { places(shape[1], kernel, o, 1), places(shape[2], kernel, o, 2), channels or shape[3] }
end

function rules.Conv2d(layer, shape)
  local o, kh, kw = layer.outputs, layer.kernel[1], layer.kernel[2]
  local inputs = layer.inputs // layer.groups
  return windowed(shape, layer.kernel, layer, o), { weight = { split = { o, kh, kw, inputs },
    perm = { 1, 4, 2, 3 }, shape = { o, inputs, kh, kw } } }
end

function rules.MaxPool2d(layer, shape) return windowed(shape, layer.kernel, layer.window) end
rules.AvgPool2d = rules.MaxPool2d

function rules.GlobalAvgPool(_, shape) return is_image(shape) and { shape[3] } or nil end

function rules.ZeroPad2d(layer, shape)
  if not is_image(shape) then return nil end
  return { shape[1] + 2 * layer.pair[1], shape[2] + 2 * layer.pair[2], shape[3] }
end
rules.ReflectionPad2d = rules.ZeroPad2d

function rules.Upsample(layer, shape)
  if not is_image(shape) then return nil end
  return { shape[1] * layer.pair[1], shape[2] * layer.pair[2], shape[3] }
end

--- What a function of one's own does to the places of an image, nobody knows.
function rules.Lambda(layer, shape)
  if is_image(shape) then
    errors.misuse('layout: %s stands between the image and a linear layer: rearrange the weights'
      .. ' by hand (state_dict, load_state_dict)', tostring(layer))
  end
  return shape
end

--- Children one after another; of a residual connection, side by side.
local function walk(layer, prefix, shape, found)
  local rule, arrangements = rules[layer.kind], nil
  if rule then shape, arrangements = rule(layer, shape) end
  for name, arrangement in pairs(arrangements or {}) do found[prefix .. name] = arrangement end
  local first, body = shape, nil
  for i, child in ipairs(layer:children()) do
    local into = layer.kind == "Residual" and first or shape
    shape = walk(child.layer, prefix .. child.key .. ".", into, found)
    if i == 1 then body = shape end
  end
  return layer.kind == "Residual" and body or shape
end

local function has_flatten(layer)
  if layer.kind == "Flatten" then return true end
  for _, child in ipairs(layer:children()) do
    if has_flatten(child.layer) then return true end
  end
  return false
end

---What is to be rearranged between our layout and PyTorch's.
---@param layer swale.Layer
---@param input integer[]|nil      shape of one example: { height, width, channels }
---@return swale.Arrangements     by path; parameters that lie alike are not in it
function M.pytorch(layer, input)
  if not input and has_flatten(layer) then
    errors.misuse('layout: "pytorch" wants input = { height, width, channels }: a layer flattens')
  end
  local found = {}
  walk(layer, "", input, found)
  return found
end

local function permuted(t, perm)
  local at = {}
  for i = 1, #perm do at[i] = i end
  for i, axis in ipairs(perm) do
    local j = i
    while at[j] ~= axis do j = j + 1 end
    if j ~= i then
      t = t:transpose(i, j)
      at[i], at[j] = at[j], at[i]
    end
  end
  return t
end

---Our tensor as it lies in the file.
---@param t swale.Tensor
---@param a swale.Arrangement
---@return swale.Tensor
function M.to_file(t, a)
  return permuted(t:reshape(a.split), a.perm):contiguous():reshape(a.shape)
end

---The file's tensor as we have it.
---@param t swale.Tensor
---@param a swale.Arrangement
---@return swale.Tensor
function M.from_file(t, a)
  local inside, back = {}, {}
  for i, axis in ipairs(a.perm) do inside[i], back[axis] = a.split[axis], i end
  return permuted(t:reshape(inside), back):contiguous()
end

return M
