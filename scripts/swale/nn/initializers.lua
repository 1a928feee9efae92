--- Initialisers of weights, by name. A weight (out, in, …) has fan_in = in * … and fan_out =
--- out * …; a bias has the fan_in of its layer.
local arguments = require "swale.arguments"
local core = require "swale.core"
local errors = require "swale.errors"
local options = require "swale.options"

---@class swale.initializers
local M = {}

---@class swale.Fan
---@field fan_in integer
---@field fan_out integer

---@alias swale.InitFunction fun(t: swale.Tensor, stream: swale.Random)
---@alias swale.Initializer string|number|table|swale.Tensor|swale.InitFunction

local function fan_of(where, fan, name)
  return options.value(where, "fan." .. name, fan[name], "positive")
end

---Kaiming He et al. 2015 with PyTorch's default for Linear, a = sqrt(5): uniform in +-b,
---    b = sqrt(6 / ((1 + a^2) fan_in)),   here 1 / sqrt(fan_in).
---@param t swale.Tensor
---@param stream swale.Random
---@param fan swale.Fan
---@param o? { a?: number }
function M.kaiming_uniform(t, stream, fan, o)
  o = options.check("kaiming_uniform", o, { a = { "number", math.sqrt(5) } })
  local bound = math.sqrt(6 / ((1 + o.a * o.a) * fan_of("kaiming_uniform", fan, "fan_in")))
  stream:fill_uniform(t, -bound, bound)
end

---Normal with deviation sqrt(2 / ((1 + a^2) fan_in)); a = 0, for ReLU.
---@param t swale.Tensor
---@param stream swale.Random
---@param fan swale.Fan
---@param o? { a?: number }
function M.kaiming_normal(t, stream, fan, o)
  o = options.check("kaiming_normal", o, { a = { "number", 0 } })
  local fan_in = fan_of("kaiming_normal", fan, "fan_in")
  stream:fill_normal(t, 0, math.sqrt(2 / ((1 + o.a * o.a) * fan_in)))
end

local function both_fans(where, fan)
  return fan_of(where, fan, "fan_in") + fan_of(where, fan, "fan_out")
end

---Glorot and Bengio 2010: uniform in +-gain sqrt(6 / (fan_in + fan_out)).
---@param t swale.Tensor
---@param stream swale.Random
---@param fan swale.Fan
---@param o? { gain?: number }
function M.xavier_uniform(t, stream, fan, o)
  o = options.check("xavier_uniform", o, { gain = { "number", 1 } })
  local bound = o.gain * math.sqrt(6 / both_fans("xavier_uniform", fan))
  stream:fill_uniform(t, -bound, bound)
end

---Normal with deviation gain sqrt(2 / (fan_in + fan_out)).
---@param t swale.Tensor
---@param stream swale.Random
---@param fan swale.Fan
---@param o? { gain?: number }
function M.xavier_normal(t, stream, fan, o)
  o = options.check("xavier_normal", o, { gain = { "number", 1 } })
  stream:fill_normal(t, 0, o.gain * math.sqrt(2 / both_fans("xavier_normal", fan)))
end

---@param t swale.Tensor
---@param stream swale.Random
---@param _fan swale.Fan
---@param o? { low?: number, high?: number }
function M.uniform(t, stream, _fan, o)
  o = options.check("uniform", o, { low = { "number", 0 }, high = { "number", 1 } })
  stream:fill_uniform(t, o.low, o.high)
end

---@param t swale.Tensor
---@param stream swale.Random
---@param _fan swale.Fan
---@param o? { mean?: number, std?: number }
function M.normal(t, stream, _fan, o)
  o = options.check("normal", o, { mean = { "number", 0 }, std = { "nonnegative", 1 } })
  stream:fill_normal(t, o.mean, o.std)
end

---@param t swale.Tensor
---@param _stream swale.Random
---@param _fan swale.Fan
---@param o { value: number }
function M.constant(t, _stream, _fan, o)
  t:fill(options.check("constant", o, { value = "number" }).value)
end

---@param t swale.Tensor
function M.zeros(t) t:fill(0) end

---@param t swale.Tensor
function M.ones(t) t:fill(1) end

local FILLS = "t: tensor, stream: random, fan: table, o: table?"
arguments.check_all(M, "initializers", {
  kaiming_uniform = FILLS, kaiming_normal = FILLS, xavier_uniform = FILLS, xavier_normal = FILLS,
  uniform = "t: tensor, stream: random", normal = "t: tensor, stream: random",
  constant = "t: tensor", zeros = "t: tensor", ones = "t: tensor",
})

local NAMES = { "kaiming_uniform", "kaiming_normal", "xavier_uniform", "xavier_normal", "uniform",
  "normal", "constant", "zeros", "ones" }

local function named(where, name)
  for _, known in ipairs(NAMES) do if known == name then return M[name] end end
  errors.misuse("%s: no initialiser %s%s There are: %s.", where, errors.shown(name),
    errors.suggestion(name, NAMES), table.concat(NAMES, ", "))
end

---Checks an initialiser: a name, { name, option = … }, a number, a tensor, or f(t, stream).
---@param where string
---@param init swale.Initializer
---@return swale.Initializer
function M.check(where, init)
  local kind = type(init)
  if kind == "number" or kind == "function" or core.type(init) == "tensor" then return init end
  if kind == "string" then
    named(where, init)
  elseif kind == "table" then
    named(where, init[1])
  else
    errors.misuse("%s: an initialiser is a name, { name, option = … }, a number, a tensor or"
      .. " f(tensor, stream), not %s", where, errors.shown(init))
  end
  return init
end

local function options_of(init)
  local o = {}
  for key, value in pairs(init) do if key ~= 1 then o[key] = value end end
  return o
end

---Fills a parameter.
---@param init swale.Initializer   checked
---@param t swale.Tensor
---@param stream swale.Random
---@param fan swale.Fan
function M.fill(init, t, stream, fan)
  local kind = type(init)
  if kind == "number" then
    t:fill(init)
  elseif kind == "function" then
    init(t, stream)
  elseif core.type(init) == "tensor" then
    t:copy(init)
  elseif kind == "string" then
    named("init", init)(t, stream, fan)
  else
    named("init", init[1])(t, stream, fan, options_of(init))
  end
end

return M
