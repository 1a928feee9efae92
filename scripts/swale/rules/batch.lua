--- Rules of the batch size.
local combine = require "swale.schedule.combine"
local errors = require "swale.errors"
local options = require "swale.options"
local schedule = require "swale.schedule"
local scaling = require "swale.scaling"
local sure_of = require "swale.rules.sure"

---@class swale.BatchRules
local M = {}

---@class swale.BatchBoundOptions
---@field start integer          the first batch size
---@field least? integer         start
---@field most? integer          a tenth of the training set

---@class swale.NoiseRuleOptions: swale.BatchBoundOptions
---@field by? "noise_scale"|"noise_at_weights"   the measurement that it reads: noise_scale, of a
---window of steps, or that of the weights at each mark

local BY = { choice = { "noise_scale", "noise_at_weights" }, "noise_scale" }

--- The options of a rule, with the bounds; least is by default start, or as it is given.
local function check(where, o, more, least)
  local spec = { start = "count", least = "count?", most = "count?" }
  for name, entry in pairs(more) do spec[name] = entry end
  o = options.check(where, o, spec)
  o.least = o.least or least or math.min(o.start, o.most or o.start)
  if o.start < o.least or o.most and o.start > o.most then
    errors.misuse("%s: start %d is not between least %d and most %s", where, o.start, o.least,
      errors.shown(o.most))
  elseif o.hysteresis and o.hysteresis < 1 then
    errors.misuse("%s: hysteresis must be 1 or more, not %g", where, o.hysteresis)
  end
  return o
end

