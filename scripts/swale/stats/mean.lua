--- Means over seeds and over pairs, with intervals; how many seeds a test takes.
local core = require "swale.core"
local errors = require "swale.errors"
local estimate = require "swale.estimate"
local location = require "swale.stats.location"
local options = require "swale.options"
local samples = require "swale.stats.samples"

local M = {}

local SPEC = { level = { "positive", 0.95 }, by = location.BY, seed = { "integer", 1 },
  target = "string?" }

local function check(where, o)
  o = options.check(where, o, SPEC)
  if o.level >= 1 then
    errors.misuse("%s: level must be above 0 and below 1, not %g", where, o.level)
  end
  return o
end

---@class swale.MeanOptions
---@field level? number         0.95
---@field by? "t"|"signs"       "t", for normal values; "signs": exact for symmetric ones
---@field target? string        what it is the mean of
---@field seed? integer         of random subsets, with signs of more than 15 values; 1

---The mean of values that are independent, one for each seed, with its interval:
---    print(sw.stats.mean { 0.91, 0.93, 0.92, 0.95 }) --> 0.9275 (95 %: 0.9003 to 0.9547) of …
---It has the fields n and deviation. One value gives an open interval.
---@param x swale.Numbers
---@param o? swale.MeanOptions
---@return swale.Estimate
function M.mean(x, o)
  o = check("stats.mean", o)
  local list = samples.numbers("stats.mean", "x", x, 1)
  return location.estimate(location.of(list, o.by, o.seed), o.level,
    o.target or ("the mean of %d values"):format(#list))
end

local MEANS = { log = { "boolean", false }, level = { "positive", 0.95 } }

---@class swale.MeansOptions
---@field log? boolean      geometric means: of logarithms, and back
---@field level? number     0.95

---The mean of each column of rows, over seeds, for pictures: a list of estimates. A single row has
---no intervals: its numbers are returned.
---@param rows swale.NumberRows
---@param o? swale.MeansOptions
---@return (swale.Estimate|number)[]
function M.means(rows, o)
  o = options.check("stats.means", o, MEANS)
  local list, all = {}, samples.rows("stats.means", "rows", rows, 1, 1)
  for k = 1, #all[1] do
    local column = samples.column(all, k)
    if #column == 1 then
      list[k] = column[1]
    elseif o.log then
      local e = M.mean(samples.logarithms("stats.means", "log = true is of values above 0",
        "column", column), { level = o.level })
      list[k] = estimate.new { value = math.exp(e.value), low = math.exp(e.low),
        high = math.exp(e.high), n = e.n, target = e.target }
    else
      list[k] = M.mean(column, { level = o.level })
    end
  end
  return list
end

---The mean of a - b over seeds: a[i] and b[i] are of the same seed, so that what a seed does to
---both cancels.
---@param a swale.Numbers
---@param b swale.Numbers|number   a number: compares every a with it
---@param o? swale.MeanOptions
---@return swale.Estimate
function M.paired(a, b, o)
  o = check("stats.paired", o)
  local d = samples.differences("stats.paired", a, b)
  return location.estimate(location.of(d, o.by, o.seed), o.level,
    o.target or ("the mean of a - b over %d pairs"):format(#d))
end

local SEEDS = { deviation = "positive", effect = "positive", alpha = { "positive", 0.05 },
  power = { "positive", 0.8 } }

local MOST_SEEDS = 1e7

---@class swale.SeedsOptions
---@field deviation number      standard deviation of the differences, from a pilot
---@field effect number         distance from the margin that is to be found
---@field alpha? number         of a one-sided test, after Holm; 0.05
---@field power? number         0.8

---How many pairs a one-sided paired test by Student's t needs:
---    n >= ((t_alpha + t_power) deviation / effect)^2,   both t with n - 1 degrees of freedom
---which is right to one seed.
---@param o swale.SeedsOptions
---@return integer
function M.seeds(o)
  o = options.check("stats.seeds", o, SEEDS)
  if o.alpha >= 0.5 or o.power >= 1 or o.power < 0.5 then
    errors.misuse("stats.seeds: alpha must be below 0.5 and power from 0.5 to 1, not %g and %g",
      o.alpha, o.power)
  end
  local ratio = o.deviation / o.effect
  local z = core.normal_quantile(1 - o.alpha) + core.normal_quantile(o.power)
  local n = math.max(2, (z * ratio) ^ 2) -- too few: t is larger than z
  while n < MOST_SEEDS do
    n = math.ceil(n)
    local t = core.student_quantile(1 - o.alpha, n - 1) + core.student_quantile(o.power, n - 1)
    if n >= (t * ratio) ^ 2 then return n end
    n = n + 1
  end
  errors.misuse("stats.seeds: an effect of %g at a deviation of %g takes more than %d seeds",
    o.effect, o.deviation, MOST_SEEDS)
end

return M
