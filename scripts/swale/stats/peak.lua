--- Whether a curve has a peak inside: a level that is above both ends.
local finding = require "swale.stats.finding"
local location = require "swale.stats.location"
local options = require "swale.options"
local samples = require "swale.stats.samples"

local M = {}

local SPEC = { smallest = { "nonnegative", 0 }, alpha = { "positive", 0.05 }, by = location.BY,
  seed = { "integer", 1 } }

--- The rows at odd places, and the others.
local function halves(rows)
  local odd, even = {}, {}
  for i, row in ipairs(rows) do
    local half = i % 2 == 1 and odd or even
    half[#half + 1] = row
  end
  return odd, even
end

--- The column inside whose mean is largest.
local function pick(rows)
  local best, most = nil, -math.huge
  for k = 2, #rows[1] - 1 do
    local mean = samples.moments(samples.column(rows, k))
    if mean > most then best, most = k, mean end
  end
  return best
end

local function height_text(x, k, i)
  return ("y at %g above y at %g"):format(x[k], i == 1 and x[1] or x[#x])
end

--- Column k above the first and above the last.
local function above_ends(rows, k, o)
  local list = {}
  for i, at in ipairs { 1, #rows[1] } do
    local d = samples.differences("stats.interior_peak", samples.column(rows, k),
      samples.column(rows, at))
    list[i] = location.of(d, o.by, o.seed)
  end
  return list
end

--- p of "some level inside is above both ends by `smallest`": each level must be shown to be below
--- that at one end or the other. Also the end that shows it of the level that is nearest to a peak.
local function against(x, rows, o)
  local largest, decides, target = -1, nil, nil
  for k = 2, #rows[1] - 1 do
    local ends = above_ends(rows, k, o)
    local p = { ends[1]:below(o.smallest), ends[2]:below(o.smallest) }
    local i = p[1] <= p[2] and 1 or 2
    if p[i] > largest then
      largest, decides, target = p[i], ends[i], height_text(x, k, i)
    end
  end
  return 2 * largest, decides, target
end

---@class swale.PeakOptions
---@field smallest? number      the smallest height above both ends that would matter; 0
---@field alpha? number         0.05
---@field by? "t"|"signs"       "t"
---@field seed? integer         1

---Whether y, over levels of x, is higher somewhere inside than at both ends. y has a row for each
---seed and a column for each level. Half the seeds (1, 3, 5, …) pick the level; on the others two
---paired tests compare it with both ends, and p is the larger one. So a level that was the highest
---by chance does not count, and on flat and monotone curves at most a share alpha is found to hold.
---The field `at` is the level picked, `ends` its heights above the ends; estimate is the less sure
---of the two; of a claim that did not hold, the height over all seeds of the level that is nearest
---to a peak.
---    local accuracy = { { 0.90, 0.94, 0.91 }, { 0.91, 0.95, 0.90 }, { 0.89, 0.93, 0.91 },
---      { 0.90, 0.94, 0.90 }, { 0.90, 0.95, 0.92 }, { 0.91, 0.94, 0.90 } }
---    print(sw.stats.interior_peak({ 8, 64, 512 }, accuracy))
---@param x swale.Numbers
---@param y swale.NumberRows   4 rows or more, 3 columns or more
---@param o? swale.PeakOptions
---@return swale.Finding
function M.interior_peak(x, y, o)
  o = options.check("stats.interior_peak", o, SPEC)
  finding.check_alpha("stats.interior_peak", o.alpha)
  x = samples.numbers("stats.interior_peak", "x", x, 3)
  local rows = samples.rows("stats.interior_peak", "y", y, 4, #x, true)
  local picking, testing = halves(rows)
  local k = pick(picking)
  local ends = above_ends(testing, k, o)
  local p, heights = {}, {}
  for i = 1, 2 do
    p[i] = ends[i]:above(0)
    heights[i] = location.estimate(ends[i], 1 - 2 * o.alpha, height_text(x, k, i))
  end
  local worse = p[1] >= p[2] and 1 or 2
  local p_against, decides, target = against(x, rows, o)
  return finding.new { claim = ("y is higher at %g than at both ends"):format(x[k]),
    where = ends[worse], target = heights[worse].target, p = p[worse],
    p_against = p_against, where_against = decides, target_against = target, either = true,
    alpha = o.alpha, n = #rows, at = x[k], ends = heights }
end

return M
