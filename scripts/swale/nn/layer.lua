--- The base class of layers. A layer is a description without weights: it lists its parameters, and
--- forward computes the output from the input and them, on tensors or nodes. It keeps the line that
--- made it, for error messages.
---
--- All that the library asks of a layer is a method here; it never compares kinds. output, couples
--- and pytorch have defaults for layers without parameters, buffers and layers inside, has_modes
--- and statistics for layers without buffers; for others they raise until the layer defines them.
local classes = require "swale.class"
local contexts = require "swale.nn.context"
local core = require "swale.core"
local errors = require "swale.errors"
local options = require "swale.options"
local orders = require "swale.nn.order"
local ties = require "swale.nn.ties"

local M = {}

---@class swale.Parameter
---@field name string              "weight"; of a buffer: "running_mean"
---@field shape integer[]
---@field init swale.Initializer
---@field fan_in? integer          where it does not follow from the shape

---@class swale.Layer
---@field kind string              "Linear"
---@field name? string             its part of paths, instead of its position
---@field place string             "file.lua:9", where it was made; "" if unknown
---@field container boolean        its errors come from the layers inside, which name themselves
---@field sample fun(): swale.Layer, swale.Tensor   an instance and an input, (4, …) or more
---examples, on which tests check the methods; called without self
local Layer = classes.new("layer")
Layer.container = false

---The parameters of the layer itself, in the order they have in the weight vector.
---@return swale.Parameter[]
function Layer:parameters() return {} end

---State that the layer sets itself: running statistics.
---@return swale.Parameter[]
function Layer:buffers() return {} end

---The layers inside, with their parts of the path.
---@return { key: string, layer: swale.Layer }[]
function Layer:children() return {} end

---The layer's output.
---@param x swale.Value
---@param _p table                 parameters and buffers by name; of a container: its children's
---@param _context swale.Context   the mode; takes new values of buffers
---@return swale.Value
function Layer:forward(x, _p, _context) return x end

-- ------------------------------------------------------------------ properties

--- Raises for a layer with parameters, buffers or layers inside: the default may be wrong for it.
local function check_plain(self, method)
  if #self:parameters() + #self:buffers() + #self:children() > 0 then
    errors.misuse("nn.%s does not define %s, as a layer with parameters, buffers or layers inside"
      .. " must", self.kind, method)
  end
end

---The shape of the output for a shape of the input, both without the batch; nil if unknown.
---@param shape integer[]
---@return integer[]|nil
function Layer:output(shape)
  check_plain(self, "output(shape)")
  return shape
end

---The examples that it couples in training: none (nil), those of the batch ("batch"), or those of a
---ghost batch of this size. Layers inside have their own answers.
---@return "batch"|integer|nil
function Layer:couples()
  if #self:parameters() + #self:buffers() > 0 then check_plain(self, "couples()") end
  return nil
end

---The layout of its parameters and buffers in PyTorch's files, where they have the same names.
---@param shape integer[]|nil       of the input, without the batch; nil: unknown
---@param order swale.Order         of the input's values
---@param _walk swale.LayoutWalk    for layers inside, and to confirm where the channels are
---@return swale.Order order        of the output's values
---@return table<string, swale.Arrangement>|nil arranged   by name; the others need none
function Layer:pytorch(shape, order, _walk)
  check_plain(self, "pytorch(shape, order, walk)")
  local after = shape and self:output(shape)
  if order == orders.PLAIN or not shape or after and #after == #shape then return order end
  return orders.unknown(self)
end

---The children, if the layer only calls them one after another; else nil.
---@return { key: string, layer: swale.Layer }[]|nil
function Layer:chain() return nil end

---Whether units that are 0 for all examples get no gradient: dead units.
---@return boolean
function Layer:rectifies() return false end

---Whether it standardises its input: its own parameters, if any, scale and shift the result.
---@return boolean
function Layer:normalises() return false end

---The rows (B, …, k) that its `weight`, as a matrix (outputs, k), multiplies to give the outputs,
---with `bias` added: the gradient of a row is the product of the row and its derivative in the
---outputs. The numbers of a row come in any order. nil: it is no such layer.
---@param _x swale.Value            the input
---@return swale.Value|nil rows
---@return integer|nil groups       equal parts of a row, for equal parts of the outputs; 1
function Layer:rows(_x) return nil end

---Whether in evaluation each channel of the output, along the last axis, is a function of that
---channel of the input alone, the same for all channels, without parameters.
---@return boolean
function Layer:keeps_channels() return false end

