--- Values of measurements: a number, an estimate, or a table of them by name.
local errors = require "swale.errors"
local estimate = require "swale.estimate"

local M = {}

local function is_single(value) return type(value) == "number" or estimate.is_estimate(value) end

local function check_key(key)
  if type(key) == "string" or math.type(key) == "integer" then return end
  errors.misuse("a measurement's table has names or whole numbers as keys, not %s",
    errors.shown(key))
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
    check_key(key)
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

local function put(line, name, value)
  if not estimate.is_estimate(value) then
    line[name] = value
    return
  end
  line[name], line[name .. "_low"] = value.value, value.low
  line[name .. "_high"], line[name .. "_status"] = value.high, value.status
end

---Adds the columns of a value to a line of the record: NAME, of an estimate also NAME_low,
---NAME_high and NAME_status, of a table these of each NAME.KEY.
---@param line table
---@param name string
---@param value swale.Measured
function M.add_columns(line, name, value)
  if is_single(value) then return put(line, name, value) end
  for key, one in pairs(value) do put(line, name .. "." .. tostring(key), one) end
end

return M
