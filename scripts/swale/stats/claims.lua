--- Claims about differences over seeds: greater, and equivalent.
local errors = require "swale.errors"
local finding = require "swale.stats.finding"
local location = require "swale.stats.location"
local options = require "swale.options"
local samples = require "swale.stats.samples"

local M = {}

local GREATER = { margin = { "number", 0 }, smallest = "number?", alpha = { "positive", 0.05 },
  by = location.BY, seed = { "integer", 1 } }

---@class swale.GreaterOptions
---@field margin? number        the claim is a - b > margin; 0
---@field smallest? number      the smallest a - b that would matter, at least margin; margin
---@field alpha? number         error rate of either verdict; 0.05
---@field by? "t"|"signs"       "t"; "signs" is exact for symmetric differences, but 5 seeds give no
---p below 1/32
---@field seed? integer         of random subsets, with signs of more than 15 pairs; 1

---Whether a is greater than b, over seeds: a one-sided paired test.
---    print(sw.stats.greater({ 0.93, 0.95, 0.94, 0.96, 0.94 }, { 0.91, 0.92, 0.93, 0.93, 0.92 }))
---It held if a - b is surely above the margin, and did not hold if it is surely below `smallest`.
---@param a swale.Numbers
---@param b swale.Numbers|number   of the same seeds; a number: every a is compared with it
---@param o? swale.GreaterOptions
---@return swale.Finding
function M.greater(a, b, o)
  o = options.check("stats.greater", o, GREATER)
  finding.check_alpha("stats.greater", o.alpha)
  local smallest = o.smallest or o.margin
  if smallest < o.margin then
    errors.misuse("stats.greater: smallest, %g, must be at least margin, %g", smallest, o.margin)
  end
  local where = location.of(samples.differences("stats.greater", a, b), o.by, o.seed)
  return finding.new { claim = ("a - b is above %g"):format(o.margin), where = where,
    target = "the mean of a - b", p = where:above(o.margin), p_against = where:below(smallest),
    alpha = o.alpha }
end

local EQUIVALENT = { margin = "positive", alpha = { "positive", 0.05 }, by = location.BY,
  seed = { "integer", 1 } }

---@class swale.EquivalentOptions
---@field margin number         declared before the runs: |a - b| < margin is the same
---@field alpha? number         0.05
---@field by? "t"|"signs"       "t"
---@field seed? integer         1

---Whether a and b are the same within a margin: two one-sided tests (Schuirmann 1987). That no
---difference was found shows nothing of the kind.
---    print(sw.stats.equivalent({ 0.93, 0.95, 0.94 }, { 0.94, 0.94, 0.94 }, { margin = 0.05 }))
---It held if the difference is surely within the margin, and did not hold if it is surely beyond.
---@param a swale.Numbers
---@param b swale.Numbers|number
---@param o swale.EquivalentOptions
---@return swale.Finding
function M.equivalent(a, b, o)
  o = options.check("stats.equivalent", o, EQUIVALENT)
  finding.check_alpha("stats.equivalent", o.alpha)
  local where = location.of(samples.differences("stats.equivalent", a, b), o.by, o.seed)
  local m = o.margin
  return finding.new { claim = ("a - b is within %g of 0"):format(m), where = where,
    target = "the mean of a - b", p = math.max(where:above(-m), where:below(m)),
    p_against = 2 * math.min(where:above(m), where:below(-m)), either = true, alpha = o.alpha }
end

return M
