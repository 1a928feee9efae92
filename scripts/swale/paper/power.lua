--- How many seeds would decide a claim, from the estimate and the spread that were seen.
local core = require "swale.core"
local stats = require "swale.stats"

local M = {}

local MOST = 10000

local POWER = 0.8

--- The distance from the estimate to the bound that it would be told from: either verdict counts.
local function greater(claim, x)
  local margin, smallest = claim.margin, claim.smallest
  if claim.ratio then
    margin, smallest = math.log(margin or 1), smallest and math.log(smallest)
  end
  margin = margin or 0
  return math.max(x - margin, (smallest or margin) - x)
end

local function equivalent(claim, x)
  local margin = claim.ratio and math.log(claim.margin) or claim.margin
  return math.abs(margin - math.abs(x))
end

local function slope(claim, x)
  local above, below = claim.above, claim.below
  if not above and not below then above = 0 end
  local inside = math.min(above and x - above or math.huge, below and below - x or math.huge)
  return math.abs(inside)
end

local function peak(claim, x) return math.max(x, (claim.smallest or 0) - x) end

local DISTANCES = { greater = greater, equivalent = equivalent, slope = slope,
  interior_peak = peak }

--- Page's test is a normal deviate of r sqrt(n (k - 1)), with n rows of k levels and a mean rank
--- correlation r.
local function monotone(r, levels, alpha)
  local z = core.normal_quantile(1 - alpha) + core.normal_quantile(POWER)
  return math.ceil((z / r) ^ 2 / (levels - 1))
end

---The seeds that would decide with a power of 0.8; nil where none is known.
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
  local distance = DISTANCES[claim.kind](claim, x)
  if distance <= 0 then return MOST + 1, deviation end
  local ratio = deviation / distance
  if ratio > 30 then return MOST + 1, deviation end
  local n = stats.seeds { deviation = deviation, effect = distance, alpha = alpha, power = POWER }
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
