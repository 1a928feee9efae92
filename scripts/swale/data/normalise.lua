--- How the rows of a data set are normalised: (x - mean) / deviation, by the moments of the
--- training split, taken over the values of
---     "global"    all of them
---     "feature"   each feature
---     "channel"   each channel, the last axis of a row
--- "unit" divides by 255, of bytes and other values from 0 to 255.
--- "none" leaves rows as they are. What does not vary is only shifted.
local cache = require "swale.data.cache"
local core = require "swale.core"
local errors = require "swale.errors"
local look = require "swale.data.look"
local ops = require "swale.ops"

local M = {}

---@alias swale.Standardise boolean|"global"|"feature"|"channel"|"unit"|"none"   true: "global"

---@class swale.Normalisation
---@field kind "global"|"feature"|"channel"|"unit"
---@field mean number|swale.Tensor        tensors: float64, one element a feature or channel
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

local CHUNK = 1000 -- examples converted to float64 at a time

--- Sum over examples of f of the values, as rows of `columns`.
local function column_sums(x, columns, f)
  local sum = core.zeros({ columns }, "float64")
  for first = 1, #x, CHUNK do
    local few = x:narrow(1, first, math.min(CHUNK, #x - first + 1))
    sum:add(1, ops.sum(f(few:to("float64"):reshape { -1, columns }), 1))
  end
  return sum
end

local function column_moments(x, columns)
  local n = x:numel() / columns
  local mean = column_sums(x, columns, function(v) return v end):scale(1 / n)
  local squares = column_sums(x, columns, function(v) return ops.square(v - mean) end)
  local deviation = core.zeros({ columns }, "float64")
  for i = 1, columns do
    local s = math.sqrt(squares:get(i) / n)
    deviation:set(i, s > 0 and s or 1)
  end
  return mean, deviation
end

--- Moments of what is not finite are none, and numbers that are 0 to 1 already are no bytes.
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
    mean, deviation = cache.moments(x)
    deviation = deviation > 0 and deviation or 1
  else
    local shape = x:shape()
    local channels = #shape > 1 and shape[#shape] or 1
    mean, deviation = column_moments(x, kind == "channel" and channels or x:numel() // #x)
  end
  return { kind = kind, mean = mean, deviation = deviation }
end

--- One value a feature: a number everywhere, or a list again and again.
local function stretched(values, features)
  local row = core.zeros({ features }, "float32")
  if type(values) == "number" then return row:fill(values) end
  row:reshape({ -1, #values }):copy(values)
  return row
end

---Rows are read as x scale + shift.
---@param normalisation swale.Normalisation
---@param features integer
---@return swale.Tensor scale, swale.Tensor shift     (features)
function M.rows(normalisation, features)
  local mean, deviation = normalisation.mean, normalisation.deviation
  return stretched(1 / deviation, features), stretched(-mean / deviation, features)
end

return M
