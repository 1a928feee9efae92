--- The best learning rate by measured losses along the gradients of random batches (McCandlish et
--- al. 2018, section 3): what eps_opt(B) of sw.measure.noise predicts from Hessian products.
local core = require "swale.core"
local estimate = require "swale.estimate"
local errors = require "swale.errors"
local options = require "swale.options"
local subjects = require "swale.measure.subject"

local M = {}

local WHERE <const> = "measure.line_search"
local DOUBLINGS <const> = 40

--- A step along the full gradient that decreases the loss best, up to a factor of 2: the scale of
--- the measured ones. 1 where none decreases it.
local function scale_of(subject)
  local value, gradient = subject:value_and_gradient()
  local function after(eps) return subject:value(subject:stepped(gradient, -eps)) end
  local eps, best = 1, after(1)
  for _ = 1, DOUBLINGS do
    if best < value then break end
    eps = eps / 2
    best = after(eps)
  end
  local twice = after(2 * eps)
  for _ = 1, DOUBLINGS do
    if twice >= best or twice ~= twice then break end
    eps, best, twice = 2 * eps, twice, after(4 * eps)
  end
  return eps
end

local function draw(subject, stream, size)
  local index = core.zeros({ size }, "int32")
  for i = 1, size do index:set(i, stream:integer(subject.n) - 1) end
  return subject:batch(index)
end

--- Slope and curvature of the loss of the sample along a batch's gradient: of the parabola through
--- the values at 0, eps and 2 eps.
local function parabola(subject, batch, eps, value)
  local gradient = subject:gradient_of(batch)
  local one = subject:value(subject:stepped(gradient, -eps))
  local two = subject:value(subject:stepped(gradient, -2 * eps))
  return (3 * value - 4 * one + two) / (2 * eps), (value - 2 * one + two) / eps ^ 2
end

local REASONS = { pending = "a loss along a batch's gradient is not finite",
  unresolved = "the curvature along the batches' gradients cannot be told from 0: more draws are"
    .. " needed" }

---@class swale.LineSearchOptions: swale.SubjectOptions
---@field batch integer              B
---@field draws? integer             batches; 32
---@field eps? number                losses are measured at eps and 2 eps; half of the best step
---along the full gradient

---@class swale.LineSearch: swale.Estimate
---@field eps number
---@field draws integer
---@field evaluations integer        of the sample's loss

---The learning rate by which a step along the gradient of a batch of B examples, drawn from the
---sample with replacement, decreases the sample's mean loss most: the mean slope over the mean
---curvature of parabolas through measured losses, with Fieller's interval over the draws. Costs two
---evaluations of the sample for each draw.
---    print(sw.measure.line_search(model, data.train:sample(500), { batch = 32 }))
---@param model swale.Model
---@param sample swale.Split|swale.Batch
---@param o swale.LineSearchOptions
---@return swale.LineSearch
function M.line_search(model, sample, o)
  o = options.check(WHERE, o, subjects.spec { batch = "count", draws = { "count", 32 },
    eps = "positive?" })
  if o.draws < 2 then errors.misuse("%s: draws must be at least 2", WHERE) end
  local subject = subjects.of(WHERE, model, sample, o)
  if subject.whole then
    errors.misuse("%s: the examples are coupled: the loss of a batch depends on its size; mode ="
      .. ' "eval" uses running statistics of batch norms', WHERE)
  end
  local eps, stream = o.eps or scale_of(subject) / 2, subject:random()
  local value, slopes, curvatures = subject:value(), {}, {}
  for k = 1, o.draws do
    slopes[k], curvatures[k] = parabola(subject, draw(subject, stream, o.batch), eps, value)
  end
  local status, best, low, high = core.fieller(slopes, curvatures,
    core.student_quantile(0.975, o.draws - 1))
  return estimate.new { status = status, value = best, low = low, high = high, eps = eps,
    draws = o.draws, evaluations = 2 * o.draws + 1,
    target = ("best learning rate of batches of %d of the %d examples"):format(o.batch, subject.n),
    reason = REASONS[status] }
end

return M
