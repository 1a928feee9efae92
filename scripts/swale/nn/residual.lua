--- Residual connections (He et al. 2016).
local errors = require "swale.errors"
local lambda = require "swale.nn.lambda"
local layer = require "swale.nn.layer"
local ops = require "swale.ops"
local options = require "swale.options"
local orders = require "swale.nn.order"
local windows = require "swale.nn.windows"

local M = {}

---@class swale.Residual: swale.Layer
local Residual = layer.kind "Residual"

function Residual:children() return self.list end

function Residual:output(shape)
  local shortcut = self.list[2]
  return self.list[1].layer:output(shape) or shortcut and shortcut.layer:output(shape)
end

--- Body and shortcut are added: they must be in the same order.
function Residual:pytorch(_, order, walk)
  local body = walk:inside(self.list[1], order)
  local shortcut = self.list[2] and walk:inside(self.list[2], order) or order
  if body.unknown or shortcut.unknown then return body.unknown and body or shortcut end
  if not orders.agree(body, shortcut) then
    orders.refuse(self, "adds a flattened image to values that are none")
  end
  return body
end

function Residual.sample()
  local linear = require("swale.nn.linear").Linear
  return M.Residual { linear(6, 6), linear(6, 6) }, layer.example { 4, 6 }
end

function Residual:forward(x, p, context)
  local y, z = self.list[1].layer:call(x, p[1], context), x
  if self.list[2] then z = self.list[2].layer:call(x, p[2], context) end
  local body, shortcut = errors.shape_text(y:shape()), errors.shape_text(z:shape())
  if body ~= shortcut then
    errors.misuse("the body gives %s, the shortcut %s: they are added%s", body, shortcut,
      self.list[2] and "" or "; a layer of its own, such as nn.Conv2d with kernel 1, can be the"
      .. " shortcut: nn.Residual { body, shortcut }")
  end
  return y + z
end

local function child(key, value)
  if type(value) == "function" then value = lambda.Lambda(value) end
  if not layer.is_layer(value) then
    errors.misuse("nn.Residual: the %s must be a layer or a function, not %s", key,
      errors.shown(value))
  end
  return { key = key, layer = value }
end

local KEYS = { body = true, shortcut = true, name = true, [1] = true, [2] = true }

local function check_keys(o)
  if type(o) ~= "table" or layer.is_layer(o) then
    errors.misuse "nn.Residual: takes a body and a shortcut: nn.Residual { body, shortcut }"
  end
  for key in pairs(o) do
    if not KEYS[key] then
      errors.misuse("nn.Residual: unknown option %s%s It takes body, shortcut and name",
        errors.shown(key), errors.suggestion(key, { "body", "shortcut", "name" }))
    end
  end
end

---@class swale.ResidualOptions
---@field body swale.Layer                      or the first of the list
---@field shortcut? swale.Layer|"identity"      or the second
---@field name? string

---y = body(x) + shortcut(x), in paths "body" and "shortcut".
---@param o swale.ResidualOptions|table    { body } or { body, shortcut }
---@return swale.Residual
function M.Residual(o)
  check_keys(o)
  local shortcut = o.shortcut or o[2]
  local list = { child("body", o.body or o[1]) }
  if shortcut and shortcut ~= "identity" then list[2] = child("shortcut", shortcut) end
  return layer.new(Residual, { list = list, name = layer.check_name("nn.Residual", o.name) })
end

-- ------------------------------------------------------------------ option A

---@class swale.ShortcutA: swale.Layer
local ShortcutA = layer.kind "ShortcutA"

function ShortcutA:takes() return "images" end

function ShortcutA:output(shape)
  return { (shape[1] - 1) // self.stride + 1, (shape[2] - 1) // self.stride + 1, self.outputs }
end

function ShortcutA.sample() return M.ShortcutA(2, 3, 2), layer.example { 4, 3, 4, 2 } end

function ShortcutA:declared()
  return ("%d -> %d, stride %d"):format(self.inputs, self.outputs, self.stride)
end

function ShortcutA:forward(x)
  windows.image(x, self.inputs)
  if self.stride > 1 then x = ops.avg_pool2d(x, 1, { stride = self.stride }) end
  return self.outputs > self.inputs and ops.pad(x, 4, 0, self.outputs - self.inputs) or x
end

---The shortcut without weights: every stride-th pixel; further channels are zeros.
---@param inputs integer      channels
---@param outputs integer     channels
---@param stride? integer     1
---@param o? { name?: string }
---@return swale.ShortcutA
function M.ShortcutA(inputs, outputs, stride, o)
  o = options.check("nn.ShortcutA", o, { name = "string?" })
  o.inputs = options.value("nn.ShortcutA", "inputs", inputs, "count")
  o.outputs = options.value("nn.ShortcutA", "outputs", outputs, "count")
  o.stride = options.value("nn.ShortcutA", "stride", stride or 1, "count")
  if o.outputs < o.inputs then
    errors.misuse("nn.ShortcutA: %d outputs are fewer than the %d inputs", o.outputs, o.inputs)
  end
  layer.check_name("nn.ShortcutA", o.name)
  return layer.new(ShortcutA, o)
end

return M
