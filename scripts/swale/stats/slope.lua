--- The slope of a straight line, from points or over seeds.
local errors = require "swale.errors"
local finding = require "swale.stats.finding"
local location = require "swale.stats.location"
local options = require "swale.options"
local samples = require "swale.stats.samples"

local M = {}

local SPEC = { above = "number?", below = "number?", log = { "boolean", false },
  alpha = { "positive", 0.05 }, by = location.BY, seed = { "integer", 1 } }

--- Least squares: slope, and the sums of squares of x and of the residuals.
local function fit(x, y)
  local mean_x, squares = samples.moments(x)
  local mean_y, products, rest = samples.moments(y), 0, 0
  for i, v in ipairs(x) do products = products + (v - mean_x) * (y[i] - mean_y) end
  local slope = products / squares
  for i, v in ipairs(x) do rest = rest + (y[i] - mean_y - slope * (v - mean_x)) ^ 2 end
  return slope, squares, rest
end

--- Points that are independent: n - 2 degrees of freedom.
local function of_points(x, y)
  local slope, squares, rest = fit(x, y)
  local degrees = #x - 2
  local where = location.student(slope, math.sqrt(rest / math.max(degrees, 1) / squares), degrees,
    #x)
  where.few = degrees < 1 and "two points have no spread about their line" or nil
  return where
end

local function logarithms(name, list)
  return samples.logarithms("stats.slope", "log = true is of values above 0", name, list)
end

--- One slope for each row of y.
local function of_rows(x, rows, o)
  local slopes = {}
  for i, row in ipairs(rows) do slopes[i] = fit(x, row) end
  return location.of(slopes, o.by, o.seed)
end

local function is_rows(y)
  if type(y) == "table" then return type(rawget(y, 1)) == "table" end
  return type(y) == "userdata" and y:ndim() == 2
end

local function locate(x, y, o)
  x = samples.numbers("stats.slope", "x", x, 2)
  local many = is_rows(y)
  local rows = many and samples.rows("stats.slope", "y", y, 1, #x, true)
    or { samples.numbers("stats.slope", "y", y, 2) }
  if #rows[1] ~= #x then
    errors.misuse("stats.slope: x and y must be equally long, not %d and %d", #x, #rows[1])
  end
  if o.log then
    x = logarithms("x", x)
    for i, row in ipairs(rows) do rows[i] = logarithms("y", row) end
  end
  local _, squares = samples.moments(x)
  if squares == 0 then errors.misuse "stats.slope: all x are equal: no line has a slope there" end
  if not many and o.by == "signs" then
    errors.misuse 'stats.slope: by = "signs" needs a slope for each seed: y = { row, row, … }'
  end
  return many and of_rows(x, rows, o) or of_points(x, rows[1])
end

--- p and p_against of a slope in (above, below); either end may be missing.
local function tests(where, above, below)
  if above and below then
    return math.max(where:above(above), where:below(below)),
      2 * math.min(where:below(above), where:above(below))
  elseif below then
    return where:below(below), where:above(below)
  end
  return where:above(above), where:below(above)
end

local function words(above, below)
  if above and below then return ("the slope is between %g and %g"):format(above, below) end
  return below and ("the slope is below %g"):format(below)
    or ("the slope is above %g"):format(above)
end

---@class swale.SlopeOptions
---@field above? number         the claim: slope > above; 0, if below is not given either
---@field below? number         and slope < below
---@field log? boolean          of log y over log x: the exponent of a power law; false
---@field alpha? number         0.05
---@field by? "t"|"signs"       of the slopes of the seeds; "t"
---@field seed? integer         1

---Whether a slope lies where it is claimed to: y is a list as x (points with independent errors,
---n - 2 degrees of freedom), or has a row for each seed, whose slopes are n independent values.
---    print(sw.stats.slope({ 1, 2, 4, 8 }, { { 1.1, 2, 3.9, 8.1 }, { 1, 2.1, 4.1, 8 },
---      { 0.9, 2, 4, 7.9 } }, { log = true, above = 0.6, below = 1.4 }))
---@param x swale.Numbers
---@param y swale.Numbers|swale.NumberRows
---@param o? swale.SlopeOptions
---@return swale.Finding
function M.slope(x, y, o)
  o = options.check("stats.slope", o, SPEC)
  finding.check_alpha("stats.slope", o.alpha)
  local above, below = o.above, o.below
  if not above and not below then above = 0 end
  if above and below and above >= below then
    errors.misuse("stats.slope: above must be less than below, not %g and %g", above, below)
  end
  local where = locate(x, y, o)
  local p, p_against = tests(where, above, below)
  return finding.new { claim = words(above, below), where = where,
    target = "the slope", p = p, p_against = p_against, alpha = o.alpha,
    either = above ~= nil and below ~= nil }
end

return M
