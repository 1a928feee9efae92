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

--- For each p what it was compared with: alpha over the number of p-values left at its step. The
--- steps end at the first that is larger; all after it count as compared there.
local function steps(p, alpha)
  local values, ranks = adjusted(p)
  local last, list = 1, {}
  for _, value in ipairs(values) do if value <= alpha then last = last + 1 end end
  for i, rank in ipairs(ranks) do
    list[i] = { p = values[i], alpha = alpha / (#p - math.min(rank, last) + 1) }
  end
  return list
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
  local held, against, result = steps(p, alpha), steps(p_against, alpha), {}
  for i, found in ipairs(list) do
    result[i] = finding.adjusted(found, held[i], against[i], alpha)
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
