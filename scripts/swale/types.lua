--- Types of arguments and options: a description, a test of values, a conversion.
local core = require "swale.core"
local duration = require "swale.duration"

local M = {}

---@class swale.Type
---@field words string                      "a whole number above 0"
---@field takes fun(v: any): boolean
---@field convert? fun(v: any, where: string): any   of a value it takes; nil: refused after all

---@type table<string, swale.Type>
local types = {}

local function add(name, words, takes, convert)
  types[name] = { words = words, takes = takes, convert = convert }
end

local function is_number(v) return type(v) == "number" end
local function is_finite(v) return type(v) == "number" and v - v == 0 end
local function is_whole(v) return type(v) == "number" and math.tointeger(v) ~= nil end

add("any", "anything", function(v) return v ~= nil end)
add("float", "a number", is_number) -- infinite ones and NaN, too
add("number", "a finite number", is_finite)
add("positive", "a number above 0", function(v) return is_finite(v) and v > 0 end)
add("nonnegative", "a number that is not negative",
  function(v) return is_finite(v) and v >= 0 end)
add("integer", "a whole number", is_whole, math.tointeger)
add("count", "a whole number above 0", function(v) return is_whole(v) and v > 0 end,
  math.tointeger)
add("size", "a whole number from 0 on", function(v) return is_whole(v) and v >= 0 end,
  math.tointeger)
add("place", "a place (1 …, or -1 … from the end)",
  function(v) return is_whole(v) and v ~= 0 end, math.tointeger)

for _, name in ipairs { "string", "boolean", "function", "table" } do
  add(name, "a " .. name, function(v) return type(v) == name end)
end

add("callable", "a function", function(v)
  local meta = type(v) == "table" and getmetatable(v)
  return type(v) == "function" or type(meta) == "table" and meta.__call ~= nil
end)

-- ------------------------------------------------------------------ lists

add("list", "a list, [1] and on without gaps", function(v)
  if type(v) ~= "table" then return false end
  local n = 0
  for key in pairs(v) do
    n = n + 1
    if math.type(key) ~= "integer" or key < 1 then return false end
  end
  return n == #v
end)

add("pair", "a whole number or two, { rows, columns }", function(v)
  if type(v) ~= "table" then return is_whole(v) end
  return #v == 2 and is_whole(v[1]) and is_whole(v[2])
end)

add("axes", "an axis or a list of axes", function(v)
  if type(v) ~= "table" then return is_whole(v) end
  for _, axis in ipairs(v) do if not is_whole(axis) then return false end end
  return true
end)

-- ------------------------------------------------------------------ objects

local function is_value(v)
  local class = core.type(v)
  return class == "tensor" or class == "node"
end

add("value", "a tensor or a node", is_value)
add("operand", "a tensor, a node or a number", function(v) return is_number(v) or is_value(v) end)
add("tensor", "a tensor", function(v) return core.type(v) == "tensor" end)
add("random", "a stream of sw.random", function(v) return core.type(v) == "random" end)

local DURATION = "a duration (epochs, or { steps = }, { examples = }, { epochs = })"

local function may_be_duration(v) return type(v) == "number" or type(v) == "table" end

add("duration", DURATION, may_be_duration, duration.of)
add("period", DURATION .. " above 0", may_be_duration, function(v, where)
  local d = duration.of(v, where)
  return d.amount > 0 and d or nil
end)

local CLASS_WORDS = { Optimizer = "an optimizer (sw.optim.SGD { … })",
  Averaging = "an average (sw.average.SWA { … })", Rule = "a rule", Schedule = "a schedule",
  Layer = "a layer", Model = "an instance of one", Run = "the run that an experiment is given",
  Compiled = "what sw.compile gives", Split = "a split" }

--- Objects of a class of Swale's: "Schedule" is a table whose metatable is named swale.Schedule.
local function add_class(name)
  local words = CLASS_WORDS[name] or (name:find "^[AEIOU]" and "an " or "a ") .. name
  add(name, words, function(v)
    local meta = type(v) == "table" and getmetatable(v)
    return type(meta) == "table" and meta.__name == "swale." .. name
  end)
end

---Returns the type of a name: one of the above, or a class, which begins with a capital.
---@param name string
---@return swale.Type
function M.named(name)
  if not types[name] then
    assert(name:match "^%u", "there is no type " .. name)
    add_class(name)
  end
  return types[name]
end

---Returns the value as the type converts it, or nil.
---@param t swale.Type
---@param value any
---@param where string
---@return any
function M.keep(t, value, where)
  if not t.takes(value) then return nil end
  if t.convert then return t.convert(value, where) end
  return value
end

return M
