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
  number = { words = "a number", takes = function(v) return type(v) == "number" end },
  integer = { words = "a whole number", takes = is_whole },
  count = { words = "a whole number above 0",
    takes = function(v) return is_whole(v) and v > 0 end },
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

local function refuse(where, p, value)
  errors.misuse("%s: %s must be %s, got %s", where, p.name, p.type.words, errors.shown(value))
end

---The function, checking its arguments first.
---@param where string     in messages: "ops.pad"
---@param f function
---@param text string      "x: value, axis: integer?"; types: value number integer count pair axes
---tensor random boolean table string
---@return function
function M.checked(where, f, text)
  local parameters = parse(text)
  return function(...)
    for i = 1, #parameters do
      local p, value = parameters[i], (select(i, ...))
      if not (value == nil and p.optional) and not p.type.takes(value) then
        refuse(where, p, value)
      end
    end
    return f(...)
  end
end

---Replaces functions of a table by ones that check their arguments.
---@param t table<string, function>
---@param where string                  of messages: "ops" gives "ops.pad: …"
---@param texts table<string, string>   what each function takes
function M.check_all(t, where, texts)
  for name, text in pairs(texts) do t[name] = M.checked(where .. "." .. name, t[name], text) end
end

return M
