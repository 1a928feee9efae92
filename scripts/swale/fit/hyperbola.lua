--- Steps over batch size: S(B) = S_min + E_min / B (McCandlish et al. 2018, eq. 2.11), fitted in
--- log space. With r = E_min / S_min
---
---     log S(B) = u + log(1 + r / B),   u = log S_min
---
--- so that one number, log r, is searched for, and u follows.
local core = require "swale.core"
local runs = require "swale.fit.runs"

local M = {}

---@class swale.Hyperbola
---@field s_min number     0 if no batch size was seen to be too large
---@field e_min number     0 if none was seen to be too small
---@field b_crit number    E_min / S_min; 0 or infinite if the best fit is one of these limits
---@field u number
---@field r number

local BEYOND = 7       -- log r is sought this far outside of the batch sizes
local STEP = 1
local GOLDEN = (math.sqrt(5) - 1) / 2
local PRECISION = 1e-5 -- of log r

--- log P(Z <= z)
local function log_cdf(z)
  if z < -30 then return -0.5 * z * z - math.log(-z * math.sqrt(2 * math.pi)) end
  return math.log(core.normal_cdf(z))
end

--- u of least loss for given log(1 + r / B); by Newton's method, from `near`, if runs are censored.
local function level(cells, curve, deviation, near)
  local sum, n, open = 0, 0, false
  for b, cell in ipairs(cells) do
    sum, n = sum + cell.sum - cell.reached * curve[b], n + cell.reached
    open = open or #cell.bounds > 0
  end
  local u = open and near or sum / n
  for _ = 1, open and 50 or 0 do
    local slope, curvature = (sum - n * u) / deviation, n
    for b, cell in ipairs(cells) do
      for _, bound in ipairs(cell.bounds) do
        local z = (bound - u - curve[b]) / deviation
        local h = runs.mean_above(z)
        slope, curvature = slope + h, curvature + h * (h - z)
      end
    end
    u = u + deviation * slope / curvature
    if math.abs(slope) < 1e-7 * curvature then break end
  end
  return u
end

--- Minus twice the log likelihood, times the variance, but for a constant.
local function loss(cells, curve, u, deviation)
  local total = 0
  for b, cell in ipairs(cells) do
    local mean = u + curve[b]
    if cell.reached > 0 then
      total = total + cell.reached * (cell.sum / cell.reached - mean) ^ 2
    end
    for _, bound in ipairs(cell.bounds) do
      total = total - 2 * deviation ^ 2 * log_cdf((mean - bound) / deviation)
    end
  end
  return total
end

--- The loss as a function of log r, and the u that goes with it.
local function profile(batches, cells, deviation)
  local curve, u = {}, nil
  return function(log_r)
    local r = math.exp(log_r)
    for b, batch in ipairs(batches) do curve[b] = math.log(1 + r / batch) end
    u = level(cells, curve, deviation, u)
    return loss(cells, curve, u, deviation), u
  end
end

--- The least of f between a and c.
local function golden(f, a, c)
  local x, y = c - GOLDEN * (c - a), a + GOLDEN * (c - a)
  local fx, fy = f(x), f(y)
  while c - a > PRECISION do
    if fx < fy then
      c, y, fy = y, x, fx
      x = c - GOLDEN * (c - a)
      fx = f(x)
    else
      a, x, fx = x, y, fy
      y = a + GOLDEN * (c - a)
      fy = f(y)
    end
  end
  return 0.5 * (a + c)
end

---Fits cells, one for each batch size. Every run counts the same; one that did not reach the target
---counts by the probability of that.
---@param batches number[]
---@param cells swale.RunCell[]
---@param deviation number
---@return swale.Hyperbola|nil   nil: no run reached the target
function M.fit(batches, cells, deviation)
  local reached = 0
  for _, cell in ipairs(cells) do reached = reached + cell.reached end
  if reached == 0 then return nil end
  local f = profile(batches, cells, deviation)
  local from = math.log(batches[1]) - BEYOND
  local n = math.ceil((math.log(batches[#batches]) + BEYOND - from) / STEP)
  local best, least = 0, math.huge
  for k = 0, n do
    local value = f(from + k * STEP)
    if value < least then best, least = k, value end
  end
  local at = from + best * STEP
  if best > 0 and best < n then at = golden(f, at - STEP, at + STEP) end
  local _, u = f(at)
  local r = math.exp(at)
  return { u = u, r = r, s_min = best == n and 0 or math.exp(u),
    e_min = best == 0 and 0 or math.exp(u) * r,
    b_crit = best == 0 and 0 or best == n and math.huge or r }
end

---@param h swale.Hyperbola
---@param batch number
---@return number
function M.steps(h, batch) return math.exp(h.u) * (1 + h.r / batch) end

return M
