--- The evidence for a model, the probability of the data under its prior, by Laplace's method
--- (Smith & Le 2018). With C(w) the sum of the examples' losses, which must be negative log
--- likelihoods, plus lambda / 2 |w|^2, the prior N(0, 1 / lambda) of all weights, biases included,
--- and w0 the minimum,
---
---     log p(y | x) = -C(w0) - 1/2 sum_i ln(lambda_i / lambda),
---
--- lambda_i being the eigenvalues of C's Hessian at w0. The second term is the Occam factor. It is
--- exact where C is a parabola, as for ridge regression; else its error goes as 1 / N.
local class = require "swale.class"
local core = require "swale.core"
local dense = require "swale.measure.dense"
local draws = require "swale.measure.draws"
local errors = require "swale.errors"
local estimate = require "swale.estimate"
local kinks = require "swale.measure.kinks"
local lanczos = require "swale.measure.lanczos"
local lines = require "swale.measure.lines"
local losses = require "swale.loss"
local newton = require "swale.optim.newton"
local options = require "swale.options"
local subject = require "swale.measure.subject"

local M = {}

local WHERE <const> = "measure.evidence"

---@class swale.EvidenceOptions: swale.SubjectOptions
---@field lambda? number              precision of the prior; N weight_decay
---@field sigma? number               regression: deviation of the targets' normal noise; makes the
---loss their negative log likelihood
---@field method? "exact"|"lanczos"   all eigenvalues, or quadrature; exact
---@field negative? "refuse"|"gauss_newton"   where an eigenvalue is not positive: unresolved, or
---those of the Gauss-Newton matrix instead, which are
---@field minimise? boolean           by Newton's method from the weights, which stay; true
---@field tolerance? number           nats that C may lie above its minimum; 1e-3
---@field iterations? integer         of Newton's method; 100
---@field probes? integer             lanczos: 8
---@field steps? integer              lanczos: of each probe; 80

---@class swale.Evidence
---@field log_evidence swale.Estimate
---@field occam swale.Estimate        1/2 sum ln(lambda_i / lambda)
---@field cost number                 C(w0)
---@field log_ratio swale.Estimate|nil   over the null model's: equal probabilities of the classes,
---or with sigma outputs of 0; nil of other losses
---@field excess number               nats that C lies above a parabola's minimum; inf: not known
---@field negative integer            eigenvalues that are not positive; by lanczos: at least
---@field lambda number
---@field weights swale.Tensor        w0, float64, flat
local Evidence = class.new("evidence", { fields = { "log_evidence", "occam", "cost", "log_ratio",
  "excess", "negative", "lambda", "weights" } })

function Evidence:__tostring()
  return lines.of(self, { { "log_evidence", "log evidence" }, { "cost" }, { "occam" },
    { "log_ratio", "log ratio" }, { "lambda" } })
end

local SPEC = subject.spec { lambda = "positive?", sigma = "positive?",
  loss = "function?", method = { choice = { "exact", "lanczos" }, "exact" },
  negative = { choice = { "refuse", "gauss_newton" }, "refuse" }, minimise = { "boolean", true },
  tolerance = { "positive", 1e-3 }, iterations = { "count", 100 }, probes = { "count", 8 },
  steps = { "count", 80 }, dtype = { choice = { "float32", "float64" }, "float64" } }

-- ------------------------------------------------------------------ what is asked

--- The negative log likelihood of normal noise, all constants included.
local function normal_loss(sigma)
  return function(output, target)
    local outputs, shape = 1, output:shape()
    for axis = 2, #shape do outputs = outputs * shape[axis] end
    return losses.mse(output, target) * (outputs / (2 * sigma ^ 2))
      + outputs / 2 * math.log(2 * math.pi * sigma ^ 2)
  end
end

local MOST <const> = 8000 -- weights whose Hessian is decomposed

local function check(o, s)
  if s.whole then
    errors.misuse("%s: the loss is no sum over examples: batch norm in training mode couples them,"
      .. " and as it does not change with the scale of the weights before it, there is no minimum;"
      .. ' mode = "eval" takes running statistics', WHERE)
  elseif s.selected < s.size then
    errors.misuse("%s: over is not taken: the prior is one of all weights", WHERE)
  elseif o.method == "exact" and s.size > MOST then
    errors.misuse('%s: %d weights are too many for all eigenvalues; method = "lanczos" estimates'
      .. " their sum", WHERE, s.size)
  end
end