---The same layer with n times the outputs, whose parameters are those of n such layers, one after
---another along their first axis; nil if there is none.
---@param _n integer
---@return swale.Layer|nil
function Layer:widened(_n) return nil end

---The number of channels, if it computes scale x + shift for each in evaluation; else nil. Such a
---layer defines affine_map.
---@return integer|nil
function Layer:maps_channels() return nil end

---The map of x + before in evaluation, as scale x + shift.
---@param _p table                 its parameters and buffers
---@param _before? swale.Value     a bias to be added to x; none
---@return swale.Value scale, swale.Value shift     (channels)
function Layer:affine_map(_p, _before)
  errors.misuse("nn.%s does not define affine_map(p, before), as a layer whose maps_channels() is a"
    .. " number must", self.kind)
end

---The number of outputs, if scale y + shift of each output y without bias can be computed by other
---parameters; else nil. Such a layer defines folded.
---@return integer|nil
function Layer:folds() return nil end

---Parameters with which it computes scale y + shift, where y is its output without bias.
---@param _p table
---@param _scale swale.Value       (outputs)
---@param _shift swale.Value
---@return table
function Layer:folded(_p, _scale, _shift)
  errors.misuse("nn.%s does not define folded(p, scale, shift), as a layer whose folds() is a"
    .. " number must", self.kind)
end

--- Raises for a layer that has buffers itself: the default may be wrong for it.
local function check_no_buffers(self, method)
  if #self:buffers() > 0 then
    errors.misuse("nn.%s does not define %s, as a layer with buffers must", self.kind, method)
  end
end

---Whether training and evaluation differ: here, in a layer inside. A layer with buffers, or whose
---forward reads the context's mode, defines it.
---@return boolean
function Layer:has_modes()
  check_no_buffers(self, "has_modes()")
  for _, child in ipairs(self:children()) do
    if child.layer:has_modes() then return true end
  end
  return false
end

---@class swale.LayerStatistics   running statistics of a layer's input x
---@field moments swale.Value      (2, channels): mean and biased variance of x
---@field positions integer        values of a channel in one example
---@field mean swale.Value         of p: the buffer that keeps the mean
---@field var swale.Value          likewise: the unbiased variance
---@field count swale.Value        likewise: the number of batches

---The running statistics that are re-estimated for other weights; nil: there are none.
---@param _x swale.Value           the input
---@param _p table                 its parameters and buffers
---@return swale.LayerStatistics|nil
function Layer:statistics(_x, _p)
  check_no_buffers(self, "statistics(x, p)")
  return nil
end

---@alias swale.Takes "images"|"rows"|"indices"|"any"

---The input that it takes: "images" (B, height, width, channels), "rows" (B, n), "indices" (int32),
---or "any", as the data are, whatever a later layer takes; nil: as the next layer.
---@return swale.Takes|nil
function Layer:takes()
  local any
  for _, child in ipairs(self:children()) do
    local kind = child.layer:takes()
    if kind == "rows" and any then return any end
    if kind and kind ~= "any" then return kind end
    any = any or kind
  end
  return any
end

---Its sizes, for messages: "784 -> 100".
---@return string
function Layer:declared() return "" end

local function described(self)
  local declared = self:declared()
  return ("%sin nn.%s%s%s"):format(self.place ~= "" and self.place .. ": " or "", self.kind,
    self.name and (' "%s"'):format(self.name) or "",
    declared ~= "" and (" (declared %s)"):format(declared) or "")
end

local function without_position(message) return (message:gsub("^[^\n]-:%d+: ", "", 1)) end

local function finish(self, ok, result, ...)
  if ok then return result, ... end
  if type(result) ~= "string" then error(result, 0) end
  local message = self.own_code and result or errors.position() .. without_position(result)
  error(("%s\n  %s"):format(message, described(self)), 0)
end

--- The name of a layer's nodes in messages: nn.Linear "fc1".
local function label(self)
  return ("nn.%s%s"):format(self.kind, self.name and (' "%s"'):format(self.name) or "")
end

local function labelled(self, x, p, context)
  local before = x:label(label(self))
  return finish(self, pcall(function()
    local y = self:forward(x, p, context)
    x:label(before)
    return y
  end))
end

