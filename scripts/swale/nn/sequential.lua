--- Layers one after another.
local errors = require "swale.errors"
local lambda = require "swale.nn.lambda"
local layer = require "swale.nn.layer"
local ties = require "swale.nn.ties"

local M = {}

---@class swale.Sequential: swale.Layer
local Sequential = layer.kind "Sequential"
Sequential.container = true

function Sequential:children() return self.list end
function Sequential:chain() return self.list end

function Sequential:output(shape)
  for _, child in ipairs(self.list) do
    shape = child.layer:output(shape)
    if not shape then return nil end
  end
  return shape
end

function Sequential:pytorch(_, order, walk)
  for _, child in ipairs(self.list) do order = walk:inside(child, order) end
  return order
end

function Sequential.sample()
  local linear = require("swale.nn.linear").Linear
  return M.Sequential { linear(6, 4), linear(4, 3) }, layer.example { 4, 6 }
end

--- A layer that only scales and shifts channels may be folded into the weights of the one before.
local function can_fold(child, norm)
  local outputs = norm and child:folds()
  return outputs and outputs == norm:maps_channels()
end

function Sequential:forward(x, p, context)
  local i, list = 1, self.list
  while i <= #list do
    local child, norm = list[i].layer, list[i + 1] and list[i + 1].layer
    if context.fold and can_fold(child, norm) then
      local scale, shift = norm:affine_map(p[i + 1], p[i].bias)
      x = child:call(x, child:folded(p[i], scale, shift), context)
      i = i + 2
    else
      x = child:call(x, p[i], context)
      i = i + 1
    end
  end
  return x
end

--- "inputs, outputs": the arguments of a constructor, without its options.
local function arguments_of(constructor)
  local names = {}
  for i = 1, debug.getinfo(constructor, "u").nparams do
    names[i] = debug.getlocal(constructor, i)
  end
  if names[#names] == "o" then names[#names] = nil end
  return table.concat(names, ", ")
end

--- nn.ReLU without parentheses is a constructor, not a function of x.
local function refuse_constructor(i, value)
  for name, f in pairs(require "swale.nn") do
    if f == value then
      errors.misuse("nn.Sequential: entry %d: nn.%s makes a layer when it is called: nn.%s(%s)", i,
        name, name, arguments_of(f))
    end
  end
end

local function child_of(i, value)
  if type(value) == "function" then refuse_constructor(i, value) end
  if type(value) == "function" then value = lambda.Lambda(value) end
  if not layer.is_layer(value) then
    errors.misuse("nn.Sequential: entry %d must be a layer or a function, not %s", i,
      errors.shown(value))
  end
  return { key = value.name or tostring(i - 1), layer = value }
end

---Layers one after another; a function becomes a Lambda without parameters. A layer's part of a
---path is its name, or else its position, counted from 0 as in PyTorch: "0.weight".
---@param layers table      a list; name = among them names it
---@return swale.Sequential
function M.Sequential(layers)
  if type(layers) ~= "table" or layer.is_layer(layers) then
    errors.misuse("nn.Sequential: takes a list of layers: nn.Sequential { nn.Linear(784, 10) }")
  end
  local list, seen = {}, {}
  for key in pairs(layers) do
    if math.type(key) == "integer" and (key < 1 or key > #layers) then
      errors.misuse("nn.Sequential: layers are entries 1 … %d, without gaps; there is one at [%d]",
        #layers, key)
    elseif key ~= "name" and math.type(key) ~= "integer" then
      errors.misuse("nn.Sequential: unknown option %s%s It takes layers and a name",
        errors.shown(key), errors.suggestion(key, { "name" }))
    end
  end
  for i = 1, #layers do
    list[i] = child_of(i, layers[i])
    if seen[list[i].key] and ties.is_shared(list[i].layer) then list[i].key = tostring(i - 1) end
    if seen[list[i].key] then
      errors.misuse('nn.Sequential: two layers have the name "%s"', list[i].key)
    end
    seen[list[i].key] = true
  end
  if #list == 0 then errors.misuse("nn.Sequential: no layers") end
  return layer.new(Sequential,
    { list = list, name = layer.check_name("nn.Sequential", layers.name) })
end

return M
