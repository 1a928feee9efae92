--- How weights lie in other libraries' files. Ours are (out, in) and channels last: the inputs of
--- the first linear layer behind an image come as (height, width, channels), those of PyTorch's as
--- (channels, height, width). Nothing else differs for linear layers.
---
--- A rule looks at one kind of layer and knows the shape of what comes in, one example, flattened
--- or not. It gives the shape of what goes out and, by parameter, what is to be rearranged.
local errors = require "swale.errors"

local M = {}

---@class swale.Arrangement
---@field split integer[]     our tensor is looked at in this shape,
---@field perm integer[]      its axes are put in this order,
---@field shape integer[]     and this is its shape in the file

---@alias swale.Arrangements table<string, swale.Arrangement>
---@alias swale.LayoutRule fun(layer: table, shape: integer[]): integer[], swale.Arrangements|nil

---@type table<string, swale.LayoutRule>
local rules = {}

local function is_image(shape) return #shape == 3 end

function rules.Linear(layer, shape)
  local h, w, c = shape[1], shape[2], shape[3]
  if not is_image(shape) or layer.inputs ~= h * w * c then return { layer.outputs } end
  return { layer.outputs }, { weight = { split = { layer.outputs, h, w, c }, perm = { 1, 4, 2, 3 },
    shape = { layer.outputs, layer.inputs } } }
end

--- What a function of one's own does to the places of an image, nobody knows.
function rules.Lambda(layer, shape)
  if is_image(shape) then
    errors.misuse('layout: %s stands between the image and a linear layer: rearrange the weights'
      .. ' by hand (state_dict, load_state_dict)', tostring(layer))
  end
  return shape
end

local function walk(layer, prefix, shape, found)
  local rule, arrangements = rules[layer.kind], nil
  if rule then shape, arrangements = rule(layer, shape) end
  for name, arrangement in pairs(arrangements or {}) do found[prefix .. name] = arrangement end
  for _, child in ipairs(layer:children()) do
    shape = walk(child.layer, prefix .. child.key .. ".", shape, found)
  end
  return shape
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
  if input then walk(layer, "", input, found) end
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
