--- Independent draws of a number, and an interval for their mean. The interval corrects for
--- skewness: quadratic forms of random vectors, which traces are made of, have it, and the usual
--- interval then covers 88 % where it says 95 %.
---
--- Of n draws with mean m, deviation s and skewness g, T = (m - mu) / s is transformed to
---     u(T) = T + g T^2 / 3 + g^2 T^3 / 27 + g / (6 n),
--- which is nearly symmetric and can be inverted (Hall 1992). u is compared with the quantiles of
--- Student's t over sqrt(n). Without skewness it is the usual interval.
local class = require "swale.class"
local core = require "swale.core"
local estimate = require "swale.estimate"
local ops = require "swale.ops"

local M = {}

---@class swale.Draws
---@field n integer
local Draws = class.new("draws", { fields = { "n" } })

---@return swale.Draws
function M.new() return setmetatable({ n = 0 }, Draws) end

---@param x number
function Draws:add(x)
  self.n = self.n + 1
  self[self.n] = x
end

---@return number                    nan without any
function Draws:mean()
  local sum = 0
  for i = 1, self.n do sum = sum + self[i] end
  return sum / self.n
end

--- Mean, deviation (n - 1) and skewness; of three draws or fewer there is no skewness.
local function moments(self)
  local mean, second, third, n = self:mean(), 0, 0, self.n
  for i = 1, n do
    local d = self[i] - mean
    second, third = second + d ^ 2, third + d ^ 3
  end
  local skewness = n > 3 and second > 0 and third / n / (second / n) ^ 1.5 or 0
  return mean, math.sqrt(second / (n - 1)), skewness * math.sqrt(n * (n - 1)) / math.max(n - 2, 1)
end

---The standard error of the mean.
---@return number
function Draws:error()
  local _, deviation = moments(self)
  return deviation / math.sqrt(self.n)
end

local function cube_root(x) return x < 0 and -(-x) ^ (1 / 3) or x ^ (1 / 3) end

--- T with u(T) = u
local function inverse(u, skewness, n)
  if math.abs(skewness) < 1e-6 then return u end
  return 3 / skewness * (cube_root(1 + skewness * (u - skewness / (6 * n))) - 1)
end

--- Of a number with two values, each half the time, fewer draws are all alike more than once in 20
--- times: 2 / 2^6 = 0.03.
local FEWEST <const> = 6

---The ends of a 95 % interval for the mean; -inf and inf of fewer than six draws.
---@return number low, number high
function Draws:interval()
  if self.n < FEWEST then return -math.huge, math.huge end
  local mean, deviation, skewness = moments(self)
  local u = core.student_quantile(0.975, self.n - 1) / math.sqrt(self.n)
  return mean - deviation * inverse(u, skewness, self.n),
    mean - deviation * inverse(-u, skewness, self.n)
end

--- Why n draws give no interval; nil if they do.
---@param n integer
---@return string|nil
function M.too_few(n)
  return n < FEWEST and ("%d draws give no interval: %d are needed"):format(n, FEWEST) or nil
end

---Half the interval's length over the mean's absolute value.
---@return number
function Draws:relative_error()
  local low, high = self:interval()
  return (high - low) / 2 / math.abs(self:mean())
end

---The mean times factor plus shift, with its interval; pending where that is not finite.
---@param fields table               further ones: target, …; reason: of a pending one
---@param factor? number             1, positive
---@param shift? number              0
---@return swale.Estimate
function Draws:estimate(fields, factor, shift)
  factor, shift = factor or 1, shift or 0
  local low, high = self:interval()
  local value, reason = shift + factor * self:mean(), fields.reason or "a draw is not finite"
  fields.signed, fields.reason = true, nil
  if value - value ~= 0 or low ~= low or high ~= high then
    fields.reason = reason
    return estimate.new(fields)
  end
  fields.value, fields.standard_error = value, factor * self:error()
  fields.low, fields.high = shift + factor * low, shift + factor * high
  return estimate.new(fields):because(M.too_few(self.n))
end

---The ratio of the means of a and b, drawn in pairs: the interval is that of the mean of
---(a_i - R b_i) / mean(b) about R, R being the ratio, and so asks for a mean of b well away from 0.
---@param a swale.Draws
---@param b swale.Draws
---@param fields table
---@return swale.Estimate
function M.ratio(a, b, fields)
  local ratio, below, off = a:mean() / b:mean(), b:mean(), M.new()
  for i = 1, a.n do off:add((a[i] - ratio * b[i]) / below) end
  return off:estimate(fields, 1, ratio)
end

local LEAST <const> = 24 -- fewer draws do not say how many more are needed

---Calls draw(i), i = 1, 2, …, until enough() or until `most` draws were made; without `enough` it
---makes `most`. It asks from `least` draws on, each time a third more are there: asked more often,
---it would stop at intervals that are short by chance.
---@param most integer
---@param enough fun(): boolean|nil
---@param draw fun(i: integer)
---@param least? integer              24
---@return integer n
function M.until_enough(most, enough, draw, least)
  local ask = math.min(least or LEAST, most)
  for i = 1, most do
    draw(i)
    if enough and i == ask then
      if enough() then return i end
      ask = i + i // 3
    end
  end
  return most
end

---A vector of independent signs.
---@param n integer
---@param random swale.Random
---@return swale.Tensor              float64 (n), of -1 and 1
function M.signs(n, random)
  local v = core.zeros({ n }, "float64")
  random:fill_uniform(v, -1, 1)
  return ops.ge(v, 0) * 2 - 1
end

return M
