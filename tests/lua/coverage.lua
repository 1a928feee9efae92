-- Coverage of intervals over seeds: every replicate counts, open intervals too. It fails below the
-- number that an interval with the stated rate falls short of once in 1000 times.
local lu = require "luaunit"

local M = {}

M.LONG = os.getenv "SWALE_TEST_LONG"

-- 400 with --long, else what CI can bear.
function M.replicates(few) return M.LONG and 400 or few end

-- The largest k with P(X < k) <= 1e-3, X binomial.
function M.least(n, rate)
  local log_p, below, k = n * math.log(1 - rate), 0, 0
  while below + math.exp(log_p) <= 1e-3 do
    below, k = below + math.exp(log_p), k + 1
    log_p = log_p + math.log((n - k + 1) / k * rate / (1 - rate))
  end
  return k
end

-- The least k with P(X > k) <= 1e-3.
function M.most(n, rate) return n - M.least(n, 1 - rate) end

-- estimates(seed) gives a list of estimates or one, truths its true values in the same order.
function M.check(n, truths, estimates, what)
  if type(truths) ~= "table" then truths = { truths } end
  local covered = {}
  for k = 1, #truths do covered[k] = 0 end
  for seed = 1, n do
    local list = estimates(seed)
    if list.status then list = { list } end
    for k, truth in ipairs(truths) do
      if list[k].low <= truth and truth <= list[k].high then covered[k] = covered[k] + 1 end
    end
  end
  for k, count in ipairs(covered) do
    if M.LONG then print(("%s, %d: %d of %d"):format(what, k, count, n)) end
    lu.assert_true(count >= M.least(n, 0.95), ("%s, %d: %d of %d cover %.6g"):format(what, k, count,
      n, truths[k]))
  end
end

return M
