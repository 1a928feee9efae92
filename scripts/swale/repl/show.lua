--- Values as the repl prints them.
local errors = require "swale.errors"

local M = {}

local MOST, DEEPEST = 40, 3 -- entries of a table, depth of nested tables

local function has_text(value)
  local meta = getmetatable(value)
  return type(meta) == "table" and (rawget(meta, "__tostring") or rawget(meta, "__name"))
end

local show

local function key_text(key)
  if type(key) == "string" and key:match "^[%a_][%w_]*$" then return key end
  return "[" .. show(key, DEEPEST) .. "]"
end

--- Entries 1 … n come first, without their keys.
local function entries_of(t, depth)
  local list, n = {}, 0
  local function add(text)
    n = n + 1
    if n <= MOST then list[#list + 1] = text end
  end
  for i = 1, #t do add(show(rawget(t, i), depth + 1)) end
  local keys = {}
  for key in next, t do
    if math.type(key) ~= "integer" or key < 1 or key > #t then keys[#keys + 1] = key end
  end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for _, key in ipairs(keys) do
    add(key_text(key) .. " = " .. show(rawget(t, key), depth + 1))
  end
  if n > MOST then list[#list + 1] = ("… %d more"):format(n - MOST) end
  return list
end

local function show_table(t, depth)
  if depth >= DEEPEST then return "{ … }" end
  local list = entries_of(t, depth)
  if #list == 0 then return "{}" end
  local line = "{ " .. table.concat(list, ", ") .. " }"
  if #line <= 96 and not line:find "\n" then return line end
  local indent = ("  "):rep(depth + 1)
  return "{\n" .. indent .. table.concat(list, ",\n" .. indent) .. "\n" .. ("  "):rep(depth) .. "}"
end

show = function(value, depth)
  if type(value) == "table" and not has_text(value) then return show_table(value, depth) end
  if type(value) == "string" and depth > 0 then return errors.shown(value) end
  return tostring(value)
end

---Returns a value as text: tensors as they print, tables with their entries, texts unquoted.
---@param value any
---@return string
function M.text(value) return show(value, 0) end

return M
