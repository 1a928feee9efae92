--- What sw.optim.lbfgsb and newton minimise: a function of a flat float64 vector with its gradient,
--- and for Newton's method its Hessian.
local core = require "swale.core"
local errors = require "swale.errors"

local M = {}

---@alias swale.Objective swale.LossOn|swale.Subject|fun(x: swale.Tensor): number, swale.Tensor

---@class swale.Minimum
---@field x swale.Tensor            float64: where the lowest value was found
---@field value number
---@field gradient swale.Tensor     float64
---@field status string             "converged"; anything else says why it ended before
---@field reason string             in words
---@field iterations integer
---@field evaluations integer       of value and gradient
---@field decrement? number         Newton's: 1/2 g' H^-1 g, the height above a parabola's minimum
---@field step? swale.Tensor        Newton's: the step from x, if it was computed
---@field products? integer         Newton's: of the Hessian

---@class swale.Problem
---@field evaluate fun(x: swale.Tensor): number, swale.Tensor
---@field operator fun(x: swale.Tensor): fun(v: swale.Tensor): swale.Tensor    may be nil
local Problem = {}
Problem.__index = Problem

local function function_of(f)
  if type(f) == "function" then return f end
  return function(x) return f:value_and_gradient(x) end
end

--- The Hessian at x as a function of vectors, by the methods of a subject or a loss.
local function operator_of(f)
  if type(f) == "function" then return nil end
  if f.operator then return function(x) return f:operator { weights = x } end end
  return function(x) return f:linearize(x) end
end

---@param where string
---@param f swale.Objective
---@param x0 swale.Tensor
---@return swale.Problem
function M.of(where, f, x0)
  if type(f) ~= "function" and not (type(f) == "table" and f.value_and_gradient) then
    errors.misuse("%s: f must be a function x -> value, gradient, or model:loss_on(sample), not %s",
      where, errors.shown(f))
  end
  if core.type(x0) ~= "tensor" or x0:ndim() ~= 1 or x0:numel() == 0 then
    errors.misuse("%s: x0 must be a vector with elements, not %s", where, errors.shown(x0))
  end
  return setmetatable({ where = where, f = function_of(f), operator = operator_of(f),
    n = x0:numel(), evaluations = 0, products = 0 }, Problem)
end

---@param x swale.Tensor     is handed out: a copy
---@return number value, swale.Tensor gradient    float64
function Problem:evaluate(x)
  self.evaluations = self.evaluations + 1
  local value, gradient = self.f(x)
  if type(value) ~= "number" or core.type(gradient) ~= "tensor"
    or gradient:numel() ~= self.n or gradient:ndim() ~= 1 then
    errors.misuse("%s: f must return a number and a gradient of %d elements, not %s and %s",
      self.where, self.n, errors.shown(value), errors.shown(gradient))
  end
  return value, gradient:dtype() == "float64" and gradient or gradient:to "float64"
end

---The Hessian at x, as a function of vectors.
---@param x swale.Tensor
---@return fun(v: swale.Tensor): swale.Tensor     float64
function Problem:products_at(x)
  return self:products_of(self.operator(x))
end

---A function that multiplies by the Hessian, with its products counted and checked.
---@param multiply fun(v: swale.Tensor): swale.Tensor
---@return fun(v: swale.Tensor): swale.Tensor     float64
function Problem:products_of(multiply)
  return function(v)
    self.products = self.products + 1
    local y = multiply(v)
    if core.type(y) ~= "tensor" or y:numel() ~= self.n then
      errors.misuse("%s: a product of the Hessian must have %d elements, got %s", self.where,
        self.n, errors.shown(y))
    end
    return y:dtype() == "float64" and y or y:to "float64"
  end
end

---Whether a number or all elements are finite.
---@param value number
---@param gradient swale.Tensor
---@return boolean
function M.is_finite(value, gradient)
  return value - value == 0 and gradient:norm() < math.huge
end

return M
