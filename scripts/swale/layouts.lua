--- How weights lie in other libraries' files. Ours are channels last: kernels are (out, height,
--- width, in), PyTorch's (out, in, height, width); and a flattened image is (height, width,
--- channels), PyTorch's (channels, height, width), which moves the weights of a linear layer or a
--- norm behind it. Nothing else differs.
---
--- The network is called once for the shapes. Then a rule for each kind of layer says in which
--- order the values behind it lie, from the order before it, and which parameters are rearranged.
--- Where the order is not known and matters, the file is refused.
local core = require "swale.core"
local entry = require "swale.entry"
local errors = require "swale.errors"
local listen = require("swale.nn.listen").listen
local segments = require "swale.segments"

local M = {}

---@class swale.Arrangement
---@field split integer[]     our tensor is looked at in this shape,
---@field perm integer[]      its axes are put in this order,
---@field shape integer[]     and this is its shape in the file

---@alias swale.Arrangements table<string, swale.Arrangement>

---@class swale.Order           in which order the values between two layers lie
---@field kind "plain"|"image"|"flat"|"unknown"   the same as in PyTorch; (height, width, channels);
---the same in one axis; made by a layer of which it is not known
---@field shape? integer[]      of flat: the image
---@field layer? swale.Layer    of unknown

---@type swale.Order
local PLAIN, IMAGE = { kind = "plain" }, { kind = "image" }

local function flat(shape)
  local h, w, c = shape[1], shape[2], shape[3]
  if c == 1 or h * w == 1 then return PLAIN end
  return { kind = "flat", shape = shape }
end

local function unknown(layer) return { kind = "unknown", layer = layer } end

local function refuse(layer, why)
  errors.misuse("layout: %s %s: rearrange the weights by hand (state_dict, load_state_dict)",
    tostring(layer), why)
end

local function refuse_unknown(order)
  refuse(order.layer, "stands between the image and a linear layer")
end

--- rules[kind](order before, layer, shape before without the batch, told) -> order behind,
--- arrangements. told.channels: a layer has confirmed how many channels the input has.
local rules = {}

function rules.Flatten(order, _, shape) return order == IMAGE and flat(shape) or order end

function rules.Linear(order, layer, shape)
  if order == IMAGE then return unknown(layer) end
  if order.kind == "unknown" and #shape == 1 then refuse_unknown(order) end
  if order.kind ~= "flat" then return order end
  local h, w, c = table.unpack(order.shape)
  return PLAIN, { weight = { split = { layer.outputs, h, w, c }, perm = { 1, 4, 2, 3 },
    shape = { layer.outputs, layer.inputs } } }
end

function rules.Conv2d(order, layer, _, told)
  local o, kh, kw = layer.outputs, layer.kernel[1], layer.kernel[2]
  local inputs = layer.inputs // layer.groups
  told.channels = told.channels or order == IMAGE
  return IMAGE, { weight = { split = { o, kh, kw, inputs }, perm = { 1, 4, 2, 3 },
    shape = { o, inputs, kh, kw } } }
end

--- A norm of a flattened image has a weight and statistics for each place of it.
local function norm(order, layer, shape, told)
  if order == IMAGE then told.channels = true end
  if order.kind == "unknown" and #shape == 1 then refuse_unknown(order) end
  if order.kind ~= "flat" then return order end
  if layer.kind == "GroupNorm" and layer.groups > 1 then
    refuse(layer, "has other groups in a flattened image of PyTorch's")
  end
  local h, w, c = table.unpack(order.shape)
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

rules.BatchNorm, rules.LayerNorm, rules.GroupNorm = norm, norm, norm

function rules.GlobalAvgPool() return PLAIN end

function rules.Lambda(order, layer) return order == PLAIN and order or unknown(layer) end

local walk

--- Body and shortcut are added: they must lie alike.
function rules.Residual(order, layer, _, told, prefix, seen, found)
  local list = layer:children()
  local function child(i)
    return list[i] and walk(list[i].layer, prefix .. list[i].key .. ".", order, told, seen, found)
      or order
  end
  local body, shortcut = child(1), child(2)
  for _, one in ipairs { body, shortcut } do if one.kind == "unknown" then return one end end
  if body.kind ~= shortcut.kind then
    refuse(layer, "adds a flattened image to values that are none")
  end
  return body
end

--- The order behind a layer; children one after another.
function walk(layer, prefix, order, told, seen, found)
  local rule, arrangements = rules[layer.kind], nil
  if rule then
    order, arrangements = rule(order, layer, seen[layer] or {}, told, prefix, seen, found)
  end
  for name, arrangement in pairs(arrangements or {}) do found[prefix .. name] = arrangement end
  if layer.kind == "Residual" then return order end
  for _, child in ipairs(layer:children()) do
    order = walk(child.layer, prefix .. child.key .. ".", order, told, seen, found)
  end
  return order
