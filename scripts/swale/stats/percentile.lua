--- Intervals from draws of a bootstrap.
local core = require "swale.core"
local estimate = require "swale.estimate"

local M = {}

--- The share of draws to leave out at each end. That of a percentile interval is (1 - level) / 2;
--- here z is t sqrt(n / (n - 1)), since few units vary less than what they were drawn from
--- (Hesterberg 2015, section 5.3).
local function tail(n, level)
  local t = core.student_quantile(0.5 + level / 2, n - 1) * math.sqrt(n / (n - 1))
  return core.normal_cdf(-t)
end

--- The k-th smallest and the k-th largest; a draw without a value counts as an extreme one, and
--- with too few draws the ends are infinite.
local function ends(sorted, failed, share)
  local k = math.floor(share * (#sorted + failed + 1)) - failed
  if k < 1 then return -math.huge, math.huge end
  return sorted[math.min(k, #sorted)], sorted[math.max(#sorted + 1 - k, 1)]
end

local function reason(low, high, failed, draws)
  if low > -math.huge and high < math.huge then return nil end
  if failed > 0 then return ("%d of %d draws have no value"):format(failed, draws) end
  return ("%d draws are too few for this level, or have no limit"):format(draws)
end

--- log(value) -+ t times the deviation of log(draws), with the same factor for few units; nil if a
--- draw has no logarithm. For the mean of logarithms it is Student's interval; percentiles of few
--- units are a little narrower, since their draws have short tails.
local function logarithmic_ends(value, sorted, n, level)
  if #sorted < 2 or not (sorted[1] > 0 and sorted[#sorted] < math.huge and value > 0) then
    return nil
  end
  local sum, squares = 0, 0
  for _, x in ipairs(sorted) do sum = sum + math.log(x / value) end
  for _, x in ipairs(sorted) do squares = squares + (math.log(x / value) - sum / #sorted) ^ 2 end
  local deviation = math.sqrt(squares / (#sorted - 1) * n / (n - 1))
  local factor = math.exp(core.student_quantile(0.5 + level / 2, n - 1) * deviation)
  return value / factor, value * factor
end

---@class swale.PercentileOptions
---@field level number
---@field units integer       that each draw is made of
---@field signed boolean      the quantity can be negative
---@field log? boolean        of a positive quantity: at least log(value) -+ t deviations
---@field target? string

---Returns the expanded percentile interval. Draws of nan are counted in `failed`.
---@param value number        of the units themselves
---@param draws number[]
---@param o swale.PercentileOptions
---@return swale.Estimate
function M.estimate(value, draws, o)
  local sorted, failed = {}, 0
  for _, x in ipairs(draws) do
    if x == x then sorted[#sorted + 1] = x else failed = failed + 1 end
  end
  table.sort(sorted)
  local low, high = ends(sorted, failed, tail(o.units, o.level))
  if o.log and failed == 0 then
    local least, most = logarithmic_ends(value, sorted, o.units, o.level)
    if least then low, high = math.min(low, least), math.max(high, most) end
  end
  if value == value then low, high = math.min(low, value), math.max(high, value) end
  if not o.signed then low = math.max(low, 0) end
  return estimate.new { value = value, low = low, high = high, signed = o.signed,
    target = o.target, interval = ("%.4g %%"):format(100 * o.level),
    reason = reason(low, high, failed, #draws), draws = #draws, failed = failed, n = o.units }
end

return M
