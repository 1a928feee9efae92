--- The values of a parameter, as a sweep's command line writes them:
---
---     0.1,0.2,-1          these values; texts and booleans, too. \, is a comma in a text
---     1..5                whole numbers, both ends
---     lin:0..1:5          5 values with equal differences, both ends
---     log2:32..4096       32, 64, …; log10:1e-4..1: decades
---     log10:0.01..1:5     5 values with equal ratios, both ends; log2:a..b:n is the same
---     uniform:0..1        drawn, with --random; of a whole parameter whole numbers
---     loguniform:1e-4..1  drawn evenly in the logarithm
---
--- Lists may have ranges in them: 1..3,10. The default of the parameter gives the type; of a text
--- nothing but commas has a meaning.
local core = require "swale.core"
local errors = require "swale.errors"
local parameters = require "swale.experiment.parameters"

local M = {}

local MOST = 100000 -- values of a parameter

---The values of one parameter.
---@class swale.SweepAxis
---@field name string
---@field values any[]|nil                             a list
---@field draw nil|fun(stream: swale.Random): any      or a distribution
---@field text string                                  as it was given

local function fail(fmt, ...) error({ sweep = fmt:format(...) }, 0) end

--- The shortest decimal of so many digits: without the rounding of arithmetic.
local function rounded(x, digits) return tonumber(("%%.%dg"):format(digits):format(x)) + 0.0 end

-- ------------------------------------------------------------------ ranges

local function number_of(text, part)
  local x = tonumber(text)
  if x and x - x == 0 and not text:find "[xX]" then return x end
  fail("%s: %s is not a number", part, errors.shown(text))
end

--- The ends and the count of "a..b:n".
local function ends_of(rest, part, form)
  local a, b, n = rest:match "^([^:]-)%.%.([^:]*):?([^:]*)$"
  if not a or (rest:find ":" and n == "") then fail("%s: write %s", part, form) end
  local first, last = number_of(a, part), number_of(b, part)
  if first >= last then
    fail("%s: the first end must be less than the second; write %s", part, form)
  end
  local count = n ~= "" and math.tointeger(tonumber(n)) or nil
  if n ~= "" and (not count or count < 2 or count > MOST) then
    fail("%s: the number of values is a whole number from 2 to %d, not %s", part, MOST, n)
  end
  return first, last, count
end

local function positive(first, part)
  if first <= 0 then fail("%s: a logarithmic range has positive ends", part) end
end

--- n values with equal ratios.
local function geometric(first, last, n)
  local list = { first, [n] = last }
  for i = 2, n - 1 do list[i] = rounded(first * (last / first) ^ ((i - 1) / (n - 1)), 6) end
  return list
end

--- first, first * base, …, last.
local function powers(base)
  local form = ("log%d:32..4096, or log%d:1..100:5 for 5 values"):format(base, base)
  return function(rest, part)
    local first, last, n = ends_of(rest, part, form)
    positive(first, part)
    if n then return geometric(first, last, n) end
    local steps = math.log(last / first, base)
    local whole = math.floor(steps + 0.5)
    if math.abs(steps - whole) > 1e-9 then
      local below = rounded(first * base ^ math.floor(steps), 12)
      fail("%s: %.12g is not %.12g times a power of %d; end it at %.12g or %.12g, or give a number"
        .. " of values, as in :5", part, last, first, base, below, below * base)
    end
    local list = {}
    for i = 0, whole do list[i + 1] = rounded(first * base ^ i, 12) end
    return list
  end
end

local function linear(rest, part)
  local first, last, n = ends_of(rest, part, "lin:0..1:5")
  if not n then fail("%s: how many values? lin:0..1:5 has 5", part) end
  local list = {}
  for i = 1, n do list[i] = rounded(first + (last - first) * (i - 1) / (n - 1), 12) end
  return list
end

