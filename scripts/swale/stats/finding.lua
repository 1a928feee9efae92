--- What a test found about a claim: an estimate with its interval, two p-values and a verdict.
local class = require "swale.class"
local errors = require "swale.errors"
local location = require "swale.stats.location"

local M = {}

---@alias swale.Verdict "held"|"did not hold"|"unresolved"

---@class swale.Finding
---@field claim string          in words
---@field estimate swale.Estimate   of level 1 - 2 alpha: the claim held if it lies wholly inside;
---unless it held it is wider where p_against is of tests at either side
---@field p number              of the claim's opposite: at most alpha, the claim held
---@field p_against number      of an effect that would matter: at most alpha, it did not hold
---@field alpha number          the error rate of either verdict
---@field verdict swale.Verdict
---@field n integer             seeds, or points
---@field p_adjusted? number    after Holm's correction, as p_against_adjusted
---@field p_against_adjusted? number
---@field at? number            of a peak: the level that was picked
---@field ends? swale.Estimate[]   of a peak: above the first level and above the last
local Finding = class.new("finding", { fields = { "claim", "estimate", "p", "p_against", "alpha",
  "verdict", "n", "p_adjusted", "p_against_adjusted", "at", "ends" } })

--- An effect that is surely there but surely too small to matter did not hold.
local function verdict(p, p_against, alpha)
  if p_against <= alpha then return "did not hold" end
  return p <= alpha and "held" or "unresolved"
end

function Finding:__tostring()
  local p = self.verdict == "did not hold" and (self.p_against_adjusted or self.p_against)
    or self.p_adjusted or self.p
  return ("%s: %s; %s, p = %.2g, n = %d"):format(self.verdict, self.claim, self.estimate, p, self.n)
end

--- The interval that agrees with the verdict: at level 1 - 2 alpha each end is a one-sided test of
--- rate alpha. p_against is that of one end, or twice that of the better one of two (`either`).
local function interval(found, alpha, against)
  if found.either then against = against / 2 end
  if found.verdict == "did not hold" then
    local where = found.where_against or found.where
    return location.estimate(where, 1 - 2 * against, found.target_against or found.target)
  end
  if found.verdict ~= "held" then alpha = math.min(alpha, against) end
  return location.estimate(found.where, 1 - 2 * alpha, found.target)
end

---@param fields table           of swale.Finding without estimate and verdict; where, a
---swale.Location, and target, in words, give the estimate, and where_against and target_against
---that of a claim that did not hold, if it is another; either: p_against is of two tests
---@return swale.Finding
function M.new(fields)
  fields.p, fields.p_against = math.min(fields.p, 1), math.min(fields.p_against, 1)
  fields.n = fields.n or fields.where.n
  fields.verdict = verdict(fields.p, fields.p_against, fields.alpha)
  fields.estimate = interval(fields, fields.alpha, fields.alpha)
  return setmetatable(fields, Finding)
end

---@param value any
---@return boolean
function M.is_finding(value) return getmetatable(value) == Finding end

---@class swale.AdjustedTest
---@field p number       after the correction
---@field alpha number   what p before the correction was compared with

---Returns a copy, judged by adjusted p-values at alpha; its interval has the level of its step.
---@param found swale.Finding
---@param held swale.AdjustedTest
---@param against swale.AdjustedTest
---@param alpha number           of the family
---@return swale.Finding
function M.adjusted(found, held, against, alpha)
  local copy = {}
  for key, value in next, found do copy[key] = value end
  copy.p_adjusted, copy.p_against_adjusted, copy.alpha = held.p, against.p, alpha
  copy.verdict = verdict(held.p, against.p, alpha)
  copy.estimate = interval(copy, held.alpha, against.alpha)
  return setmetatable(copy, Finding)
end

---Raises unless alpha can be the error rate of a test.
---@param where string
---@param alpha number
function M.check_alpha(where, alpha)
  if alpha >= 0.5 then
    errors.misuse("%s: alpha must be above 0 and below 0.5, not %g", where, alpha)
  end
end

return M
