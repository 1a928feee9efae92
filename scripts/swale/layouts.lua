--- Weights in the layout of other libraries' files. Here channels are last: kernels are (out,
--- height, width, in), PyTorch's (out, in, height, width); and a flattened image is (height, width,
--- channels), PyTorch's (channels, height, width), which permutes the weights of a linear layer or
--- of a norm behind it. Nothing else differs.
---
--- The network is called once for the shapes. Then the method pytorch of each layer gives, from the
--- order of its input's values, that of its output's, and the parameters to rearrange. Where the
--- order is unknown and matters, the file is refused.
local core = require "swale.core"
local entry = require "swale.entry"
local errors = require "swale.errors"
local listen = require("swale.nn.listen").listen
local orders = require "swale.nn.order"
local segments = require "swale.segments"

local M = {}

---@alias swale.Arrangements table<string, swale.Arrangement>   by path

---@class swale.LayoutWalk       through a network, from layer to layer
---@field shapes table<swale.Layer, integer[]>   of their inputs, without the batch
---@field found swale.Arrangements
---@field prefix string          the path of the current layer
---@field confirmed boolean      some layer takes the input as an image
local Walk = {}
Walk.__index = Walk

local function walk_through(layer, order, shapes)
  local walk = setmetatable({ shapes = shapes, found = {}, prefix = "", confirmed = false }, Walk)
  walk:visit(layer, order)
  return walk
end

---The order behind a layer.
---@param layer swale.Layer
---@param order swale.Order
---@return swale.Order
function Walk:visit(layer, order)
  local after, arranged = layer:pytorch(self.shapes[layer], order, self)
  for name, arrangement in pairs(arranged or {}) do
    self.found[self.prefix .. name] = arrangement
  end
  return after
end

---The order behind a layer inside the current one.
---@param child { key: string, layer: swale.Layer }
---@param order swale.Order
---@return swale.Order
function Walk:inside(child, order)
  local prefix = self.prefix
  self.prefix = prefix .. child.key .. "."
  local after = self:visit(child.layer, order)
  self.prefix = prefix
  return after
end

---Called by a layer with a known number of channels: it confirms that an image before it has its
---channels last.
---@param order swale.Order
function Walk:confirm(order) self.confirmed = self.confirmed or order == orders.IMAGE end

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

--- Shapes of the layers' inputs, without the batch; or nil and the message of a layer that refuses.
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

--- Calls the network with an example as it is or, where it takes rows, flattened. Returns
--- the shapes and the order of the input.
local function begin(layer, input)
  local features = entry.features(layer, input, #input == 3 and input or nil)
  local seen, why = call(layer, input, features)
  if not seen and #input > 1 then -- the data's rows may be flat
    features = { segments.elements(input) }
    seen = call(layer, input, features)
  end
  if not seen then return nil, nil, why end
  if #input ~= 3 then return seen, orders.PLAIN end
  return seen, #features == 3 and orders.IMAGE or orders.flattened(input)
end

local function transposed(input) return { input[2], input[3], input[1] } end

local function refuse_input(layer, input, why)
  local hint = #input == 3 and begin(layer, transposed(input))
    and ("\n  input is { height, width, channels }: %s?"):format(text_of(transposed(input))) or ""
  errors.misuse("layout: input = %s is not what the network takes%s\n  %s", text_of(input), hint,
    why)
end

--- Whether { a, b, c } may be { channels, height, width }: of a square image, or with few channels.
local function looks_transposed(input)
  local a, b, c = table.unpack(input)
  return #input == 3 and a ~= b and (b == c or a <= 4 and c > 4)
end

local function refuse_ambiguous(input)
  local a, b, c = table.unpack(input)
  local form = "{ height = %d, width = %d, channels = %d }"
  errors.misuse("layout: input = %s: no layer tells which of them are the channels; name them:"
    .. "\n  input = " .. form .. "\n  input = " .. form, text_of(input), b, c, a, a, b, c)
end

--- Whether anything but kernels is rearranged.
local function moves(found)
  for _, a in pairs(found) do if #a.split ~= 4 or #a.shape ~= 4 then return true end end
  return false
end

---The parameters to rearrange between Swale's layout and PyTorch's. A shape that the network does
---not take is refused, and so is one that leaves open which axis has the channels.
---@param layer swale.Layer
---@param input table|nil         shape of one example: { height, width, channels }, or by name
---@return swale.Arrangements     by path, without the parameters that need none
---@return integer[]|nil input    if it matters
function M.pytorch(layer, input)
  if not input then return walk_through(layer, orders.PLAIN, {}).found end
  local list, named = input_shape(input)
  local seen, order, why = begin(layer, list)
  if not seen then refuse_input(layer, list, why) end
  local walk = walk_through(layer, order, seen)
  if not moves(walk.found) then return walk.found end
  if not named and not walk.confirmed and looks_transposed(list) then refuse_ambiguous(list) end
  return walk.found, list
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

---A tensor in the layout of the file.
---@param t swale.Tensor
---@param a swale.Arrangement
---@return swale.Tensor
function M.to_file(t, a)
  return permuted(t:reshape(a.split), a.perm):contiguous():reshape(a.shape)
end

---A tensor of the file in Swale's layout.
---@param t swale.Tensor
---@param a swale.Arrangement
---@return swale.Tensor
function M.from_file(t, a)
  local inside, back = {}, {}
  for i, axis in ipairs(a.perm) do inside[i], back[axis] = a.split[axis], i end
  return permuted(t:reshape(inside), back):contiguous()
end

return M
