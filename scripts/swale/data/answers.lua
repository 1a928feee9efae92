--- What a problem with known answers knows at one point w, in double, from
---
---     G = gradient of L,   H = Hessian of L,   Sigma = covariance of the examples' gradients
---
--- (McCandlish et al. 2018, eq. 2.6 to 2.9). "train": L is the mean over the n examples and Sigma
--- their covariance, n - 1 in its denominator; "population": L is the expectation over fresh
--- examples.
local class = require "swale.class"
local core = require "swale.core"
local errors = require "swale.errors"
local ops = require "swale.ops"

local M = {}

---@class swale.Answers
---@field loss number
---@field gradient swale.Tensor     (d), float64
---@field hessian swale.Tensor      (d, d), float64
---@field covariance swale.Tensor   (d, d), float64
---@field signal number             |G|^2
---@field noise number              tr(Sigma)
---@field curvature number          G'HG, may be negative
---@field noise_curvature number    tr(H Sigma), may be negative
---@field b_simple number           tr(Sigma) / |G|^2
---@field b_noise number            tr(H Sigma) / G'HG
---@field eps_max number            |G|^2 / G'HG
local Answers = class.new("answers", { fields = { "loss", "gradient", "hessian", "covariance",
  "signal", "noise", "curvature", "noise_curvature", "b_simple", "b_noise", "eps_max" } })

function Answers:__tostring()
  return ("exact: loss %.4g, |G|^2 %.4g, tr(Sigma) %.4g, B_simple %.4g, B_noise %.4g, eps_max %.4g")
    :format(self.loss, self.signal, self.noise, self.b_simple, self.b_noise, self.eps_max)
end

local function column(v) return v:reshape { #v, 1 } end

local function trace(m)
  local sum = 0
  for j = 1, #m do sum = sum + m:get(j, j) end
  return sum
end

---@param o { loss: number, gradient: swale.Tensor, hessian: swale.Tensor,
---covariance: swale.Tensor }     float64
---@return swale.Answers
function M.of(o)
  local g, h = o.gradient, o.hessian
  local signal, noise = g:dot(g), trace(o.covariance)
  local curvature = g:dot(ops.matmul(h, column(g)):reshape { #g })
  local noise_curvature = ops.sum(h * o.covariance:t()):item()
  return setmetatable({ loss = o.loss, gradient = g, hessian = h, covariance = o.covariance,
    signal = signal, noise = noise, curvature = curvature, noise_curvature = noise_curvature,
    b_simple = noise / signal, b_noise = noise_curvature / curvature,
    eps_max = signal / curvature }, Answers)
end

---The answers of a sample, by sums over its examples.
---@param loss number
---@param gradients swale.Tensor    (n, d), float64: a row for each example
---@param hessian swale.Tensor      of the mean loss
---@return swale.Answers
function M.of_examples(loss, gradients, hessian)
  local n = #gradients
  local mean = ops.mean(gradients, 1)
  local rest = gradients - mean
  return M.of { loss = loss, gradient = mean, hessian = hessian,
    covariance = ops.matmul(rest, rest, { transpose_a = true }) * (1 / (n - 1)) }
end

---@param where string
---@param target any
---@return "train"|"population"
function M.target(where, target)
  if target == nil or target == "train" then return "train" end
  if target == "population" then return target end
  errors.misuse('%s: target must be "train" or "population", not %s', where, errors.shown(target))
end

---A point as a float64 vector of d numbers.
---@param where string
---@param w number[]|swale.Tensor
---@param d integer
---@return swale.Tensor
function M.point(where, w, d)
  local values = w
  if core.type(w) == "tensor" then values = w:numel() == d and w:reshape({ d }):table() or nil end
  if type(values) ~= "table" or #values ~= d then
    errors.misuse("%s: w must be a list or a tensor of %d numbers, got %s", where, d,
      errors.shown(w))
  end
  for i, value in ipairs(values) do
    if type(value) ~= "number" then
      errors.misuse("%s: w[%d] must be a number, got %s", where, i, errors.shown(value))
    end
  end
  return core.tensor(values, "float64")
end

return M
