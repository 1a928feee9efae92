--- Custom layers: a function of the input and its parameters.
local core = require "swale.core"
local errors = require "swale.errors"
local initializers = require "swale.nn.initializers"
local layer = require "swale.nn.layer"
local options = require "swale.options"
local orders = require "swale.nn.order"

local M = {}

---@class swale.Lambda: swale.Layer
local Lambda = layer.kind "Lambda"
Lambda.own_code = true -- messages keep the position in the user's code

function Lambda:parameters() return self.list end
function Lambda:buffers() return self.kept end
function Lambda:has_modes() return self.modes end
function Lambda:statistics() return nil end -- what the buffers mean is unknown
function Lambda:takes() return "any" end
function Lambda:output() return nil end
function Lambda:couples() return nil end -- unknown; the graph knows

function Lambda:pytorch(_, order)
  return order == orders.PLAIN and order or orders.unknown(self)
end

function Lambda.sample()
  return M.Lambda(function(x, p) return x * p.scale end, { scale = layer.example { 6 } }),
    layer.example { 4, 6 }
end

function Lambda:forward(x, p, context)
  local y = self.f(x, p, context)
  local kind = core.type(y)
  if kind == "node" or kind == "tensor" then return y end
  errors.misuse("nn.Lambda: the function gave %s; it has to return what it computed from x",
    errors.shown(y))
end

--- A tensor gives both shape and initial values; { shape =, init = } gives them separately.
local function parameter(name, value)
  if core.type(value) == "tensor" then
    return { name = name, shape = value:shape(), init = value:to("float32") }
  end
  local where = "nn.Lambda: " .. name
  if type(value) ~= "table" then
    errors.misuse("%s: a tensor or { shape =, init = }, not %s", where, errors.shown(value))
  end
  local o = options.check(where, value,
    { shape = "table", init = { "any", "kaiming_uniform" }, fan_in = "count?" })
  initializers.check(where, o.init)
  return { name = name, shape = o.shape, init = o.init, fan_in = o.fan_in }
end

local function sorted_list(params)
  local list = {}
  for _, name in ipairs(errors.sorted_keys(params or {})) do
    layer.check_name("nn.Lambda", name)
    list[#list + 1] = parameter(name, params[name])
  end
  return list
end

---@alias swale.Begun table<string, swale.Tensor|{ shape: integer[], init?: swale.Initializer }>

---@class swale.LambdaOptions
---@field name? string
---@field modes? boolean              f reads context.mode, and is compiled for both modes; false
---@field buffers? swale.Begun        state that it sets itself, by context:set(p.name, value); not
---re-estimated for averages of weights

---A function as a layer. It gets x, a table of its parameters (nodes or tensors) and the context
---(with the mode), and is built of ops; its derivatives follow from theirs.
---@param f fun(x: swale.Value, p: table, context: swale.Context): swale.Value
---@param params? swale.Begun
---@param o? swale.LambdaOptions
---@return swale.Lambda
function M.Lambda(f, params, o)
  options.value("nn.Lambda", "f", f, "function")
  options.value("nn.Lambda", "params", params, "table?")
  o = options.check("nn.Lambda", o,
    { name = "string?", modes = { "boolean", false }, buffers = "table?" })
  layer.check_name("nn.Lambda", o.name)
  local list, kept = sorted_list(params), sorted_list(o.buffers)
  return layer.new(Lambda, { f = f, list = list, kept = kept, modes = o.modes, name = o.name })
end

return M
