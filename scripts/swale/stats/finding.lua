--- What a test found about a claim: an estimate with its interval, two p-values and a verdict.
local class = require "swale.class"
local errors = require "swale.errors"
local location = require "swale.stats.location"

local M = {}

---@alias swale.Verdict "held"|"did not hold"|"unresolved"

---@class swale.Finding
---@field claim string          in words
---@field estimate swale.Estimate   of level 1 - 2 alpha: the claim held if it lies wholly inside
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

---@param fields table           of swale.Finding without estimate and verdict; where, a
---swale.Location, and target, in words, give the estimate
---@return swale.Finding
function M.new(fields)
  fields.p, fields.p_against = math.min(fields.p, 1), math.min(fields.p_against, 1)
  fields.estimate = location.estimate(fields.where, 1 - 2 * fields.alpha, fields.target)
  fields.n = fields.n or fields.where.n
  fields.verdict = verdict(fields.p, fields.p_against, fields.alpha)
  return setmetatable(fields, Finding)
end

---@param value any
---@return boolean
function M.is_finding(value) return getmetatable(value) == Finding end

---Returns a copy, judged by adjusted p-values at alpha; its interval has the level of its step.
---@param found swale.Finding
---@param p number
---@param p_against number
---@param alpha number           of the family
---@param own number             of its own step
---@return swale.Finding
function M.adjusted(found, p, p_against, alpha, own)
  local copy = {}
  for key, value in next, found do copy[key] = value end
  copy.p_adjusted, copy.p_against_adjusted, copy.alpha = p, p_against, alpha
  copy.estimate = location.estimate(found.where, 1 - 2 * own, found.target)
  copy.verdict = verdict(p, p_against, alpha)
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
