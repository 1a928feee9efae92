--- The search for the largest rise of the loss in a ball around the weights, by projected gradient
--- ascent:
---     max over |d / s| <= rho of L(w + d) - L(w),   s = 1, or |w| element by element (adaptive)
--- in the Euclidean or the largest norm, and SAM's one step towards it (Foret et al. 2021;
--- adaptive: Kwon et al. 2021, whose ball does not change when a ReLU layer is rescaled).
local core = require "swale.core"
local errors = require "swale.errors"
local estimate = require "swale.estimate"

local M = {}

-- ------------------------------------------------------------------ norms

--- Of u = d / s: the point of the ball's surface in the direction of v, and the nearest one of the
--- ball. v is a gradient: the largest g'u of the ball is at `towards`.
local NORMS = {
  l2 = {
    towards = function(v, rho)
      local norm = v:norm()
      return norm > 0 and v * (rho / norm) or nil
    end,
    nearest = function(u, rho)
      local norm = u:norm()
      return norm > rho and u * (rho / norm) or u
    end,
  },
  linf = {
    towards = function(v, rho) return v:norm() > 0 and v:sign() * rho or nil end,
    nearest = function(u, rho) return u:clamp(-rho, rho) end,
  },
}

-- ------------------------------------------------------------------ ascent

---@class swale.Ball                 where the loss of a subject is searched
---@field subject swale.Subject
---@field w swale.Tensor             float64, flat
---@field scale swale.Tensor|nil     |w| of the selected weights
---@field loss number                at w
---@field gradient swale.Tensor|nil  at w, once it was asked for
---@field evaluations integer

---@param subject swale.Subject
---@param adaptive boolean
---@return swale.Ball
function M.around(subject, adaptive)
  local w = subject.weights:to "float64"
  local loss = subject:value(w)
  if loss - loss ~= 0 then
    errors.misuse("%s: the loss of the sample is %g at the weights", subject.where, loss)
  end
  return { subject = subject, w = w, loss = loss, evaluations = 0,
    scale = adaptive and subject:select(w):abs() or nil }
end

--- The gradient at the weights, computed when it is asked for first.
local function gradient_of(ball)
  if not ball.gradient then
    local _, gradient = ball.subject:value_and_gradient(ball.w)
    ball.gradient, ball.evaluations = gradient, ball.evaluations + 1
  end
  return ball.gradient
end

local function scaled(ball, v) return ball.scale and ball.scale * v or v end

--- The rise at u, and the gradient along u.
local function evaluate(ball, u)
  ball.evaluations = ball.evaluations + 1
  local value, gradient = ball.subject:value_and_gradient(ball.w
    + ball.subject:expand(scaled(ball, u)))
  return value - ball.loss, scaled(ball, gradient)
end

--- From u: a step of the ball's width towards the gradient, halved while the loss does not rise.
local function ascend(ball, norm, u, o)
  local rise, gradient = evaluate(ball, u)
  local best, step = rise, 2
  for _ = 2, o.steps do
    local towards = norm.towards(gradient, o.rho * step)
    if not towards then break end
    local next_u = norm.nearest(u + towards, o.rho)
    local next_rise, next_gradient = evaluate(ball, next_u)
    if next_rise > rise then
      u, rise, gradient, best = next_u, next_rise, next_gradient, math.max(best, next_rise)
    else
      step = step / 2
    end
  end
  return best
end

--- A random point of the ball's surface; SAM's for the first start, unless the gradient is 0.
local function start_at(ball, norm, o, i)
  local first = i == 1 and norm.towards(scaled(ball, gradient_of(ball)), o.rho)
  if first then return first end
  local v = core.zeros({ ball.subject.selected }, "float64")
  ball.subject:random(i):fill_normal(v, 0, 1)
  return norm.towards(v, o.rho)
end

---The largest rise found in each start.
---@param ball swale.Ball
---@param o { norm: string, rho: number, steps: integer, starts: integer }
---@return number[]
function M.rises(ball, o)
  local list, norm = {}, NORMS[o.norm]
  for i = 1, o.starts do list[i] = ascend(ball, norm, start_at(ball, norm, o, i), o) end
  return list
end

-- ------------------------------------------------------------------ results

local function about(subject, o)
  return ("largest rise of the loss of %d examples (%s mode) with |d%s| <= %g, norm %s"):format(
    subject.n, subject.mode, o.adaptive and " / w" or "", o.rho, o.norm)
end

---The largest rise found, as a sure lower bound: w itself is in the ball, so it is 0 or more.
---@param ball swale.Ball
---@param o table
---@return swale.Estimate
function M.largest(ball, o)
  local before, rises = ball.evaluations, M.rises(ball, o)
  local value = math.max(0, table.unpack(rises))
  return estimate.new { value = value, low = value, high = math.huge, interval = "bound",
    target = about(ball.subject, o), starts = rises, spread = math.max(table.unpack(rises))
      - math.min(table.unpack(rises)), effort = { starts = o.starts, steps = o.steps,
      evaluations = ball.evaluations - before }, rho = o.rho, norm = o.norm,
    adaptive = o.adaptive, loss = ball.loss,
    reason = ("the best of a search, %d evaluations; the maximum may be higher"):format(
      ball.evaluations - before) }
end

---SAM's measure, L(w + rho s^2 g / |s g|) - L(w), exact.
---@param ball swale.Ball
---@param o { rho: number, adaptive: boolean }
---@return swale.Estimate
function M.step(ball, o)
  local gradient = scaled(ball, gradient_of(ball))
  local size = gradient:norm()
  local u = NORMS.l2.towards(gradient, o.rho)
  local value = u and evaluate(ball, u) or 0
  local known = size - size == 0 and value - value == 0
  return estimate.new { value = known and value or nil, low = known and value or nil,
    high = known and value or nil, signed = true,
    reason = not known and "the gradient, or the loss after the step, is not finite" or nil,
    interval = "exact", rho = o.rho, adaptive = o.adaptive, loss = ball.loss,
    target = ("rise of the loss of %d examples (%s mode) by a step of %g along the gradient%s")
      :format(ball.subject.n, ball.subject.mode, o.rho, o.adaptive and ", adaptive" or "") }
end

return M
