--- Holm's correction for several tests.
local errors = require "swale.errors"
local finding = require "swale.stats.finding"
local options = require "swale.options"

local M = {}

--- Adjusted p-values, in the order of p, and the rank of each.
local function adjusted(p)
  local order, result, ranks, largest = {}, {}, {}, 0
  for i in ipairs(p) do order[i] = i end
  table.sort(order, function(a, b)
    if p[a] ~= p[b] then return p[a] < p[b] end
    return a < b
  end)
  for rank, i in ipairs(order) do
    largest = math.max(largest, math.min(1, (#p - rank + 1) * p[i]))
    result[i], ranks[i] = largest, rank
  end
  return result, ranks
end

local function check_p(list)
  for i, p in ipairs(list) do
    if type(p) ~= "number" or not (p >= 0 and p <= 1) then
      errors.misuse("stats.holm: [%d] must be a p-value from 0 to 1 or a finding, not %s", i,
        errors.shown(p))
    end
  end
end

local function of_findings(list, alpha)
  local p, p_against = {}, {}
  for i, found in ipairs(list) do
    if not finding.is_finding(found) then
      errors.misuse("stats.holm: [%d] must be a finding like the others, not %s", i,
        errors.shown(found))
    end
    p[i], p_against[i] = found.p, found.p_against
  end
  local held, ranks = adjusted(p)
  local failed, ranks_against = adjusted(p_against)
  local result = {}
  for i, found in ipairs(list) do
    local rank = p_against[i] < p[i] and ranks_against[i] or ranks[i]
    result[i] = finding.adjusted(found, held[i], failed[i], alpha, alpha / (#list - rank + 1))
  end
  return result
end

local SPEC = { alpha = { "positive", 0.05 } }

---@class swale.HolmOptions
---@field alpha? number         error rate of the whole family; 0.05

---Holm's correction (1979): the k-th smallest of m p-values is multiplied by m - k + 1, and is at
---least the one before. All decisions at alpha together are wrong at most at the rate alpha.
---    print(table.unpack(sw.stats.holm { 0.01, 0.04, 0.03 })) --> 0.03 0.06 0.06
---Of findings it returns copies, judged by the adjusted p-values. Verdicts "held" are one family,
---"did not hold" another: each has the error rate alpha.
---@param list number[]|swale.Finding[]
---@param o? swale.HolmOptions
---@return number[]|swale.Finding[]
function M.holm(list, o)
  o = options.check("stats.holm", o, SPEC)
  finding.check_alpha("stats.holm", o.alpha)
  options.value("stats.holm", "list", list, "list")
  if finding.is_finding(list[1]) then return of_findings(list, o.alpha) end
  check_p(list)
  return (adjusted(list))
end

return M
