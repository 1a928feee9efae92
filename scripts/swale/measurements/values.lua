--- Values of measurements: a number, an estimate, or a table of them by name; and their columns in
--- the record.
local errors = require "swale.errors"
local estimate = require "swale.estimate"

local M = {}

--- Endings of the columns of an estimate, by its fields. Its value is in the column NAME.
local ENDINGS <const> = { low = "_low", high = "_high", status = "_status" }

--- Likewise, of what is text: it is recorded where it changes.
local TEXTS <const> = { target = "_target", reason = "_reason" }

---Returns the ending of an estimate's columns that a name has; nil: none.
---@param name string
---@return string|nil
function M.ending_of(name)
  for _, endings in ipairs { ENDINGS, TEXTS } do
    for _, ending in pairs(endings) do if name:sub(-#ending) == ending then return ending end end
  end
  return nil
end

---Whether a column has a value of the measurement: not the interval or status of one.
---@param name string
---@param column any
---@return boolean
function M.is_value_of(name, column)
  if type(column) ~= "string" or M.ending_of(column) then return false end
  return column == name or column:sub(1, #name + 1) == name .. "."
end

---Returns the interval of the value in a column; nil where the value is a number.
---@param record table
---@param column string
---@return number|nil low, number|nil high
function M.interval(record, column)
  return record[column .. ENDINGS.low], record[column .. ENDINGS.high]
end

local function is_single(value) return type(value) == "number" or estimate.is_estimate(value) end

--- The whole number that has the same text as a name; nil: none.
local function twin_of(name)
  local n = math.tointeger(tonumber(name) or 0.5)
  return n and tostring(n) == name and n or nil
end

--- Two keys never share a column.
local function check_key(t, key)
  if math.type(key) == "integer" then return end
  if type(key) ~= "string" then
    errors.misuse("a measurement's table has names or whole numbers as keys, not %s",
      errors.shown(key))
  elseif not utf8.len(key) then
    errors.misuse("a measurement's table: the key %s is not UTF-8", errors.shown(key))
  elseif M.ending_of(key) then
    errors.misuse('a measurement\'s table: %s ends in "%s", as the columns of estimates do',
      errors.shown(key), M.ending_of(key))
  elseif t[twin_of(key) or {}] ~= nil then
    errors.misuse("a measurement's table has both [%s] and [%q] as keys", key, key)
  end
end

---Raises unless value is one.
---@param value any
---@return swale.Measured value
function M.check(value)
  if is_single(value) then return value end
  if type(value) ~= "table" or getmetatable(value) then
    errors.misuse("a measurement returns a number, an estimate or a table of them, not %s",
      errors.shown(value))
  end
  for key, one in pairs(value) do
    check_key(value, key)
    if not is_single(one) then
      errors.misuse("a measurement returns a number, an estimate or a table of them: %s is %s",
        errors.shown(key), errors.shown(one))
    end
  end
  return value
end

local function copy_of(value)
  return estimate.is_estimate(value) and estimate.copy(value) or value
end

---Returns a copy that later measurements do not change.
---@param value swale.Measured
---@return swale.Measured
function M.copy(value)
  if is_single(value) then return copy_of(value) end
  local copy = {}
  for key, one in pairs(value) do copy[key] = copy_of(one) end
  return copy
end

--- Target and reason, if status or target differ from what the record says.
local function put_texts(line, name, value, told)
  local now = value.status .. " " .. (value.target or "")
  local known = told[name] == now
  told[name] = now
  for field, ending in pairs(TEXTS) do line[name .. ending] = not known and value[field] or nil end
end

local function put(line, name, value, told)
  if not estimate.is_estimate(value) then
    line[name] = value
    return
  end
  line[name] = value.value
  for field, ending in pairs(ENDINGS) do line[name .. ending] = value[field] end
  put_texts(line, name, value, told)
end

---Adds the columns of a value to a line of the record: NAME, of an estimate also NAME_low,
---NAME_high and NAME_status, and where status or target changed NAME_target and NAME_reason; of a
---table these of each NAME.KEY.
---@param line table
---@param name string
---@param value swale.Measured
---@param told table<string, string>   what the record says already, by column; changed
function M.add_columns(line, name, value, told)
  if is_single(value) then return put(line, name, value, told) end
  for key, one in pairs(value) do put(line, name .. "." .. tostring(key), one, told) end
end

return M
