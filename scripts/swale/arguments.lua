--- Checks positional arguments, declared for a whole table of functions:
---
---     arguments.check_all(M, "ops", { pad = "x: value, axis: integer, value: float?" })
---
--- The functions are replaced by ones whose errors name the argument, its type and the value given.
local errors = require "swale.errors"
local types = require "swale.types"

local M = {}

local function parse(text)
  local list = {}
  for name, kind, optional in text:gmatch "([%a_][%w_]*): ([%a]+)(%??)" do
    list[#list + 1] = { name = name, type = types.named(kind), optional = optional ~= "" }
  end
  return list
end

local function refuse(where, i, p, value)
  local method = i == 1 and value == nil and where:match "^ops%.(.*)"
  errors.misuse("%s: %s must be %s, got %s%s", where, p.name, p.type.words, errors.shown(value),
    method and ("; methods are called with a colon: t:%s()"):format(method) or "")
end

--- Whether a value is allowed there.
local function takes(p)
  local type_takes = p.type.takes
  if not p.optional then return type_takes end
  return function(v) return v == nil or type_takes(v) end
end

--- One function a number of arguments: a list of them takes three times as long.
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

---Returns f with a check of its arguments in front.
---@param where string     in messages: "ops.pad"
---@param f function
---@param text string      "x: value, axis: integer?", with the types of swale.types
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

---Returns the function that a checked one calls; any other function itself.
---@param f function
---@return function
function M.inner(f) return inner[f] or f end

---Returns an axis, which may count from the end, as counted from 1.
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