local function checked(sample, o)
  o = options.check(WHERE, o, SPEC)
  if (o.lambda ~= nil) == (o.weight_decay > 0) then
    errors.misuse("%s: needs lambda, the prior's precision, or weight_decay, which makes it the"
      .. " number of examples times that", WHERE)
  elseif o.sigma and o.loss then
    errors.misuse("%s: takes sigma or a loss, not both", WHERE)
  elseif o.probes < 2 then
    errors.misuse("%s: probes must be at least 2; an interval takes 6", WHERE)
  elseif type(sample) ~= "table" then
    return o -- refused by the subject
  end
  local rows = core.type(sample.source) == "source" and sample.source or sample.x
  if core.type(rows) and o.lambda then o.weight_decay = o.lambda / #rows end
  o.loss = o.sigma and normal_loss(o.sigma) or o.loss or losses.cross_entropy
  return o
end

-- ------------------------------------------------------------------ the eigenvalues

--- 1/2 sum ln(m_i / decay) of the eigenvalues m_i, as draws of one number; how many are <= 0.
local function exactly(s, product)
  local values, sum, negative = core.eigh(dense.of(product, s.size), true):table(), 0, 0
  for _, m in ipairs(values) do
    if m <= 0 then negative = negative + 1 else sum = sum + math.log(m / s.weight_decay) end
  end
  return sum / 2, negative
end

--- The same from probes: draws, and how many eigenvalues are surely <= 0: Ritz values lie above.
local function by_lanczos(s, product, o)
  local random, each, negative = s:random(), draws.new(), 0
  for _ = 1, o.probes do
    local nodes, weights = lanczos.quadrature(product, draws.signs(s.size, random), o.steps)
    local sum, below = 0, 0
    for i, m in ipairs(nodes) do
      if m <= 0 then
        below = below + 1
      else
        sum = sum + weights[i] * math.log(m / s.weight_decay)
      end
    end
    each:add(sum * s.size / 2)
    negative = math.max(negative, below)
  end
  return each, negative
end

local function spectrum(s, w, kind, o)
  local product = s:operator { kind = kind, weights = w }
  if o.method == "lanczos" then return by_lanczos(s, product, o) end
  return exactly(s, product)
end

-- ------------------------------------------------------------------ the minimum

local FURTHER <const> = 1e-6 -- of the tolerance

--- Newton's step and decrement at a point.
local function step_from(s, w) return newton.newton(s, w, { tolerance = 1e300, iterations = 1 }) end

--- Newton's method on the mean objective. The error of the Occam factor is about the square root of
--- C's excess over its minimum, so the search goes on to a small part of the tolerance.
local function minimised(s, o)
  local at = newton.newton(s, s.weights, { tolerance = FURTHER * o.tolerance / s.n,
    iterations = o.iterations })
  if at.status == "no_descent" and at.decrement * s.n < o.tolerance then at.status = "converged" end
  if at.status == "iterations" then
    local there = step_from(s, at.x)
    at.step, at.decrement = there.step, there.decrement
  end
  return at
end

--- Without `minimise` no step.
local function minimum_of(s, o)
  local value = s:value()
  if value - value ~= 0 then
    errors.misuse("%s: the loss of the sample is %g at the weights", WHERE, value)
  end
  if o.minimise then return minimised(s, o) end
  local at = step_from(s, s.weights)
  if at.decrement * s.n >= o.tolerance then
    at.status, at.reason = "above", ("C is about %.3g nats above its minimum; minimise = true goes"
      .. " there"):format(at.decrement * s.n)
  end
  return at
end

local NEAR <const> = 1e-3 -- of Newton's step: a smooth C is a parabola over so short a way

--- Where the search ended, if that is at kinks of rectifiers; nil elsewhere.
local function kinks_at(s, at)
  if not at.step or at.status == "above" then return nil end
  local changed, all = kinks.between(s, at.x, at.x + at.step * NEAR)
  if changed == 0 then return nil end
  return ("the search ended at kinks, where C has no parabola: %d of %d rectified values of the"
    .. " examples (%.2g %%) change sign within a thousandth of Newton's step; a smooth activation"
    .. " has no kinks"):format(changed, all, 100 * changed / all)
end

