--- Normalisation of the rows of a data set: (x - mean) / deviation, by the moments of the training
--- split, taken over the values of
---     "global"    all of them
---     "feature"   each feature
---     "channel"   each channel, the last axis of a row
--- "unit" divides by 255, for bytes and other values from 0 to 255; "none" does nothing. Values
--- that are constant up to rounding are only shifted.
local core = require "swale.core"
local errors = require "swale.errors"
local look = require "swale.data.look"
local ops = require "swale.ops"

local M = {}

---@alias swale.Standardise boolean|"global"|"feature"|"channel"|"unit"|"none"   true: "global"

---@class swale.Normalisation
---@field kind "global"|"feature"|"channel"|"unit"
---@field mean number|swale.Tensor        tensors: float64, one element for each feature or channel
---@field deviation number|swale.Tensor

local KINDS = { "global", "feature", "channel", "unit", "none" }

---@param where string
---@param value swale.Standardise
---@return "global"|"feature"|"channel"|"unit"|"none"
function M.kind(where, value)
  if value == true then return "global" end
  if value == false then return "none" end
  for _, kind in ipairs(KINDS) do if kind == value then return kind end end
  errors.misuse('%s: standardise is a boolean, "global", "feature", "channel", "unit" or "none",'
    .. " not %s%s", where, errors.shown(value), errors.suggestion(value, KINDS))
end

local CHUNK = 1 << 17 -- values converted to float64 at a time: a mebibyte

--- Iterates over the values in float64, as rows of `columns`, some examples at a time, with the
--- number of the first and how many they are. The next values overwrite them.
local function chunks(x, columns)
  local most = math.min(#x, math.max(1, CHUNK // math.max(1, x:numel() // #x)))
  local room = core.zeros({ most, table.unpack(x:shape(), 2) }, "float64")
  local first = 1 - most
  return function()
    first = first + most
    if first > #x then return nil end
    local n = math.min(most, #x - first + 1)
    local values = room:narrow(1, 1, n):copy(x:narrow(1, first, n))
    return values:reshape { -1, columns }, first, n
  end
end

--- Whether n values of this mean and deviation vary. The error of their mean is up to n half units
--- of double, and a deviation below that means nothing. (If one value of 600,000 is the next
--- float32 to the others, the deviation is above it.) Nor does one that float32 flushes to 0.
local function varies(mean, deviation, n)
  return deviation > math.abs(mean) * n * 2.0 ^ -53 and deviation >= 2.0 ^ -126
end

--- Two passes; the second corrects the error of the mean, so that equal values have deviation 0.
local function column_moments(x, columns)
  local n = x:numel() / columns
  local function zeros() return core.zeros({ columns }, "float64") end
  local sum, off, squares = zeros(), zeros(), zeros()
  for values in chunks(x, columns) do sum:add(1, ops.sum(values, 1)) end
  local mean = sum / n
  for values in chunks(x, columns) do
    local d = values - mean
    local squared = ops.square(d)
    off:add(1, ops.sum(d, 1))
    squares:add(1, ops.sum(squared, 1))
    d:free() -- they would pile up until the next collection
    squared:free()
  end
  off = off / n
  local deviation = ops.sqrt(ops.maximum(squares / n - off * off, 0))
  for i = 1, columns do
    if not varies(mean:get(i), deviation:get(i), n) then deviation:set(i, 1) end
  end
  return mean, deviation
end

--- Refuses values that have no moments, and for "unit" values that are not from 0 to 255.
local function check_values(kind, x)
  if not x:dtype():find "^float" then return end
  local found = look.at(x)
  if found.bad > 0 then
    errors.misuse('standardise: train.x: %s; fill it in, leave it out, or standardise = "none"',
      look.faults(x))
  elseif kind == "unit" and not (found.least >= 0 and found.most > 1 and found.most <= 255) then
    errors.misuse('standardise: "unit" divides by 255, but values of train.x are %g to %g',
      found.least, found.most)
  end
end

---@param kind "global"|"feature"|"channel"|"unit"|"none"
---@param x swale.Tensor                   (N, …) of the training split
---@return swale.Normalisation|nil         nil for "none"
function M.of(kind, x)
  local mean, deviation
  if kind ~= "none" then check_values(kind, x) end
  if kind == "none" then
    return nil
  elseif kind == "unit" then
    mean, deviation = 0, 255
  elseif kind == "global" then
    local means, deviations = column_moments(x, 1)
    mean, deviation = means:get(1), deviations:get(1)
  else
    local shape = x:shape()
    local channels = #shape > 1 and shape[#shape] or 1
    mean, deviation = column_moments(x, kind == "channel" and channels or x:numel() // #x)
  end
  return { kind = kind, mean = mean, deviation = deviation }
end

--- One value for each feature: a number, or a list that is repeated.
local function broadcast(values, features)
  local row = core.zeros({ features }, "float32")
  if type(values) == "number" then return row:fill(values) end
  row:reshape({ -1, #values }):copy(values)
  return row
end

---Rows are normalised as x scale + shift.
---@param normalisation swale.Normalisation
---@param features integer
---@return swale.Tensor scale, swale.Tensor shift     (features)
function M.rows(normalisation, features)
  local mean, deviation = normalisation.mean, normalisation.deviation
  return broadcast(1 / deviation, features), broadcast(-mean / deviation, features)
end

--- At a mean of so many deviations, x scale + shift is off by some 4e-6 deviations in float32.
local FAR = 32

local function each(values, i) return type(values) == "number" and values or values:get(i) end

---Whether x scale + shift loses digits in float32: x far from 0, as times or years are.
---@param normalisation swale.Normalisation
---@param x swale.Tensor
---@return boolean
function M.cancels(normalisation, x)
  local mean, deviation = normalisation.mean, normalisation.deviation
  if x:dtype() ~= "float32" then return false end
  for i = 1, type(mean) == "number" and 1 or #mean do
    if math.abs(each(mean, i)) > FAR * each(deviation, i) then return true end
  end
  return false
end

---The rows of x, standardised in float64 and rounded once.
---@param normalisation swale.Normalisation
---@param x swale.Tensor
---@return swale.Tensor                    float32, of x's shape
function M.standardised(normalisation, x)
  local mean, deviation = normalisation.mean, normalisation.deviation
  local columns = type(mean) == "number" and 1 or #mean
  local found = core.zeros(x:shape(), "float32")
  for values, first, n in chunks(x, columns) do
    found:narrow(1, first, n):reshape({ -1, columns }):copy((values - mean) / deviation)
  end
  return found
end

return M
