--- Counts that a rate allows: how often an interval of 95 % may miss in 400 replicates, how often a
--- test of 5 % may find what is not there. A count beyond them has a probability below 1e-3 if the
--- rate is as stated.
local M = {}

local SIGNIFICANT = 1e-3

--- log of the probability of k in n
local function log_probabilities(n, p)
  local list, value = {}, n * math.log(1 - p)
  for k = 0, n do
    list[k] = value
    value = value + math.log((n - k) / (k + 1)) + math.log(p / (1 - p))
  end
  return list
end

---The most events of probability p that n replicates may have.
---@param n integer
---@param p number
---@return integer
function M.most(n, p)
  local logs, above = log_probabilities(n, p), 0
  for k = n, 0, -1 do
    above = above + math.exp(logs[k])
    if above >= SIGNIFICANT then return k end
  end
  return 0
end

---The fewest.
---@param n integer
---@param p number
---@return integer
function M.fewest(n, p) return n - M.most(n, 1 - p) end

return M