--- Why there is nothing to expand about; nil if there is.
local function trouble(s, at, negative, o)
  local by_name, stationary = o.negative == "gauss_newton",
    at.status == "converged" or at.status == "indefinite"
  if not stationary then
    return ("no minimum was found: %s%s"):format(kinks_at(s, at) or at.reason,
      negative > 0 and ("; %d of the eigenvalues there %s not positive"):format(negative,
      negative == 1 and "is" or "are") or "")
  elseif negative > 0 and not by_name then
    return ("%s%d of the eigenvalues of C's Hessian %s not positive: no minimum; negative ="
      .. ' "gauss_newton" takes those of that matrix'):format(o.method == "lanczos" and "at least "
      or "", negative, negative == 1 and "is" or "are")
  elseif at.status ~= "converged" and not by_name then
    return "no minimum was found: " .. at.reason
  end
  return nil
end

-- ------------------------------------------------------------------ the null model

local function squares_of(s)
  local sum, numbers = 0, 0
  for batch in s:parts() do
    sum, numbers = sum + batch.y:to("float64"):norm() ^ 2, numbers + batch.y:numel()
  end
  return sum, numbers
end

--- log p(y) of outputs of 0, or of equal probabilities; nil of other losses than these.
local function null_of(s, o)
  if o.sigma then
    local sum, numbers = squares_of(s)
    return -sum / (2 * o.sigma ^ 2) - numbers / 2 * math.log(2 * math.pi * o.sigma ^ 2)
  elseif o.loss ~= losses.cross_entropy and o.loss ~= losses.logistic then
    return nil
  end
  local shape = s.compiled:graph(s:batch(core.zeros({ 1 }, "int32"))).output:shape()
  local classes = o.loss == losses.logistic and 2 or shape[#shape]
  return -s.n * math.log(classes)
end

-- ------------------------------------------------------------------ the evidence

--- The Occam factor as an estimate, from a number or from draws of it.
local function occam_of(half, s)
  local target = ("Occam factor of %d weights on %d examples"):format(s.size, s.n)
  if type(half) ~= "number" then return half:estimate { target = target } end
  return estimate.new { value = half, low = half, high = half, signed = true, interval = "exact",
    target = target }
end

--- -cost - occam + shift; C may lie up to the excess above its minimum.
local function combined(self, shift, target)
  local o, e = self.occam, shift - self.cost
  return estimate.new { value = e - o.value, low = e - o.high, high = e - o.low + self.excess,
    signed = true, interval = o.interval == "exact" and "bound" or o.interval, target = target }
end

local function unresolved(reason, target)
  return estimate.new { signed = true, status = "unresolved", reason = reason, target = target }
end

local EVIDENCE <const> = "Laplace's approximation of the log evidence"
local RATIO <const> = "Laplace's approximation of the log ratio to the null model"

local function fill(self, s, o, half, reason)
  local null = null_of(s, o)
  if reason then
    self.occam, self.log_evidence = unresolved(reason, "Occam factor"),
      unresolved(reason, EVIDENCE)
    self.log_ratio = null and unresolved(reason, RATIO)
    return self
  end
  self.occam = occam_of(half, s)
  self.log_evidence = combined(self, 0, EVIDENCE)
  self.log_ratio = null and combined(self, -null, RATIO)
  return self
end

---The log evidence in nats, in float64. The weights of the model are where Newton's method starts;
---they stay as they are. "exact" takes a Hessian product a weight, twice or more, and O(n^3);
---"lanczos" probes * steps products, and gives an interval over the probes. Of a network it is the
---evidence of this minimum alone: those that differ by a permutation of units are not counted. With
---rectifiers the lowest points usually lie at kinks; the result is unresolved then and says so.
---    local e = sw.measure.evidence(model, data.train, { lambda = 1, iterations = 1 })
---    print(e.log_evidence, e.occam, e.cost, e.log_ratio)
---@param model swale.Model
---@param sample swale.Split|swale.Batch
---@param o swale.EvidenceOptions
---@return swale.Evidence
function M.evidence(model, sample, o)
  o = checked(sample, o)
  local s = subject.of(WHERE, model, sample, o)
  check(o, s)
  local at = minimum_of(s, o)
  local half, negative = spectrum(s, at.x, "hvp", o)
  local self = setmetatable({ cost = at.value * s.n, excess = (at.decrement or math.huge) * s.n,
    negative = negative, lambda = s.weight_decay * s.n, weights = at.x }, Evidence)
  if negative > 0 and o.negative == "gauss_newton" then
    half = spectrum(s, at.x, "gauss_newton", o)
  end
  return fill(self, s, o, half, trouble(s, at, negative, o))
end

return M
