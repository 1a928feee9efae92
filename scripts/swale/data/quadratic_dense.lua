--- The noisy quadratic with matrices: any symmetric Hessian, even with negative eigenvalues, and a
--- covariance that need not commute with it; each example may have a Hessian of its own.
---
---     l_i(w) = 1/2 w'(H + s_i K) w + z_i'w,   g_i = (H + s_i K) w + z_i
---
--- z_i and s_i are normal noise, moved and turned so that over the n examples (with n - 1) their
--- means are 0, the covariance of z is C, the variance of s is 1 and they are uncorrelated, up to
--- the rounding of float32. Hence
---
---     L(w) = 1/2 w'H w,   G = H w,   Sigma = C + K w w'K
local answers = require "swale.data.answers"
local class = require "swale.class"
local core = require "swale.core"
local covariance = require "swale.data.covariance"
local ops = require "swale.ops"
local options = require "swale.options"

local M = {}

---@class swale.DenseQuadratic
---@field data swale.Data     only a training split; y is (n, d), with K (n, d + 1): z_i and s_i
---@field loss swale.LossFunction
---@field hessian swale.Tensor          H, (d, d), float64
---@field covariance swale.Tensor       C
---@field spread swale.Tensor|nil       K
local Quadratic = class.new("quadratic", { fields = { "data", "loss", "hessian", "covariance",
  "spread" } })

local SPEC = { hessian = "table|tensor", covariance = "table|tensor", spread = "table|tensor?",
  n = { "count", 1000 }, seed = { "integer", 1 } }

--- Noise of the examples, (n, d) or with s (n, d + 1), float32.
local function noise(o, c, has_spread)
  local where, d = "noisy_quadratic", #c
  local l = covariance.factor(where .. ": covariance", c)
  if has_spread then
    local wide = core.zeros({ d + 1, d + 1 }, "float64")
    wide:narrow(1, 1, d):narrow(2, 1, d):copy(l)
    wide:set(d + 1, d + 1, 1)
    l = wide
  end
  return covariance.exact_normal(where, o.n, l, core.random(o.seed, "quadratic")):to "float32"
end

local function loss_of(h, k)
  local d = #h
  h, k = h:to "float32", k and k:to "float32"
  return function(output, target)
    local linear = (k and ops.slice(target, 2, 1, d) or target) * output
    local values = ops.matmul(output, h)
    if k then values = values + ops.matmul(output, k) * ops.slice(target, 2, d + 1, 1) end
    return (values * output * 0.5 + linear):sum(-1)
  end
end

---@param o swale.QuadraticOptions
---@return swale.DenseQuadratic
function M.new(o)
  o = options.check("noisy_quadratic", o, SPEC)
  local h = covariance.symmetric("noisy_quadratic: hessian", o.hessian)
  local c = covariance.symmetric("noisy_quadratic: covariance", o.covariance, #h)
  local k = o.spread and covariance.symmetric("noisy_quadratic: spread", o.spread, #h)
  local data = require("swale.data").from_tensors { name = "noisy quadratic",
    train = { x = core.zeros { o.n, #h }, y = noise(o, c, k ~= nil) } }
  return setmetatable({ data = data, loss = loss_of(h, k), hessian = h, covariance = c,
    spread = k }, Quadratic)
end

---A model whose only parameter is w, which starts at `start`. Its output is w for each example.
---@param start? number|number[]|swale.Tensor   every coordinate (1), or each
---@return swale.Layer
function Quadratic:model(start)
  local d = #self.hessian
  local w = type(start or 1) == "number" and core.zeros({ d }):fill(start or 1)
    or answers.point("quadratic:model", start, d):to "float32"
  return require("swale.nn").Lambda(function(x, p) return p.w - x end, { w = w })
end

local function column(v) return v:reshape { #v, 1 } end

local function of_examples(self, w)
  local d, y = #w, self.data.train.y:to "float64"
  local g = ops.matmul(self.hessian, column(w))
  local gradients = ops.slice(y, 2, 1, d) + g:reshape { d }
  local values, hessian = 0.5 * ops.matmul(gradients + ops.slice(y, 2, 1, d), column(w)),
    self.hessian
  if self.spread then
    local s, kw = ops.slice(y, 2, d + 1, 1), ops.matmul(self.spread, column(w))
    gradients = gradients + ops.matmul(s, kw:reshape { 1, d })
    values = values + s * (0.5 * ops.matmul(w:reshape { 1, d }, kw):item())
    hessian = hessian + self.spread * ops.mean(s):item()
  end
  return answers.of_examples(ops.mean(values):item(), gradients, hessian)
end

local function of_population(self, w)
  local g, sigma = ops.matmul(self.hessian, column(w)), self.covariance
  if self.spread then
    local kw = ops.matmul(self.spread, column(w))
    sigma = sigma + ops.matmul(kw, kw, { transpose_b = true })
  end
  g = g:reshape { #w }
  return answers.of { loss = 0.5 * w:dot(g), gradient = g, hessian = self.hessian,
    covariance = sigma }
end

---What is known at w: gradient, Hessian, covariance, noise scales. See swale.data.answers.
---@param w number[]|swale.Tensor
---@param target? "train"|"population"   sums over the examples; or the formulas, which differ by
---rounding
---@return swale.Answers
function Quadratic:exact(w, target)
  w = answers.point("quadratic:exact", w, #self.hessian)
  target = answers.target("quadratic:exact", target)
  return target == "train" and of_examples(self, w) or of_population(self, w)
end

return M
