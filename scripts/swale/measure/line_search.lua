--- The best learning rate by measured losses along the gradients of random batches (McCandlish et
--- al. 2018, section 3): what eps_opt(B) of sw.measure.noise predicts from Hessian products.
local core = require "swale.core"
local draws = require "swale.measure.draws"
local estimate = require "swale.estimate"
local errors = require "swale.errors"
local options = require "swale.options"
local subjects = require "swale.measure.subject"

local M = {}

local WHERE <const> = "measure.line_search"
local DOUBLINGS <const> = 40

--- A step along the full gradient that decreases the loss best, up to a factor of 2: the scale of
--- the measured ones. 1 where none decreases it.
local function scale_of(subject, value, gradient)
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

--- Curvature of the loss of the sample along a batch's gradient: of the parabola through the values
--- at 0, eps and 2 eps.
local function curvature_along(subject, batch, eps, value)
  local gradient = subject:gradient_of(batch)
  local one = subject:value(subject:stepped(gradient, -eps))
  local two = subject:value(subject:stepped(gradient, -2 * eps))
  return (value - 2 * one + two) / eps ^ 2
end

local UNRESOLVED <const> = "the curvature along the batches' gradients cannot be told from 0: more"
  .. " draws are needed"
local NEGATIVE <const> = "the curvature along the batches' gradients is negative: a longer step"
  .. " always gains, as far as a parabola holds"

--- signal over the mean curvature. An end where that is not positive is open.
local function best_rate(signal, curvatures, fields)
  local function rate(curvature) return curvature > 0 and signal / curvature or math.huge end
  local low, high = curvatures:interval()
  fields.value, fields.low, fields.high = rate(curvatures:mean()), rate(high), rate(low)
  if fields.low == math.huge then
    fields.low, fields.status = 0, "unresolved"
  end
  if fields.high == math.huge then
    fields.reason = draws.too_few(curvatures.n) or high < 0 and NEGATIVE or UNRESOLVED
  end
  return estimate.new(fields)
end

---@class swale.LineSearchOptions: swale.SubjectOptions
---@field batch_size integer         B
---@field chunk? integer             most examples computed at a time; 4096
---@field draws? integer             batches; 32
---@field eps? number                losses are measured at eps and 2 eps; half of the best step
---along the full gradient

---@class swale.LineSearch: swale.Estimate
---@field eps number
---@field draws integer
---@field evaluations integer        of the sample's loss

---The learning rate by which a step along the gradient of a batch of B examples, drawn from the
---sample with replacement, decreases the sample's mean loss most: |G|^2, the mean slope along such
---gradients, over the mean curvature of parabolas through measured losses, with an interval over
---the draws. Costs two evaluations of the sample for each draw.
---    print(sw.measure.line_search(model, data.train:sample(500), { batch_size = 32 }))
---@param model swale.Model
---@param sample swale.Split|swale.Batch
---@param o swale.LineSearchOptions
---@return swale.LineSearch
function M.line_search(model, sample, o)
  o = options.check(WHERE, o, subjects.spec { batch_size = "count",
    chunk = { "count", 4096 }, draws = { "count", 32 }, eps = "positive?" })
  if o.draws < 2 then errors.misuse("%s: draws must be at least 2", WHERE) end
  local subject = subjects.of(WHERE, model, sample, o)
  if subject.whole then
    errors.misuse("%s: the examples are coupled: the loss of a batch depends on its size; mode ="
      .. ' "eval" uses running statistics of batch norms', WHERE)
  end
  local value, gradient = subject:value_and_gradient()
  local eps, stream = o.eps or scale_of(subject, value, gradient) / 2, subject:random()
  local curvatures = draws.new()
  for _ = 1, o.draws do
    curvatures:add(curvature_along(subject, draw(subject, stream, o.batch_size), eps, value))
  end
  local fields = { eps = eps, draws = o.draws, evaluations = 2 * o.draws + 1,
    target = ("best learning rate of batches of %d of the %d examples"):format(o.batch_size,
      subject.n) }
  local signal = gradient:dot(gradient)
  if curvatures:mean() - curvatures:mean() ~= 0 or signal - signal ~= 0 then
    fields.reason = "a loss along a batch's gradient is not finite"
    return estimate.new(fields)
  end
  return best_rate(signal, curvatures, fields)
end

return M