local function most_of(o, s) return o.most or math.max(o.start, s.epoch_examples // 10) end

--- Rounds up if it must be at least so many.
local function bounded(o, s, batch, up)
  batch = math.max(o.least, math.min(batch, most_of(o, s)))
  return up and math.ceil(batch) or math.floor(batch)
end

--- A rule that remembers its batch size: change(s, batch, mem) gives the next one.
local function remembering(o, change)
  return schedule.rule(o.start, function(s, mem)
    mem.batch = change(s, mem.batch or o.start, mem)
    return mem.batch
  end)
end

--- Follows a wanted size of which `sure` is a lower bound, `possible` an upper one: changes by less
--- than the factor hysteresis are not made.
local function follow(o, s, batch, sure, possible, up)
  if sure >= o.hysteresis * batch then return bounded(o, s, sure, up) end
  if possible <= batch / o.hysteresis then return bounded(o, s, possible, up) end
  return batch
end

-- ------------------------------------------------------------------ by the gradient noise scale

---@class swale.NoiseScaleRuleOptions: swale.NoiseRuleOptions
---@field ratio? number     the batch grows while the whole interval is above ratio batches; 4
---@field factor? number    by which it changes; 2
---@field shrink? number    it shrinks while the whole interval is below shrink batches; never

---The batch grows by a factor while it is sure that the noise scale is above ratio batches:
---sure > ratio B; it shrinks while high < shrink B. To keep a batch from going back and forth on
---one interval, shrink is at most ratio / factor. Needs the measurement `by`.
---@param o swale.NoiseScaleRuleOptions
---@return swale.Rule
function M.noise_scale(o)
  o = check("rules.noise_scale", o, { ratio = { "positive", 4 }, factor = { "positive", 2 },
    shrink = { "nonnegative", 0 }, by = BY })
  if o.factor <= 1 then errors.misuse("rules.noise_scale: factor must be above 1") end
  if o.shrink > o.ratio / o.factor then
    errors.misuse("rules.noise_scale: shrink %g must be at most ratio / factor = %g, or the batch"
      .. " would go back and forth", o.shrink, o.ratio / o.factor)
  end
  return remembering(o, function(s, batch)
    local noise = s[o.by]
    if sure_of(noise) > o.ratio * batch then return bounded(o, s, o.factor * batch) end
    if noise:below(o.shrink * batch) then return bounded(o, s, batch / o.factor) end
    return batch
  end)
end

---@class swale.McCandlishOptions: swale.NoiseRuleOptions
---@field r number|swale.Estimate   what one update costs, in examples: measure.step_cost_ratio
---@field hysteresis? number  the batch changes by at least this factor; 1.5

---McCandlish et al. 2018, appendix D, eq. D.6: B = sqrt(r B_simple) is the batch size of which the
---cost, updates at r examples each and examples, is least. With dS = 1 + B_noise / B updates and
---dE = B + B_noise examples for a piece of progress, r dS + dE has its minimum there. Valid where
---B_simple is near B_noise (a Hessian like the identity) and the rate is tuned for the batch size.
---Grows on sqrt(r sure), shrinks on sqrt(r high), by the ends of r where it is an estimate. Needs
---the measurement `by`.
---@param o swale.McCandlishOptions
---@return swale.Rule
function M.mccandlish(o)
  o = check("rules.mccandlish", o, { r = "positive|Estimate", hysteresis = { "positive", 1.5 },
    by = BY })
  local least, most = o.r, o.r
  if type(o.r) ~= "number" then least, most = math.max(0, o.r.low), math.max(0, o.r.high) end
  return remembering(o, function(s, batch)
    local noise = s[o.by]
    return follow(o, s, batch, math.sqrt(least * sure_of(noise)), math.sqrt(most * noise.high))
  end)
end

---@class swale.NormTestOptions: swale.NoiseRuleOptions
---@field theta? number       largest relative error of a batch's gradient; 0.5

---The norm test (Byrd, Chin, Nocedal & Wu 2012): the expected squared error of the batch's
---gradient, tr(Sigma) / B, must be at most theta^2 |G|^2. Where it surely is not, as
---sure > theta^2 B, the batch becomes sure / theta^2; it never shrinks. The paper has the batch's
---own |g|^2, noise included, in place of |G|^2. Needs the measurement `by`.
---@param o swale.NormTestOptions
---@return swale.Rule
function M.norm_test(o)
  o = check("rules.norm_test", o, { theta = { "positive", 0.5 }, by = BY })
  return remembering(o, function(s, batch)
    local wanted = sure_of(s[o.by]) / o.theta ^ 2
    return wanted > batch and bounded(o, s, wanted, true) or batch
  end)
end

-- ------------------------------------------------------------------ by noise and loss

---@class swale.CabsOptions: swale.BatchBoundOptions
---@field smoothing? number   of the loss, the part that stays at each step; 0.95
---@field hysteresis? number  the batch changes by at least this factor; 1: at each step

--- The mean loss with weights that fall by a factor each step, those before the first one left out.
local function smoothed(mem, loss, smoothing)
  if loss ~= loss then return mem.loss end
  local weight = smoothing * (mem.weight or 0) + 1 - smoothing
  mem.loss = (mem.loss or 0) + (1 - smoothing) / weight * (loss - (mem.loss or 0))
  mem.weight = weight
  return mem.loss
end

---CABS (Balles, Romero & Hennig 2017): B = lr tr(Sigma) / loss, which maximises the bound on
---the gain per example. Valid for plain SGD whose rate is near 1 / curvature and whose least loss
---is near 0. tr(Sigma) is the mean over the window of the noise scale; it is known well when |G|^2
---is not, so the rule acts on its value. Needs the measurement noise_scale.
---@param o swale.CabsOptions
---@return swale.Rule
function M.cabs(o)
  o = check("rules.cabs", o, { smoothing = { "nonnegative", 0.95 },
    hysteresis = { "positive", 1 } })
  if o.smoothing >= 1 then errors.misuse "rules.cabs: smoothing must be below 1" end
  return remembering(o, function(s, batch, mem)
    local noise, loss = s.noise_scale, smoothed(mem, s.loss, o.smoothing)
    if noise.status == "pending" or not loss or loss <= 0 then return batch end
    local wanted = s.lr * noise.noise / loss
    return follow(o, s, batch, wanted, wanted)
  end)
end

-- ------------------------------------------------------------------ by rate and momentum

---@class swale.ConstantNoiseOptions: swale.BatchBoundOptions
---@field lr? swale.Hyperparameter   the trainer's, if it is a number or a schedule: then the batch
---follows the coming rate, and its updates can be counted; without it the rate of the last update
---@field momentum? number           with lr; 0
---@field noise? number              g; that of start with the first rate

--- B for a noise scale g: g = lr / (1 - m) (N / B - 1) solved.
local function batch_for(g, lr, m, n) return n / (1 + g * (1 - m) / lr) end

local function by_progress(o)
  local lr = combine.part("rules.constant_noise", o.lr)
  return schedule.of(function(s)
    local n = s.epoch_examples
    local first = lr:at { examples = 0, epoch_examples = n }
    local g = o.noise or scaling.sgd_noise { lr = first, batch_size = o.start, examples = n,
      momentum = o.momentum }
    local now = lr:at { step = s.step, examples = s.examples, epoch_examples = n }
    return now > 0 and bounded(o, s, batch_for(g, now, o.momentum, n) + 1e-9) or o.least
  end)
end

local function by_last(o)
  return remembering(o, function(s, batch, mem)
    local n = s.epoch_examples
    mem.noise = mem.noise or o.noise or scaling.sgd_noise { lr = s.lr, batch_size = batch,
      examples = n, momentum = s.momentum }
    if s.lr <= 0 then return batch end
    return bounded(o, s, batch_for(mem.noise, s.lr, s.momentum, n) + 1e-9)
  end)
end

---Keeps the SGD noise scale g = lr / (1 - momentum) (N / B - 1) of Smith & Le 2018 constant while
---rate and momentum change: B = N / (1 + g (1 - momentum) / lr). Valid for batches of up to a tenth
---of the training set, which is the bound by default (least is 1), and rates far below the edge of
---stability.
---@param o swale.ConstantNoiseOptions
---@return swale.Rule|swale.Schedule
function M.constant_noise(o)
  o = check("rules.constant_noise", o, { lr = "number|Schedule|function?",
    momentum = "nonnegative?", noise = "positive?" }, 1)
  if o.momentum and not o.lr then
    errors.misuse("rules.constant_noise: momentum goes with lr; without it both are those of the"
      .. " last update")
  end
  o.momentum = o.momentum or 0
  return o.lr and by_progress(o) or by_last(o)
end

return M
