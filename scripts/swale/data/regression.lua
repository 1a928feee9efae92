--- Linear regression on Gaussian inputs: a training problem whose gradient noise depends on w, and
--- is known.
---
---     l_i(w) = 1/2 (x_i'w - y_i)^2,   y_i = x_i'w* + noise z_i,   x_i ~ N(0, C),   z_i ~ N(0, 1)
---
--- With e = w - w* and fresh examples
---
---     L = (e'Ce + noise^2) / 2,   G = C e,   H = C,   Sigma = (e'Ce + noise^2) C + C e e'C
---
--- Each example has a Hessian of its own, x_i x_i', so estimates that take gradients and Hessian
--- from the same examples are biased here.
local answers = require "swale.data.answers"
local class = require "swale.class"
local core = require "swale.core"
local covariance = require "swale.data.covariance"
local errors = require "swale.errors"
local ops = require "swale.ops"
local options = require "swale.options"
local sampling = require "swale.data.sampling"

local M = {}

---@class swale.RegressionOptions: swale.SizeOptions
---@field covariance? swale.Tensor|number[][]   C, (d, d); or
---@field features? integer         d, with C = diag(1, 1/2, … 1/d)
---@field weights? number[]|swale.Tensor        w*, d numbers; 1 each
---@field noise? number             1

---@class swale.Regression
---@field data swale.Data           y is (n, 1)
---@field loss swale.LossFunction
---@field covariance swale.Tensor   C, (d, d), float64
---@field weights swale.Tensor      w*, (d), float64
---@field noise number
local Regression = class.new("regression", { fields = { "data", "loss", "covariance", "weights",
  "noise" } })

local SPEC = sampling.spec { covariance = "table|tensor?", features = "count?",
  weights = "table|tensor?", noise = { "nonnegative", 1 } }

local function input_covariance(o)
  if o.covariance then
    return covariance.symmetric("linear_regression: covariance", o.covariance, o.features)
  elseif not o.features then
    errors.misuse "linear_regression: needs features, their number, or covariance, a matrix"
  end
  local c = core.zeros { o.features, o.features }
  for j = 1, o.features do c:set(j, j, 1 / j) end
  return c:to "float64"
end

local function loss(output, target)
  local difference = output - target
  return (difference * difference):sum(-1) * 0.5
end

---@param o swale.RegressionOptions
---@return swale.Regression
function M.new(o)
  o = options.check("linear_regression", o, SPEC)
  local c = input_covariance(o)
  local w = o.weights and answers.point("linear_regression: weights", o.weights, #c)
    or core.zeros({ #c }, "float64"):fill(1)
  local l = covariance.factor("linear_regression: covariance", c)
  local parts = sampling.parts("regression", o, function(n, stream)
    local x = covariance.normal(n, l, stream)
    local z = stream:fill_normal(core.zeros({ n, 1 }, "float64"), 0, o.noise)
    return { x = x:to "float32", y = (ops.matmul(x, w:reshape { #c, 1 }) + z):to "float32" }
  end)
  local data = require("swale.data").from_tensors { name = "linear regression",
    train = parts.train, valid = parts.valid, test = parts.test }
  return setmetatable({ data = data, loss = loss, covariance = c, weights = w, noise = o.noise },
    Regression)
end

---A linear layer without bias; its weights start at `start`.
---@param start? number|number[]|swale.Tensor   every weight (0), or each
---@return swale.Layer
function Regression:model(start)
  local d, init = #self.weights, start or 0
  if type(init) ~= "number" then
    init = answers.point("regression:model", init, d):to("float32"):reshape { 1, d }
  end
  return require("swale.nn").Linear(d, 1, { bias = false, init = init })
end

local function of_population(self, w)
  local d, c = #w, self.covariance
  local e = (w - self.weights):reshape { d, 1 }
  local g = ops.matmul(c, e)
  local s = ops.sum(e * g):item() + self.noise ^ 2
  return answers.of { loss = s / 2, gradient = g:reshape { d }, hessian = c,
    covariance = c * s + ops.matmul(g, g, { transpose_b = true }) }
end

local function of_examples(self, w)
  local x, y = self.data.train.x:to "float64", self.data.train.y:to "float64"
  local n = #x
  local residuals = ops.matmul(x, w:reshape { #w, 1 }) - y
  return answers.of_examples(0.5 * ops.mean(residuals * residuals):item(), x * residuals,
    ops.matmul(x, x, { transpose_a = true }) * (1 / n))
end

---What is known at w: gradient, Hessian, covariance, noise scales. See swale.data.answers.
---@param w number[]|swale.Tensor
---@param target? "train"|"population"   the examples of the training split; or fresh ones
---@return swale.Answers
function Regression:exact(w, target)
  w = answers.point("regression:exact", w, #self.weights)
  target = answers.target("regression:exact", target)
  return target == "train" and of_examples(self, w) or of_population(self, w)
end

return M
