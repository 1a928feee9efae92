--- Checks of arguments that go by position, declared for a whole table of functions:
---
---     arguments.check_all(M, "ops", { pad = "x: value, axis: integer, value: number?" })
---
--- The functions are replaced by ones that name the argument, what it must be and what was given.
local core = require "swale.core"
local errors = require "swale.errors"

local M = {}

local function is_value(v)
  local class = core.type(v)
  return class == "tensor" or class == "node"
end

local function is_whole(v) return type(v) == "number" and math.tointeger(v) ~= nil end

local function is_pair(v)
  if type(v) ~= "table" then return is_whole(v) end
  return #v == 2 and is_whole(v[1]) and is_whole(v[2])
end

local function are_axes(v)
  if type(v) ~= "table" then return is_whole(v) end
  for _, axis in ipairs(v) do if not is_whole(axis) then return false end end
  return true
end

local TYPES = {
  value = { words = "a tensor or a node", takes = is_value },
  operand = { words = "a tensor, a node or a number",
    takes = function(v) return type(v) == "number" or is_value(v) end },
  number = { words = "a number", takes = function(v) return type(v) == "number" end },
  integer = { words = "a whole number", takes = is_whole },
  count = { words = "a whole number above 0",
    takes = function(v) return is_whole(v) and v > 0 end },
  size = { words = "a whole number from 0 on",
    takes = function(v) return is_whole(v) and v >= 0 end },
  pair = { words = "a whole number or two, { rows, columns }", takes = is_pair },
  axes = { words = "an axis or a list of axes", takes = are_axes },
}

for _, name in ipairs { "tensor", "random" } do
  TYPES[name] = { words = "a " .. (name == "random" and "stream of sw.random" or name),
    takes = function(v) return core.type(v) == name end }
end

for _, name in ipairs { "boolean", "table", "string" } do
  TYPES[name] = { words = "a " .. name, takes = function(v) return type(v) == name end }
end

local function parse(text)
  local list = {}
  for name, kind, optional in text:gmatch "([%a_][%w_]*): ([%a]+)(%??)" do
    list[#list + 1] = { name = name, type = assert(TYPES[kind], kind), optional = optional ~= "" }
  end
  return list
end

local function refuse(where, i, p, value)
  local method = i == 1 and value == nil and where:match "^ops%.(.*)"
  errors.misuse("%s: %s must be %s, got %s%s", where, p.name, p.type.words, errors.shown(value),
    method and ("; methods are called with a colon: t:%s()"):format(method) or "")
end

--- Whether a value may stand there.
local function takes(p)
  local type_takes = p.type.takes
  if not p.optional then return type_takes end
  return function(v) return v == nil or type_takes(v) end
end

--- By the number of arguments: a list of them takes three times as long.
local WRAPPERS = {
  function(f, refused, p)
    local first = p[1]
    return function(a)
      if not first(a) then refused(1, a) end
      return f(a)
    end
  end,
  function(f, refused, p)
    local first, second = p[1], p[2]
    return function(a, b)
      if not first(a) then refused(1, a) end
      if not second(b) then refused(2, b) end
      return f(a, b)
    end
  end,
  function(f, refused, p)
    local first, second, third = p[1], p[2], p[3]
    return function(a, b, c)
      if not first(a) then refused(1, a) end
      if not second(b) then refused(2, b) end
      if not third(c) then refused(3, c) end
      return f(a, b, c)
    end
  end,
}

local function wrap_any(f, refused, p)
  return function(...)
    for i = 1, #p do
      local value = (select(i, ...))
      if not p[i](value) then refused(i, value) end
    end
    return f(...)
  end
end

local inner = setmetatable({}, { __mode = "k" }) -- by the functions that check

---The function, checking its arguments first.
---@param where string     in messages: "ops.pad"
---@param f function
---@param text string      "x: value, axis: integer?"; types: value operand number integer count
---size pair axes tensor random boolean table string
---@return function
function M.checked(where, f, text)
  local parameters, tests = parse(text), {}
  for i, p in ipairs(parameters) do tests[i] = takes(p) end
  local function refused(i, value) refuse(where, i, parameters[i], value) end
  local all = debug.getinfo(f, "u").nparams == #tests
  local checked = (all and WRAPPERS[#tests] or wrap_any)(f, refused, tests)
  inner[checked] = f
  return checked
end

---The function that a checked one calls; any other is itself.
---@param f function
---@return function
function M.inner(f) return inner[f] or f end

---An axis, counted from 1 whatever it was counted from.
---@param where string
---@param axis integer
---@param ndim integer
---@param what? string      "axis"
---@return integer
function M.axis(where, axis, ndim, what)
  if axis >= 1 and axis <= ndim then return axis end
  if axis <= -1 and axis >= -ndim then return ndim + 1 + axis end
  if ndim == 0 then errors.misuse("%s: a scalar has no axes", where) end
  errors.misuse("%s: %s must be an integer from 1 to %d, got %d%s", where, what or "axis", ndim,
    axis, axis == 0 and "; axes count from 1" or "")
end

---Replaces functions of a table by ones that check their arguments.
---@param t table<string, function>
---@param where string                  of messages: "ops" gives "ops.pad: …"
---@param texts table<string, string>   what each function takes
function M.check_all(t, where, texts)
  for name, text in pairs(texts) do t[name] = M.checked(where .. "." .. name, t[name], text) end
end

return M
