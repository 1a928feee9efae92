--- Newton's method for functions of a vector, with exact Hessians: by Cholesky's factor for up to
--- some thousand numbers, else by conjugate gradients on Hessian products.
local core = require "swale.core"
local errors = require "swale.errors"
local options = require "swale.options"
local problem = require "swale.optim.problem"
local types = require "swale.types"

local M = {}

---@class swale.NewtonOptions
---@field method? "cholesky"|"cg"      "cholesky" up to 1000 numbers
---@field hessian? fun(x: swale.Tensor): swale.Tensor|fun(v: swale.Tensor): swale.Tensor    for a
---function f: the matrix at x (n, n), or what multiplies by it, as loss:linearize(x) does
---@field iterations? integer          at most; 100
---@field tolerance? number            of the decrement 1/2 g' H^-1 g; 1e-10
---@field until_? fun(x: swale.Tensor, value: number, gradient: swale.Tensor): any

local SPEC = { method = { choice = { "cholesky", "cg" } }, hessian = "callable?",
  iterations = { "count", 100 }, tolerance = { "positive", 1e-10 }, until_ = "function?" }

local DENSE <const> = 1000    -- numbers up to which the Hessian is factored
local ENOUGH <const> = 1e-4   -- of the decrease that the slope promises, at least (Armijo)
local HALVINGS <const> = 50
local SHARE <const> = 1e-8    -- of the largest |eigenvalue|: smaller ones are raised to it

-- ------------------------------------------------------------------ directions

--- The Hessian at x, (n, n).
local function matrix(of, x)
  local given = of.hessian and of.hessian(x)
  if core.type(given) == "tensor" then return given:to "float64" end
  local multiply = given and of:products_of(given) or of:products_at(x)
  local h, unit = core.zeros({ of.n, of.n }, "float64"), core.zeros({ of.n }, "float64")
  for i = 1, of.n do
    unit:set(i, 1)
    h:select(1, i):copy(multiply(unit))
    unit:set(i, 0)
  end
  return (h + h:t()) * 0.5
end