local function whole_numbers(text)
  local a, b = text:match "^(.-)%.%.(.*)$"
  if not a then return nil end
  local first, last = math.tointeger(number_of(a, text)), math.tointeger(number_of(b, text))
  if not first or not last then
    fail("%s: a..b counts whole numbers; write lin:%s..%s:5 for 5 values", text, a, b)
  elseif first > last then
    fail("%s: there is nothing from %d to %d; write %d..%d", text, first, last, last, first)
  elseif last - first >= MOST then
    fail("%s: more than %d values", text, MOST)
  end
  local list = {}
  for x = first, last do list[#list + 1] = x end
  return list
end

local function without_count(rest, part, form)
  local first, last, n = ends_of(rest, part, form)
  if n then fail("%s: a distribution has no number of values: --random says how many", part) end
  return first, last
end

--- Draws have 6 digits: enough, and they can be typed.
local function uniform(rest, part, is_whole)
  local first, last = without_count(rest, part, "uniform:0..1")
  if not is_whole then
    return function(stream) return rounded(first + (last - first) * stream:uniform(), 6) end
  end
  local a, b = math.tointeger(first), math.tointeger(last)
  if not a or not b then fail("%s: the parameter takes whole numbers", part) end
  return function(stream) return a + stream:integer(b - a + 1) - 1 end
end

local function log_uniform(rest, part, is_whole)
  local first, last = without_count(rest, part, "loguniform:1e-4..1")
  positive(first, part)
  return function(stream)
    local x = rounded(first * (last / first) ^ stream:uniform(), 6)
    return is_whole and math.floor(x + 0.5) or x
  end
end

local LISTS = { lin = linear, log2 = powers(2), log10 = powers(10) }
local DRAWS = { uniform = uniform, loguniform = log_uniform }

local function refuse_range(name, part)
  local known = table.move({ "uniform", "loguniform" }, 1, 2, 4, errors.sorted_keys(LISTS))
  fail('%s: no range "%s"%s There are: a..b, %s', part, name, errors.suggestion(name, known),
    table.concat(known, ", "))
end

-- ------------------------------------------------------------------ values

--- The parts between commas; \, and \\ stand for themselves.
local function parts_of(text)
  local parts, part, i = {}, {}, 1
  while i <= #text do
    local c, following = text:sub(i, i), text:sub(i + 1, i + 1)
    if c == "\\" and (following == "," or following == "\\") then
      part[#part + 1] = following
      i = i + 1
    elseif c == "," then
      parts[#parts + 1] = table.concat(part)
      part = {}
    else
      part[#part + 1] = c
    end
    i = i + 1
  end
  parts[#parts + 1] = table.concat(part)
  return parts
end

local function trimmed(text) return text:match "^%s*(.-)%s*$" end

--- The values of a part of a number's list.
local function numbers_of(part)
  local range, rest = part:match "^(%a[%w]*):(.*)$"
  if LISTS[range] then return LISTS[range](rest, part) end
  if DRAWS[range] then fail("%s: a distribution stands alone, not in a list", part) end
  if range then refuse_range(range, part) end
  return whole_numbers(part) or { part }
end

--- A value in the parameter's type; whole parameters take ranges' values rounded.
local function typed(axis, declaration, value, is_range)
  if is_range and math.type(declaration) == "integer" and math.type(value) == "float" then
    value = math.floor(value + 0.5)
  end
  local params, message = parameters.resolve({ [axis.name] = declaration }, { [axis.name] = value },
    "the sweep")
  if not params then fail("%s", (message:gsub("^the sweep: ", ""))) end
  return params[axis.name]
end

local function add(axis, seen, value)
  local mark = type(value) .. M.text(value)
  if seen[mark] then fail("parameter %s has %s twice", axis.name, M.text(value)) end
  seen[mark] = true
  table.insert(axis.values, value)
end

local function read_list(axis, declaration)
  local is_number, seen = type(declaration) == "number", {}
  for i, part in ipairs(parts_of(axis.text)) do
    if type(declaration) ~= "string" then part = trimmed(part) end
    if part == "" and type(declaration) ~= "string" then
      fail("parameter %s: value %d is empty", axis.name, i)
    end
    local list = is_number and numbers_of(part) or { part }
    for _, value in ipairs(list) do add(axis, seen, typed(axis, declaration, value, #list > 1)) end
  end
  if #axis.values > MOST then fail("parameter %s has more than %d values", axis.name, MOST) end
end

--- The distribution that a text names.
local function draw_of(text, declaration)
  local range, rest = text:match "^%s*(%a[%w]*):(.-)%s*$"
  if type(declaration) ~= "number" or not DRAWS[range] or rest:find "," then return nil end
  return DRAWS[range](rest, trimmed(text), math.type(declaration) == "integer")
end

local function read(name, text, declaration)
  local axis = { name = name, text = text, draw = draw_of(text, declaration) }
  if axis.draw then
    if math.type(declaration) == "float" then
      local draw = axis.draw
      axis.draw = function(stream) return draw(stream) + 0.0 end
    end
    return axis
  end
  axis.values = {}
  read_list(axis, declaration)
  return axis
end

---Reads the values of a parameter.
---@param name string
---@param text string
---@param declaration string|number|boolean|swale.Choice   its default
---@return swale.SweepAxis|nil axis, string? message
function M.read(name, text, declaration)
  local ok, found = pcall(read, name, text, declaration)
  if ok then return found end
  if type(found) == "table" and found.sweep then return nil, found.sweep end
  error(found, 0)
end

---A value as a command line has it: "0.1", "1", "true", a text.
---@param value string|number|boolean
---@return string
function M.text(value)
  if math.type(value) ~= "float" then return tostring(value) end
  return (core.json_encode(value):gsub("%.0$", ""))
end

return M
