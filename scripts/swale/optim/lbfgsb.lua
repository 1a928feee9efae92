--- L-BFGS-B for functions of a vector: whole-sample losses of small networks, sharpness in a box.
local core = require "swale.core"
local errors = require "swale.errors"
local options = require "swale.options"
local problem = require "swale.optim.problem"

local M = {}

---@class swale.LbfgsbMinimiseOptions
---@field lower? number|swale.Tensor   bound of each element; none
---@field upper? number|swale.Tensor
---@field iterations? integer          at most; 1000
---@field evaluations? integer         at most, of value and gradient; unlimited
---@field memory? integer              pairs that the curvature is guessed from; 10
---@field tolerance? number            of the largest element of the projected gradient; 1e-8
---@field decrease? number             converged, too, once an iteration lowers the value by at most
---this, relative to max(|value|, 1); 1e-15
---@field until_? fun(x: swale.Tensor, value: number, gradient: swale.Tensor): any    asked after
---each iteration; true ends it

local SPEC = { lower = "float|tensor?", upper = "float|tensor?", iterations = { "count", 1000 },
  evaluations = "count?", memory = { "count", 10 }, tolerance = { "nonnegative", 1e-8 },
  decrease = { "nonnegative", 1e-15 }, until_ = "function?" }

local REASONS = {
  iterations = "the number of iterations is used up",
  evaluations = "the number of evaluations is used up",
  stopped = "until_ returned true",
}

local function bound(x, n)
  if type(x) ~= "number" then return x and x:to "float64" end
  return core.zeros({ n }, "float64"):fill(x)
end

local function accept(run, x, value, gradient)
  if not problem.is_finite(value, gradient) then
    errors.misuse("optim.lbfgsb: the value (%g) or the gradient is not finite at x0", value)
  end
  run.best = { x = x, value = value, gradient = gradient:clone() }
end

--- The answers to the solver's tasks. Each returns the next task, or the status to end with.
local answers = {}

function answers.evaluate(run)
  if run.problem.evaluations >= (run.o.evaluations or math.huge) then return "evaluations" end
  local solver, x = run.solver, run.solver:x()
  local value, gradient = run.problem:evaluate(x:clone())
  if not run.best then accept(run, x, value, gradient) end
  run.last = { x = x, value = value, gradient = gradient }
  if not problem.is_finite(value, gradient) then
    run.reason = ("value %g or gradient is not finite at a point that was tried"):format(value)
    return "not_finite"
  end
  solver:gradient():copy(gradient)
  return errors.check(solver:step(value))
end

function answers.iterate(run)
  local o, last = run.o, run.last
  run.iterations = run.iterations + 1
  accept(run, last.x, last.value, last.gradient)
  if o.until_ and o.until_(last.x:clone(), last.value, run.best.gradient) then return "stopped" end
  if run.iterations >= o.iterations then return "iterations" end
  return errors.check(run.solver:step())
end

---Minimises f from x0. Without bounds it is L-BFGS. An end other than "converged" is in `status`:
---"iterations", "evaluations", "stopped", "abnormal" (the line search found no lower value: at a
---minimum that is rounding, elsewhere value and gradient disagree), "not_finite".
---
---     local loss, w = model:loss_on(data.train), model:weights():to "float64"
---     local minimum = sw.optim.lbfgsb(loss, w, { iterations = 200 })
---
---@param f swale.Objective         x (float64) -> value, gradient; or model:loss_on(sample)
---@param x0 swale.Tensor           (n); moved into the bounds
---@param o? swale.LbfgsbMinimiseOptions
---@return swale.Minimum
function M.lbfgsb(f, x0, o)
  o = options.check("optim.lbfgsb", o, SPEC)
  local of = problem.of("optim.lbfgsb", f, x0)
  local solver <close> = errors.check(core.lbfgsb(x0:to "float64", bound(o.lower, of.n),
    bound(o.upper, of.n), { memory = o.memory, tolerance = o.tolerance, decrease = o.decrease }))
  local run = { solver = solver, problem = of, o = o, iterations = 0 }
  local task = errors.check(solver:step())
  while answers[task] do task = answers[task](run) end
  return { x = run.best.x, value = run.best.value, gradient = run.best.gradient, status = task,
    reason = run.reason or REASONS[task] or solver:reason(), iterations = run.iterations,
    evaluations = of.evaluations }
end

return M