--- -|H|^-1 g, |H| with the magnitudes of H's eigenvalues: a direction of descent at a saddle.
local function descent(h, g)
  local w, v = core.eigh(h)
  local parts = v:t():matmul(g:reshape { #g, 1 }):reshape { #g }
  local magnitudes = w:abs()
  local least = SHARE * magnitudes:max():item()
  if least == 0 then return g * -1 end
  return v:matmul((parts / magnitudes:clamp(least)):reshape { #g, 1 }):reshape({ #g }) * -1
end

--- Returns the direction and whether H is positive definite.
local function by_cholesky(of, x, g)
  local h = matrix(of, x)
  local l = core.cholesky(h)
  if not l then return descent(h, g), false end
  local half = core.solve_triangular(l, g)
  return core.solve_triangular(l:t(), half, true) * -1, true
end

--- The same by conjugate gradients, until |H d + g| <= share |g|. Negative curvature ends them.
local function conjugate(multiply, g, share)
  local d, r = core.zeros({ #g }, "float64"), g * -1
  local p, rr = r:clone(), r:dot(r)
  local target = share ^ 2 * rr
  for i = 1, 10 * #g do
    if rr <= target then break end
    local hp = multiply(p)
    local curvature = p:dot(hp)
    if curvature <= 0 then return i == 1 and p or d, false end
    local alpha = rr / curvature
    d:add(alpha, p)
    r:add(-alpha, hp)
    local before = rr
    rr = r:dot(r)
    p:scale(rr / before):add(1, r)
  end
  return d, true
end

--- Far from the minimum a rough solution is enough; near it the decrement must be right.
local function by_cg(of, x, g, tolerance)
  local multiply = of:products_at(x)
  local d, positive = conjugate(multiply, g, math.min(0.5, g:norm() ^ 0.5))
  if positive and -g:dot(d) / 2 < 10 * tolerance then return conjugate(multiply, g, 1e-6) end
  return d, positive
end

-- ------------------------------------------------------------------ steps

--- Halves the step until the value falls enough. Returns nil if it does not.
local function search(of, at, d)
  local slope, t = at.gradient:dot(d), 1.0
  for _ = 1, HALVINGS do
    local x = at.x:clone():add(t, d)
    local value, gradient = of:evaluate(x:clone())
    if problem.is_finite(value, gradient) and value <= at.value + ENOUGH * t * slope then
      return { x = x, value = value, gradient = gradient:clone() }
    end
    t = t / 2
  end
  return nil
end

local REASONS = {
  converged = "the decrement is below the tolerance and the Hessian is positive definite",
  iterations = "the number of iterations is used up",
  stopped = "until_ returned true",
  no_descent = "no step along the direction lowers the value: rounding, or a gradient or Hessian "
    .. "that is not that of the value",
  indefinite = "the gradient vanishes where the Hessian is not positive definite: no minimum, or a "
    .. "flat direction; weight decay makes it one",
}

--- One iteration from `at`: the next point, or nil and the status to end with.
local function advance(of, at, o)
  local d, positive = o.direction(of, at.x, at.gradient, o.tolerance)
  at.step, at.decrement = d, -at.gradient:dot(d) / 2
  if at.decrement < o.tolerance then return nil, positive and "converged" or "indefinite" end
  local next_point = search(of, at, d)
  if not next_point then return nil, "no_descent" end
  return next_point
end

local function minimise(of, x0, o)
  local x = x0:to "float64"
  local value, gradient = of:evaluate(x:clone())
  if not problem.is_finite(value, gradient) then
    errors.misuse("optim.newton: the value (%g) or the gradient is not finite at x0", value)
  end
  local at, iterations = { x = x, value = value, gradient = gradient:clone() }, 0
  while true do
    local next_point, status = advance(of, at, o)
    if not next_point then return at, status, iterations end
    at, iterations = next_point, iterations + 1
    if o.until_ and o.until_(at.x:clone(), at.value, at.gradient) then
      return at, "stopped", iterations
    elseif iterations >= o.iterations then
      return at, "iterations", iterations
    end
  end
end

local is_callable = types.named("callable").takes

local function give_hessian(of, hessian)
  of.hessian = function(x)
    local h = hessian(x:clone())
    if core.type(h) ~= "tensor" and not is_callable(h) then
      errors.misuse("optim.newton: hessian must return the matrix, or a function that multiplies"
        .. " by it, not %s", errors.shown(h))
    end
    return h
  end
  of.operator = function(x)
    local h = of.hessian(x)
    if core.type(h) ~= "tensor" then return h end
    h = h:to "float64"
    return function(v) return h:matmul(v:reshape { of.n, 1 }):reshape { of.n } end
  end
end

---Minimises f from x0 by Newton's method with backtracking, until the decrement 1/2 g' H^-1 g, the
---height above the minimum if f were a parabola, is below the tolerance and H is positive definite.
---Any other end is in `status`: "iterations", "stopped", "no_descent", "indefinite". An iteration
---takes n Hessian products and O(n^3) by "cholesky"; by "cg" as many as the condition asks.
---@param f swale.Objective         model:loss_on(sample); or a function, with `hessian`
---@param x0 swale.Tensor           (n)
---@param o? swale.NewtonOptions
---@return swale.Minimum
function M.newton(f, x0, o)
  o = options.check("optim.newton", o, SPEC)
  local of = problem.of("optim.newton", f, x0)
  if o.hessian then give_hessian(of, o.hessian) end
  if not of.operator then
    errors.misuse("optim.newton: needs hessian, as f is a function: x -> the matrix, or x -> a "
      .. "function that multiplies by it")
  end
  local method = o.method or of.n <= DENSE and "cholesky" or "cg"
  o.direction = method == "cholesky" and by_cholesky or by_cg
  local at, status, iterations = minimise(of, x0, o)
  return { x = at.x, value = at.value, gradient = at.gradient, status = status,
    reason = REASONS[status], iterations = iterations, evaluations = of.evaluations,
    products = of.products, decrement = at.decrement, step = at.step }
end

return M
