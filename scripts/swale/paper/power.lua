--- How many seeds would decide a claim, from the estimate and the spread that were seen.
local core = require "swale.core"

local M = {}

local MOST = 10000

local POWER = 0.8

-- ------------------------------------------------------------------ distances

-- Each gives the distances from the estimate to the bounds that it must be told from, all of them,
-- in the unit of the test; and how many tests share alpha.

--- Either verdict counts, so the one that is farther.
local function greater(claim, x)
  local margin, smallest = claim.margin, claim.smallest
  if claim.ratio then
    margin, smallest = math.log(margin or 1), smallest and math.log(smallest)
  end
  margin = margin or 0
  return { math.max(x - margin, (smallest or margin) - x) }, 1
end

--- Inside both bounds must be excluded; outside one of them, by two tests.
local function between(low, high, x)
  if low < x and x < high then return { x - low, high - x }, 1 end
  return { x <= low and low - x or x - high }, 2
end

local function equivalent(claim, x)
  local margin = claim.ratio and math.log(claim.margin) or claim.margin
  return between(-margin, margin, x)
end

local function slope(claim, x)
  local above, below = claim.above, claim.below
  if above and below then return between(above, below, x) end
  return { math.abs(x - (above or below or 0)) }, 1
end

local function peak(claim, x) return { math.max(x, (claim.smallest or 0) - x) }, 1 end

local DISTANCES = { greater = greater, equivalent = equivalent, slope = slope,
  interior_peak = peak }

-- ------------------------------------------------------------------ seeds

--- The probability that paired tests of n seeds exclude all bounds, at least: sw.stats.seeds has
--- the same approximation, for one.
local function power_of(n, ratios, alpha)
  local critical, missed = core.student_quantile(1 - alpha, n - 1), 0
  for _, ratio in ipairs(ratios) do
    missed = missed + core.student_cdf(critical - math.sqrt(n) * ratio, n - 1)
  end
  return 1 - missed
end

--- The least n with the power; MOST + 1 if there is none up to MOST.
local function least(ratios, alpha)
  local low, high = 1, 2
  while high <= MOST and power_of(high, ratios, alpha) < POWER do low, high = high, 2 * high end
  high = math.min(high, MOST + 1)
  while high - low > 1 do
    local middle = (low + high) // 2
    if power_of(middle, ratios, alpha) < POWER then low = middle else high = middle end
  end
  return high
end

--- Page's test is a normal deviate of r sqrt(n (k - 1)), with n rows of k levels and a mean rank
--- correlation r.
local function monotone(r, levels, alpha)
  local z = core.normal_quantile(1 - alpha) + core.normal_quantile(POWER)
  return math.ceil((z / r) ^ 2 / (levels - 1))
end

---The seeds that would decide with a power of 0.8; nil where the spread is not known.
---@param claim swale.Claim
---@param test swale.ClaimTest
---@param alpha number     of one test
---@return integer|nil seeds
---@return number|nil deviation
function M.seeds(claim, test, alpha)
  local where = test.finding.where
  local x, deviation = where.value, where.spread
  if claim.kind == "monotone" then
    local n = x ~= 0 and monotone(math.abs(x), test.levels, alpha) or MOST + 1
    return n, deviation
  end
  if not deviation or deviation <= 0 then return nil, deviation end
  local ratios, tests = DISTANCES[claim.kind](claim, x)
  for i, distance in ipairs(ratios) do ratios[i] = math.max(distance, 0) / deviation end
  local n = least(ratios, alpha / tests)
  return claim.kind == "interior_peak" and math.max(4, 2 * n) or n, deviation
end

---"about 24 seeds"
---@param n integer|nil
---@return string|nil
function M.words(n)
  if not n then return nil end
  return n > MOST and "more than 10,000 seeds" or ("about %d seeds"):format(n)
end

return M
