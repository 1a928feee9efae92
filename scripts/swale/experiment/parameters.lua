--- The parameters of an experiment: declared by their defaults, which fix their types; overridden
--- by texts of the command line, or by values.
local errors = require "swale.errors"

local M = {}

---@class swale.Choice
---@field [integer] string|number|boolean
local Choice = { __name = "swale.Choice" }

local PARAMETER_TYPES = { number = true, string = true, boolean = true }

---A parameter that takes one of some values; the first one is the default.
---@param values (string|number|boolean)[]
---@return swale.Choice
function M.choice(values)
  if type(values) ~= "table" or #values == 0 then
    errors.misuse('choice: needs a list of values, such as choice { "lr", "batch" }')
  end
  for i = 1, #values do
    if not PARAMETER_TYPES[type(values[i])] or values[i] ~= values[i] then
      errors.misuse("choice: value %d must be a number, a string or a boolean, not %s", i,
        errors.shown(values[i]))
    end
  end
  return setmetatable(table.move(values, 1, #values, 1, {}), Choice)
end

---@param value any
---@return boolean
function M.is_choice(value) return getmetatable(value) == Choice end

---Refuses defaults that no parameter can have.
---@param params table<string, any>
function M.check(params)
  for name, default in pairs(params) do
    if type(name) ~= "string" or not name:match "^[%a_][%w_]*$" then
      errors.misuse("experiment: a parameter must be named by a word, not %s", errors.shown(name))
    elseif not M.is_choice(default) and not PARAMETER_TYPES[type(default)] then
      errors.misuse("experiment: parameter %s is a %s; it must be a number, a string, a boolean or"
        .. " a choice { … }", name, type(default))
    end
  end
end

-- ------------------------------------------------------------------ overrides

local function words_of(choice)
  local words = {}
  for i, value in ipairs(choice) do words[i] = tostring(value) end
  return table.concat(words, ", ")
end

--- The choice that a text or value names; numbers are compared as numbers: 1e-4 is 0.0001.
local function from_choice(choice, given)
  for _, value in ipairs(choice) do
    if value == given or tostring(value) == given then return value end
  end
  local number = tonumber(given)
  for _, value in ipairs(choice) do
    if number and number == value then return value end
  end
  local near = type(given) == "string" and not number and errors.nearest(given, choice)
  return nil, "one of " .. words_of(choice), near and ('; did you mean "%s"?'):format(near)
end

local function from_number(default, given)
  local number = tonumber(given)
  if math.type(default) == "float" then
    if number and number - number == 0 then return number + 0.0 end
    return nil, "a number"
  end
  local whole = number and math.tointeger(number)
  if whole then return whole end
  return nil, "a whole number", number and
    (", like its default (%d; with %d.0 it would take any number)"):format(default, default)
end

local BOOLEANS = { ["true"] = true, ["false"] = false }

--- The value for `given`, a text or a value; nil, what is expected and a hint.
local function typed(default, given)
  if M.is_choice(default) then return from_choice(default, given) end
  if type(default) == "number" then return from_number(default, given) end
  if type(default) == "string" then
    if PARAMETER_TYPES[type(given)] then return tostring(given) end
    return nil, "a string"
  end
  local value = given
  if type(given) == "string" then value = BOOLEANS[given] end
  if type(value) == "boolean" then return value end
  return nil, "true or false"
end

local function text_of(value) return type(value) == "string" and value or errors.shown(value) end

local function declared(params)
  local names = errors.sorted(params)
  return #names == 0 and "It declares none." or "It declares: " .. table.concat(names, ", ") .. "."
end

---Returns the defaults, replaced by overrides.
---@param declaration table<string, any>
---@param overrides? table<string, any>
---@param called string   what the experiment is called in messages: the script
---@return table<string, any>|nil params, string? message
function M.resolve(declaration, overrides, called)
  local params = {}
  for name, default in pairs(declaration) do
    if M.is_choice(default) then params[name] = default[1] else params[name] = default end
  end
  for _, name in ipairs(errors.sorted(overrides or {})) do
    if declaration[name] == nil then
      return nil, ('%s has no parameter "%s"%s %s'):format(called, name,
        errors.suggestion(name, declaration), declared(declaration))
    end
    local value, wanted, hint = typed(declaration[name], overrides[name])
    if value == nil then
      return nil, ("%s: parameter %s takes %s, not %s%s"):format(called, name, wanted,
        overrides[name] == "" and "nothing" or text_of(overrides[name]), hint or "")
    end
    params[name] = value
  end
  return params
end

return M
