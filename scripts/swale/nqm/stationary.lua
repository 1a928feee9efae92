--- The noisy quadratic model at a constant rate, after many steps: an autoregressive process.
---
---     theta_t = p theta_(t-1) - momentum theta_(t-2) + lr noise,   p = 1 + momentum - lr h
local errors = require "swale.errors"
local options = require "swale.options"

local M = {}

local SPEC = { lr = "positive", batch = { "positive", 1 }, momentum = { "nonnegative", 0 } }

local function check(model, where, o, spec)
  o = options.check(where, o, spec)
  local edge = math.huge
  for _, h in ipairs(model.h) do edge = math.min(edge, 2 * (1 + o.momentum) / h) end
  if o.momentum >= 1 then
    errors.misuse("%s: momentum must be below 1, not %g", where, o.momentum)
  end
  if o.lr >= edge then
    errors.misuse("%s: lr must be below 2 (1 + momentum) / h = %g to have a limit, not %g", where,
      edge, o.lr)
  end
  return o
end

--- The variance of a coordinate, and its covariance with itself one step later.
local function variance(h, c, o)
  local p, q, noise = 1 + o.momentum - o.lr * h, o.momentum, o.lr ^ 2 * c / o.batch
  local value = (1 + q) * noise / ((1 - q) * ((1 + q) ^ 2 - p * p))
  return value, p / (1 + q) * value
end

---@class swale.NQMLimit
---@field loss number
---@field moments number[]    E theta_i^2

--- The limit whose moment i is moment(h_i, c_i, o).
local function limit_of(self, o, moment)
  local limit = { loss = 0, moments = {} }
  for i, h in ipairs(self.h) do
    limit.moments[i] = moment(h, self.c[i], o)
    limit.loss = limit.loss + 0.5 * h * limit.moments[i]
  end
  return limit
end

---The limit of a constant rate. Without momentum
---    E theta_i^2 = lr c_i / (B h_i (2 - lr h_i))
---@param self swale.NQM
---@param o { lr: number, batch: number?, momentum: number? }
---@return swale.NQMLimit
function M.stationary(self, o)
  return limit_of(self, check(self, "nqm:stationary", o, SPEC), variance)
end

--- E of the squared mean of n values, `every` steps apart.
local function of_mean(h, c, o)
  local p, now, later = 1 + o.momentum - o.lr * h, variance(h, c, o)
  local sum, apart = o.captures * now, 0
  for k = 1, o.captures - 1 do
    for _ = 1, o.every do
      if apart > 0 then now, later = later, p * later - o.momentum * now end
      apart = apart + 1
    end
    sum = sum + 2 * (o.captures - k) * later
  end
  return sum / o.captures ^ 2
end

local AVERAGED = { captures = "count", every = { "count", 1 } }
for name, entry in pairs(SPEC) do AVERAGED[name] = entry end

---The mean of n captures, `every` steps apart, in the limit. Captures are correlated, so that its
---variance is not 1 / n of one's; without momentum
---    E mean_i^2 = E theta_i^2 (n + 2 sum_k (n - k) rho_i^k) / n^2,   rho_i = (1 - lr h_i)^every
---@param self swale.NQM
---@param o { lr: number, captures: integer, every: integer?, batch: number?, momentum: number? }
---@return swale.NQMLimit
function M.averaged(self, o)
  return limit_of(self, check(self, "nqm:averaged", o, AVERAGED), of_mean)
end

return M