local function check_input(self, method, x, p)
  local class = core.type(x)
  if class ~= "tensor" and class ~= "node" then
    errors.misuse("nn.%s:%s: x must be a tensor or a node, not %s", self.kind, method,
      errors.shown(x))
  elseif type(p) ~= "table" and (p ~= nil or #self:parameters() + #self:children() > 0) then
    errors.misuse("nn.%s:%s: p must be a table of parameters by name, not %s; layer:build() makes a"
      .. " model, whose forward has its own", self.kind, method, errors.shown(p))
  end
end

---Calls forward; messages of errors name the layer.
---@param x swale.Value
---@param p table
---@param context? swale.Context    by default of mode "eval"
---@return swale.Value
function Layer:call(x, p, context)
  check_input(self, "call", x, p)
  context = context or contexts.eval
  if context.of_buffers and #self:buffers() > 0 then context = context.of_buffers(self, x, p) end
  if self.container then return self:forward(x, p, context) end
  if core.type(x) == "node" then return labelled(self, x, p, context) end
  return finish(self, pcall(self.forward, self, x, p, context))
end

---An instance, with weights.
---@param o? { seed?: integer }    each tensor is drawn from (seed, "init/" .. its path)
---@return swale.Model
function Layer:build(o) return require("swale.model").build(self, o) end

---A copy with all layers inside, for another place of a network, where it has its own weights.
---@param o? { name?: string }     its part of the path; by default the layer's name
---@return swale.Layer
function Layer:copy(o)
  o = options.check("layer:copy", o, { name = "string?" })
  local new = ties.copy(self, M.is_layer)
  new.name = M.check_name("layer:copy", o.name) or self.name
  return new
end

---A table of the parameters, as text.
---@return string
function Layer:summary() return require("swale.model").summary(self) end

local function checked_forward(f)
  return function(self, x, p, context)
    check_input(self, "forward", x, p)
    return f(self, x, p, context)
  end
end

--- For methods of a model that are called on a layer.
local function remedy(key)
  return rawget(require("swale.model").Model, key)
    and "weights belong to an instance: trainer.model, or layer:build()" or nil
end

---Classes by kind.
---@type table<string, table>
M.kinds = {}

---Makes a kind of layer. Its methods are assigned to the table that this returns.
---@param kind string
---@return table
function M.kind(kind)
  local class = classes.new("nn." .. kind,
    { name = "swale.Layer", parent = Layer, remedy = remedy,
      fields = { "kind", "name", "place", "original" } })
  class.kind = kind
  local meta = getmetatable(class)
  local assign = meta.__newindex
  meta.__newindex = function(t, key, value)
    if key == "sample" then return rawset(t, key, value) end -- takes no self
    assign(t, key, key == "forward" and checked_forward(value) or value)
  end
  rawset(class, "sample", function() errors.misuse("nn.%s does not define sample()", kind) end)
  M.kinds[kind] = class
  class.__tostring = function(self)
    local declared = self:declared()
    return ("nn.%s%s"):format(kind, declared ~= "" and "(" .. declared .. ")" or "")
  end
  return class
end

---An input for sample: (B, …) normal values, always the same.
---@param shape integer[]
---@return swale.Tensor
function M.example(shape)
  local x = core.zeros(shape)
  core.random(1, "sample"):fill_normal(x, 0, 1)
  return x
end

---Makes a layer of a kind, and records the line.
---@param class table
---@param fields table
---@return swale.Layer
function M.new(class, fields)
  fields.place = errors.position():match "^(.*): $" or ""
  local layer = setmetatable(fields, class)
  ties.check(layer)
  return layer
end

---@param value any
---@return boolean
function M.is_layer(value)
  local meta = type(value) == "table" and getmetatable(value)
  return type(meta) == "table" and rawget(meta, "__name") == "swale.Layer"
end

---Refuses a table in place of the first positional argument.
---@param where string
---@param first any
---@param call string      how it is called: "inputs, outputs, { bias = false }"
function M.check_first(where, first, call)
  if type(first) == "table" and getmetatable(first) == nil then
    errors.misuse("%s: its first arguments go without names: %s(%s)", where, where, call)
  end
end

---Checks a name: it is a part of paths, so no dots, and no numbers, which are positions.
---@param where string
---@param name string|nil
---@return string|nil
function M.check_name(where, name)
  if name and (name == "" or name:find "[%.%s]" or tonumber(name)) then
    errors.misuse('%s: the name "%s" is part of paths: no dots, blanks or plain numbers', where,
      name)
  end
  return name
end

return M
