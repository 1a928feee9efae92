--- The search for sharpness: one maximisation by L-BFGS-B for each start, and the companions.
local balls = require "swale.measure.ball_search"
local core = require "swale.core"
local errors = require "swale.errors"
local lbfgsb = require "swale.optim.lbfgsb"
local options = require "swale.options"
local subjects = require "swale.measure.subject"
local subspace = require "swale.measure.subspace"

local M = {}

local WHERE <const> = "measure.sharpness"

---@class swale.SharpnessOptions: swale.SubjectOptions
---@field epsilon? number             half the box's width, relative to |(A^+ x)_i| + 1; 1e-3
---@field subspace? integer           columns of A; nil: A = I, the full space
---@field columns? "normal"|"unit"|"uniform"   law of A: N(0, 1), that scaled to norm 1, U(-1, 1)
---@field starts? integer             random points of the box, at least; 5. Iterations that starts
---leave by converging early go to further ones
---@field iterations? integer         of L-BFGS-B from each start; 10
---@field companions? boolean|swale.SharpnessCompanions   true; false: none are computed

---@class swale.SharpnessCompanions
---@field rho? number                 radius of SAM's step and of the l2 ball; 0.05
---@field adaptive_rho? number        of the adaptive ones; 0.5
---@field steps? integer              of each ascent; 10

---Adds the options of sharpness, and those of every measurement, to a spec for options.check.
---@param own table
---@return table own
function M.spec(own)
  own.epsilon, own.subspace = { "positive", 1e-3 }, "count?"
  own.columns = { choice = subspace.LAWS, "normal" }
  own.starts, own.iterations = { "count", 5 }, { "count", 10 }
  own.companions = { "boolean|table", true }
  return subjects.spec(own)
end

-- ------------------------------------------------------------------ the search

--- phi = 100 (f - f(x)) / (1 + f(x)) at z = radius u, and its gradient along u.
local function objective(search, u)
  local space, subject = search.space, search.subject
  local w = search.x:clone():add(1, subject:expand(space.move(u * space.radius)))
  local value, gradient = subject:value_and_gradient(w)
  local factor = 100 / (1 + search.loss)
  return factor * (value - search.loss), (space.pull(gradient) * space.radius):scale(factor)
end

--- A uniform random point of the box's inner half: from the whole box more starts end at poor local
--- maxima (.947 of the best corner instead of .969, worst of 30 quadratics of 12 weights).
local function start_of(search, i)
  local u = core.zeros({ search.space.size }, "float64")
  search.subject:random(i):fill_uniform(u, -0.5, 0.5)
  return u
end

---One maximisation. It runs in u = z / radius, and phi is divided by the mean magnitude of its
---slope at the start: otherwise the first steps of L-BFGS-B would be as small as the slope. The
---largest of all values seen counts, as each is in the box.
---@param search swale.SharpnessSearch
---@param i integer             which start
---@param iterations integer
---@return { value: number, status: string, reason: string, iterations: integer,
---evaluations: integer }
function M.maximise(search, i, iterations)
  local best, scale = -math.huge, nil
  local function falling(u)
    local phi, slope = objective(search, u)
    if phi > best then best = phi end
    if not scale then
      scale = slope:abs():mean():item()
      if not (scale > 0 and scale < math.huge) then scale = 1 end
    end
    return -phi / scale, slope:scale(-1 / scale)
  end
  local found = lbfgsb.lbfgsb(falling, start_of(search, i), { lower = -1, upper = 1,
    iterations = iterations, tolerance = 0, decrease = 0 })
  return { value = best, status = found.status, reason = found.reason,
    iterations = found.iterations, evaluations = found.evaluations }
end

---@class swale.SharpnessSearch
---@field subject swale.Subject
---@field space swale.SearchSpace
---@field x swale.Tensor        the weights, float64, flat
---@field loss number           there

---@param subject swale.Subject
---@param ball swale.Ball
---@param o swale.SharpnessOptions
---@return swale.SharpnessSearch
function M.begin(subject, ball, o)
  local selected = subject:select(ball.w)
  local space = o.subspace and subspace.random(subject, selected, o)
    or subspace.full(selected, o.epsilon)
  if ball.loss <= -1 then
    errors.misuse("%s: the loss is %g; metric 2.1 divides by 1 + loss, which must be positive",
      WHERE, ball.loss)
  end
  return { subject = subject, space = space, x = ball.w, loss = ball.loss }
end

---All maximisations: o.starts of o.iterations each. What starts that converge early leave of these
---goes to further starts.
---@param search swale.SharpnessSearch
---@param o swale.SharpnessOptions
---@return table[]              what maximise returned
function M.maximise_all(search, o)
  local list, left = {}, o.starts * o.iterations
  while #list < o.starts or left >= o.iterations do
    local found = M.maximise(search, #list + 1, o.iterations)
    list[#list + 1], left = found, left - math.max(1, found.iterations)
  end
  return list
end

-- ------------------------------------------------------------------ companions

local COMPANIONS = { rho = { "positive", 0.05 }, adaptive_rho = { "positive", 0.5 },
  steps = { "count", 10 } }

---@param ball swale.Ball
---@param o swale.SharpnessOptions
---@return table<string, swale.Estimate>
function M.companions(ball, o)
  local c = options.check(WHERE .. ": companions", o.companions ~= true and o.companions or nil,
    COMPANIONS)
  local found = {}
  for _, adaptive in ipairs { false, true } do
    local prefix, rho = adaptive and "adaptive_" or "", adaptive and c.adaptive_rho or c.rho
    ball.scale = adaptive and ball.subject:select(ball.w):abs() or nil
    local function largest(norm, radius)
      return balls.largest(ball, { norm = norm, rho = radius, adaptive = adaptive, starts = 1,
        steps = c.steps })
    end
    found[prefix .. "sam"] = balls.step(ball, { rho = rho, adaptive = adaptive })
    found[prefix .. "l2"], found[prefix .. "linf"] = largest("l2", rho), largest("linf", o.epsilon)
  end
  return found
end

return M