end

-- ------------------------------------------------------------------ the shape of an example

local function text_of(input) return "{ " .. table.concat(input, ", ") .. " }" end

local function is_count(n) return math.type(n) == "integer" and n > 0 end

--- The list, and whether its axes were named.
local function input_shape(input)
  local named = input.height or input.width or input.channels
  local list = named and { input.height, input.width, input.channels } or input
  local n = 0
  for key in pairs(input) do n = n + 1; if not named and not is_count(key) then n = -1 end end
  for i = 1, n do if not is_count(list[i]) then n = -1 end end
  if n < 1 or n ~= #list or named and n ~= 3 then
    errors.misuse("layout: input is the shape of one example, { height, width, channels } or"
      .. " { height =, width =, channels = } of an image")
  end
  return table.move(list, 1, n, 1, {}), named ~= nil
end

--- Shapes before each layer, without the batch; nil and the message of the layer that refuses.
local function call(layer, input, features)
  local graph, seen = core.graph(), {}
  local bound = segments.nodes(graph, layer)
  local function note(l, _, x)
    local shape = core.type(x) == "node" and x:shape() or {}
    seen[l] = seen[l] or table.move(shape, 2, #shape, 1, {})
  end
  local ok, why = pcall(listen, layer, note, function()
    layer:call(entry.input(graph, { rows = input, features = features,
      index = layer:takes() == "indices" }), bound)
  end)
  if ok then return seen end
  return nil, (tostring(why):gsub("^[^\n]-:%d+: ", "", 1))
end

--- Rows as they lie or, where a network takes rows, in one axis. The order of the first values.
local function begin(layer, input)
  local features = entry.features(layer, input, #input == 3 and input or nil)
  local seen, why = call(layer, input, features)
  if not seen and #input > 1 then -- the data's rows may be flat
    features = { segments.elements(input) }
    seen = call(layer, input, features)
  end
  if not seen then return nil, nil, why end
  if #input ~= 3 then return seen, PLAIN end
  return seen, #features == 3 and IMAGE or flat(input)
end

local function turned(input) return { input[2], input[3], input[1] } end

local function refuse_input(layer, input, why)
  local hint = #input == 3 and begin(layer, turned(input))
    and ("\n  input is { height, width, channels }: %s?"):format(text_of(turned(input))) or ""
  errors.misuse("layout: input = %s is not what the network takes%s\n  %s", text_of(input), hint,
    why)
end

--- Whether { a, b, c } may be { channels, height, width }: a square image then, or few channels.
local function looks_turned(input)
  local a, b, c = table.unpack(input)
  return #input == 3 and a ~= b and (b == c or a <= 4 and c > 4)
end

local function refuse_ambiguous(input)
  local a, b, c = table.unpack(input)
  local form = "{ height = %d, width = %d, channels = %d }"
  errors.misuse("layout: input = %s: no layer tells which of them are the channels; name them:"
    .. "\n  input = " .. form .. "\n  input = " .. form, text_of(input), b, c, a, a, b, c)
end

local function has_flatten(layer)
  if layer.kind == "Flatten" then return true end
  for _, child in ipairs(layer:children()) do
    if has_flatten(child.layer) then return true end
  end
  return false
end

--- Whether anything but kernels is rearranged.
local function moves(found)
  for _, a in pairs(found) do if #a.split ~= 4 or #a.shape ~= 4 then return true end end
  return false
end

---What is to be rearranged between our layout and PyTorch's. A shape that the network refuses is
---refused, and so is one that does not show which axis holds the channels.
---@param layer swale.Layer
---@param input table|nil         shape of one example: { height, width, channels }, or by name
---@return swale.Arrangements     by path; parameters that lie alike are not in it
---@return integer[]|nil input    if it matters
function M.pytorch(layer, input)
  local found, told = {}, { channels = false }
  if not input then
    if has_flatten(layer) then
      errors.misuse('layout: "pytorch" wants input, the shape of one example, of images'
        .. ' { height, width, channels }: a layer flattens')
    end
    walk(layer, "", PLAIN, told, {}, found)
    return found
  end
  local list, named = input_shape(input)
  local seen, order, why = begin(layer, list)
  if not seen then refuse_input(layer, list, why) end
  walk(layer, "", order, told, seen, found)
  if not moves(found) then return found end
  if not named and not told.channels and looks_turned(list) then refuse_ambiguous(list) end
  return found, list
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
