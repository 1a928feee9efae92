--- A layer of one's own: a function of the input and its parameters.
local core = require "swale.core"
local errors = require "swale.errors"
local initializers = require "swale.nn.initializers"
local layer = require "swale.nn.layer"
local options = require "swale.options"

local M = {}

---@class swale.Lambda: swale.Layer
local Lambda = layer.kind "Lambda"
Lambda.own_code = true -- a position in a message is the user's own, and stays

function Lambda:parameters() return self.list end

function Lambda:forward(x, p)
  local y = self.f(x, p)
  local kind = core.type(y)
  if kind == "node" or kind == "tensor" then return y end
  errors.misuse("nn.Lambda: the function gave %s; it has to return what it computed from x",
    errors.shown(y))
end

--- A tensor says both shape and start; { shape =, init = } says them apart.
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

---A function as a layer. It gets x and a table of its parameters, nodes or tensors alike, and is
---made of the ops; its derivatives follow from them.
---@param f fun(x: swale.Value, p: table<string, swale.Value>): swale.Value
---@param params? table<string, swale.Tensor|{ shape: integer[], init?: swale.Initializer }>
---@param o? { name?: string }
---@return swale.Lambda
function M.Lambda(f, params, o)
  options.value("nn.Lambda", "f", f, "function")
  o = options.check("nn.Lambda", o, { name = "string?" })
  layer.check_name("nn.Lambda", o.name)
  o.f, o.list = f, {}
  for _, name in ipairs(errors.sorted_keys(params or {})) do
    layer.check_name("nn.Lambda", name)
    o.list[#o.list + 1] = parameter(name, params[name])
  end
  return layer.new(Lambda, o)
end

return M
