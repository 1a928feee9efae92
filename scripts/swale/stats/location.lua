--- Where a quantity lies, as two tests and the intervals that belong to them: Student's t, or the
--- signs of paired differences.
local core = require "swale.core"
local estimate = require "swale.estimate"
local samples = require "swale.stats.samples"

local M = {}

---@class swale.Location
---@field value number
---@field n integer
---@field above fun(self: swale.Location, m: number): number
---@field below fun(self: swale.Location, m: number): number
---@field interval fun(self: swale.Location, level: number): number, number
---@field spread? number       standard deviation of the differences
---@field error? number        standard error
---@field few? string          why its interval may be open

-- ------------------------------------------------------------------ Student's t

local Student = {}
Student.__index = Student

--- (value - m) / error, where 0 / 0 says nothing.
local function deviate(self, m)
  local gap = self.value - m
  return gap == 0 and 0 or gap / self.error
end

---p of "it is at most m".
---@param m number
---@return number
function Student:above(m)
  if self.degrees < 1 then return 1 end
  return core.student_cdf(-deviate(self, m), self.degrees)
end

---p of "it is at least m".
---@param m number
---@return number
function Student:below(m)
  if self.degrees < 1 then return 1 end
  return core.student_cdf(deviate(self, m), self.degrees)
end

---@param level number
---@return number low, number high
function Student:interval(level)
  if self.degrees < 1 then return -math.huge, math.huge end
  local half = core.student_quantile(0.5 + level / 2, self.degrees) * self.error
  return self.value - half, self.value + half
end

---@param value number
---@param standard_error number
---@param degrees number       of freedom
---@param n integer            values that it was made of
---@return swale.Location
function M.student(value, standard_error, degrees, n)
  return setmetatable({ value = value, error = standard_error, degrees = degrees, n = n,
    few = degrees < 1 and "one value has no spread" or nil }, Student)
end

---The mean of values that are independent and normal.
---@param d number[]
---@return swale.Location
function M.of_mean(d)
  local mean, squares = samples.moments(d)
  local spread = #d > 1 and math.sqrt(squares / (#d - 1)) or 0
  local location = M.student(mean, spread / math.sqrt(#d), #d - 1, #d)
  location.spread = #d > 1 and spread or nil
  return location
end

-- ------------------------------------------------------------------ signs

local Signs = {}
Signs.__index = Signs

local MOST_EXACT = 15 -- 2^15 subsets
local DRAWS = 9999
local SLACK = 1e-12   -- rounding of a subset's mean, relative to the largest difference

--- The means of all subsets but the empty one.
local function all_means(d)
  local sums, sizes, n = { 0 }, { 0 }, 1
  for _, x in ipairs(d) do
    for k = 1, n do sums[n + k], sizes[n + k] = sums[k] + x, sizes[k] + 1 end
    n = 2 * n
  end
  local means = {}
  for k = 2, n do means[k - 1] = sums[k] / sizes[k] end
  return means
end

local function drawn_means(d, seed)
  local random, means = core.random(seed, "stats/signs"), {}
  while #means < DRAWS do
    local sum, size = 0, 0
    for _, x in ipairs(d) do
      if random:uniform() < 0.5 then sum, size = sum + x, size + 1 end
    end
    if size > 0 then means[#means + 1] = sum / size end
  end
  return means
end

--- How many of the sorted means are at most m.
local function count_up_to(means, m)
  local low, high = 0, #means
  while low < high do
    local middle = (low + high + 1) // 2
    if means[middle] <= m then low = middle else high = middle - 1 end
  end
  return low
end

---p of "it is at most m".
---@param m number
---@return number
function Signs:above(m)
  return (1 + count_up_to(self.means, m + self.slack)) / (#self.means + 1)
end

---p of "it is at least m".
---@param m number
---@return number
function Signs:below(m)
  return (1 + #self.means - count_up_to(self.means, m - self.slack)) / (#self.means + 1)
end

---@param level number
---@return number low, number high
function Signs:interval(level)
  local k = math.floor((1 - level) / 2 * (#self.means + 1) + 1e-9)
  if k < 1 then return -math.huge, math.huge end
  return self.means[k], self.means[#self.means - k + 1]
end

---The centre of differences that are symmetric about it and independent, by flipping signs. If the
---centre is m, each sign of d - m is as likely as the other; flipping those of a subset raises the
---mean unless the subset's mean is above m. So the 2^n - 1 means of subsets give p and intervals
---(Hartigan 1969), exact for any symmetric distribution; of more than 15 differences, 9,999 random
---subsets. The least p is 2^-n.
---@param d number[]
---@param seed integer
---@return swale.Location
function M.of_signs(d, seed)
  local means = #d <= MOST_EXACT and all_means(d) or drawn_means(d, seed)
  table.sort(means)
  local mean, squares = samples.moments(d)
  local most = 0
  for _, x in ipairs(d) do most = math.max(most, math.abs(x)) end
  return setmetatable({ value = mean, n = #d, means = means, slack = SLACK * most,
    spread = #d > 1 and math.sqrt(squares / (#d - 1)) or nil,
    few = ("%d signs cannot give an interval of this level"):format(#d) }, Signs)
end

M.BY = { choice = { "t", "signs" }, "t" }

---The centre of differences, by the test that was asked for.
---@param d number[]
---@param by "t"|"signs"
---@param seed integer
---@return swale.Location
function M.of(d, by, seed)
  if by == "signs" then return M.of_signs(d, seed) end
  return M.of_mean(d)
end

---@param location swale.Location
---@param level number
---@param target string
---@return swale.Estimate
function M.estimate(location, level, target)
  local low, high = location:interval(level)
  return estimate.new { value = location.value, low = math.min(low, location.value),
    high = math.max(high, location.value), signed = true, target = target, n = location.n,
    interval = ("%.4g %%"):format(100 * level), deviation = location.spread,
    reason = high == math.huge and location.few or nil }
end

return M
