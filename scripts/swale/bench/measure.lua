--- Times, as other tools' benchmarks of the same work take them.
local M = {}

local function clock() return require("luv").hrtime() end -- nanoseconds

---@param sorted number[]
---@return number
function M.median(sorted)
  local n = #sorted
  if n % 2 == 1 then return sorted[n // 2 + 1] end
  return (sorted[n // 2] + sorted[n // 2 + 1]) / 2
end

---@class swale.Measured
---@field median_ms number
---@field min_ms number
---@field reps integer

---@param times number[]   milliseconds
---@return swale.Measured
function M.summary(times)
  table.sort(times)
  return { median_ms = M.median(times), min_ms = times[1], reps = #times }
end

---Times of f() in milliseconds: after a warm-up, as many calls as take min_time seconds, 5 to 5000.
---@param f fun()
---@param min_time number
---@return swale.Measured
function M.calls(f, min_time)
  local begun, calls = clock(), 0
  while calls < 2 or (clock() - begun < 0.3e9 and calls < 200) do
    f()
    calls = calls + 1
  end
  local times, total = {}, 0
  while (total < min_time * 1e9 or #times < 5) and #times < 5000 do
    local a = clock()
    f()
    local b = clock()
    times[#times + 1] = (b - a) / 1e6
    total = total + (b - a)
  end
  return M.summary(times)
end

---Seconds that f() takes, once.
---@param f fun()
---@return number
function M.once(f)
  local begun = clock()
  f()
  return (clock() - begun) / 1e9
end

return M
