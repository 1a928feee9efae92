--- Axes of a panel: ranges from the values, linear or logarithmic, and their tics.
local canvases = require "swale.plot.canvas"
local gnuplot = require "swale.gnuplot"

local M = {}

---@class swale.Axis
---@field log boolean
---@field low number       of the range that is drawn
---@field high number

---Whether an axis can place a number.
---@param axis swale.Axis
---@param v number
---@return boolean
function M.places(axis, v) return canvases.is_finite(v) and (not axis.log or v > 1e-300) end

---The value at a share of the way from the low end to the high one.
---@param axis swale.Axis
---@param share number
---@return number
function M.at(axis, share)
  if axis.log then return axis.low * (axis.high / axis.low) ^ share end
  return axis.low + (axis.high - axis.low) * share
end

--- The ends of an interval without values: nil.
local function extent(axis, lists)
  local low, high = math.huge, -math.huge
  for _, list in ipairs(lists) do
    for _, v in ipairs(list) do
      if M.places(axis, v) then low, high = math.min(low, v), math.max(high, v) end
    end
  end
  if low > high then return nil end
  return low, high
end

--- The ends of bands extend the range of the values by its size at most, on each side.
local function with_bands(axis, low, high, bands)
  local from, to = extent(axis, bands)
  if not from then return low, high end
  if not low then return from, to end
  if high == low then return math.min(low, from), math.max(high, to) end
  if axis.log then
    local ratio = high / low
    return math.max(math.min(low, from), low / ratio), math.min(math.max(high, to), high * ratio)
  end
  local size = high - low
  return math.max(math.min(low, from), low - size), math.min(math.max(high, to), high + size)
end

local function margins(axis, low, high, share)
  if axis.log then
    local factor = math.max((high / low) ^ share, high == low and 2 or 1.001)
    return low / factor, high * factor
  end
  if share == 0 and high > low then return low, high end
  return gnuplot.widened(low, high, share)
end

---Makes an axis for values.
---@param o { log: boolean, range?: number[], share: number, zero?: boolean }   zero: 0 is on it,
---at its end if no value is below
---@param values number[][]    lists
---@param bands number[][]     lists of ends of bands
---@return swale.Axis|nil      nil: there is no value that it can place
function M.of(o, values, bands)
  local axis = { log = o.log }
  if o.range then
    axis.low, axis.high = o.range[1], o.range[2]
    return axis
  end
  local low, high = extent(axis, values)
  low, high = with_bands(axis, low, high, bands)
  if not low then return nil end
  local zero = o.zero and not o.log
  if zero then low, high = math.min(low, 0), math.max(high, 0) end
  axis.low, axis.high = margins(axis, low, high, o.share)
  if zero and low == 0 and high > 0 then axis.low = 0 end
  if zero and high == 0 and low < 0 then axis.high = 0 end
  return axis
end

--- Equal steps of 1, 2 or 5 times a power of ten, three to seven of them.
local function equal_tics(low, high)
  local size = (high - low) / 3
  local power = 10.0 ^ math.floor(math.log(size, 10))
  local step = (size >= 5 * power and 5 or size >= 2 * power and 2 or 1) * power
  local list = {}
  for k = math.ceil(low / step), math.floor(high / step) do list[#list + 1] = k * step end
  return list
end

---The tics of a logarithmic axis: 1, 2, 5, more of them where it is short. Where fewer than two of
---them lie on it, they are at equal steps.
---@param low number
---@param high number
---@return string   a list in gnuplot's language
function M.log_tics(low, high)
  local digits = high / low < 12 and { 1, 1.5, 2, 3, 4, 5, 6, 8 } or { 1, 2, 5 }
  local list, inside = {}, 0
  for exponent = math.floor(math.log(low, 10)), math.ceil(math.log(high, 10)) do
    for _, digit in ipairs(digits) do
      local v = digit * 10.0 ^ exponent
      list[#list + 1] = v
      if low <= v and v <= high then inside = inside + 1 end
    end
  end
  if inside < 2 then list = equal_tics(low, high) end
  for i, v in ipairs(list) do list[i] = ('"%.8g" %.12g'):format(v, v) end
  return "(" .. table.concat(list, ", ") .. ")"
end

return M
