--- Scaling rules: the noise that learning rate, batch size and momentum make together, and other
--- settings with the same noise.
local errors = require "swale.errors"
local options = require "swale.options"

---@class swale.scaling
local M = {}

--- A batch of at most this part of the training set, where the rules hold (Smith et al. 2018).
local LARGEST_PART = 1 / 10

---@class swale.SgdNoiseOptions
---@field lr number
---@field batch_size number
---@field examples integer      size of the training set
---@field momentum? number      0

local NOISE = { lr = "nonnegative", batch_size = "positive", examples = "count",
  momentum = { "nonnegative", 0 } }

local function check_momentum(where, m)
  if m and m >= 1 then errors.misuse("%s: momentum must be below 1, not %g", where, m) end
end

local function noise_of(o) return o.lr / (1 - o.momentum) * (o.examples / o.batch_size - 1) end

---The SGD noise scale of Smith & Le 2018, the scale of the random forces in the differential
---equation that SGD follows (section 5; with momentum: Smith et al. 2018, section 4):
---    g = lr / (1 - momentum) (N / B - 1)
---It is derived for batches that are drawn independently at each update; an order that is
---reshuffled each epoch has less noise over an epoch. It is not the gradient noise scale
---tr(Sigma) / |G|^2, the noise of the gradient that results.
---@param o swale.SgdNoiseOptions
---@return number
function M.sgd_noise(o)
  o = options.check("scaling.sgd_noise", o, NOISE)
  if o.batch_size > o.examples then
    errors.misuse("scaling.sgd_noise: a batch of %g is larger than the training set of %d",
      o.batch_size, o.examples)
  end
  check_momentum("scaling.sgd_noise", o.momentum)
  return noise_of(o)
end

local ACCUMULATION = { batch_size = "positive", examples = "count",
  momentum = { "nonnegative", 0 } }

---The time in epochs over which momentum accumulates and forgets gradients (Smith et al. 2018,
---section 4): B / (N (1 - momentum)). Updates are too small for about as long after the start, and
---after each change of settings: where it is not far below the length of a training, a larger
---momentum costs progress.
---@param o { batch_size: number, examples: integer, momentum?: number }
---@return number
function M.accumulation(o)
  o = options.check("scaling.accumulation", o, ACCUMULATION)
  check_momentum("scaling.accumulation", o.momentum)
  return o.batch_size / (o.examples * (1 - o.momentum))
end

local GAIN = { noise_scale = "nonnegative", batch_size = "positive", reference = "positive" }

---The gain of AdaScale (Johnson et al. 2020): how many updates of the reference batch B0 one update
---of the batch B is worth, from the gradient noise scale R = tr(Sigma) / |G|^2:
---    (R / B0 + 1) / (R / B + 1)
---which is (s2 + m2) / (s2 / S + m2) of the paper with m2 = |G|^2, s2 = tr(Sigma) / B0 and
---S = B / B0. It is between 1 (no noise) and S (noise alone), and grows with R.
---@param o { noise_scale: number, batch_size: number, reference: number }
---@return number
function M.adascale_gain(o)
  o = options.check("scaling.adascale_gain", o, GAIN)
  return (o.noise_scale / o.reference + 1) / (o.noise_scale / o.batch_size + 1)
end

-- ------------------------------------------------------------------ equivalent settings

---@class swale.ScalingOptions
---@field optimizer? "sgd"|"adam"   sgd
---@field lr number
---@field batch_size integer
---@field momentum? number      of Adam: beta1; 0, of Adam 0.9
---@field beta2? number         of Adam: 0.999
---@field eps? number           of Adam: 1e-8
---@field ema? number           decay of an average of weights, per update
---@field examples? integer     size of the training set, for the limits

---@class swale.ScalingToOptions    one or two of them
---@field lr? number
---@field batch_size? integer
---@field momentum? number       SGD only

---@class swale.ScaledSettings
---@field lr number
---@field batch_size integer    rounded
---@field momentum number
---@field beta2 number|nil
---@field eps number|nil
---@field ema number|nil
---@field factor number         the new batch size over the old one
---@field limits string[]       where the rule does not hold, in words; empty: it does
---@field noise { from: number, to: number }|nil        sgd_noise, with examples
---@field accumulation { from: number, to: number }|nil   in epochs, likewise

local SETTINGS = { optimizer = { choice = { "sgd", "adam" }, "sgd" }, lr = "positive",
  batch_size = "count", momentum = "nonnegative?", beta2 = { "nonnegative", 0.999 },
  eps = { "nonnegative", 1e-8 }, ema = "nonnegative?", examples = "count?" }

local CHANGE = { lr = "positive?", batch_size = "count?", momentum = "nonnegative?" }

--- SGD: lr / (B (1 - momentum)) stays. Returns the new settings.
local function sgd(o, to)
  local ratio = o.lr / (o.batch_size * (1 - o.momentum))
  local lr, batch, momentum = to.lr, to.batch_size, to.momentum or o.momentum
  if lr and batch and not to.momentum then
    momentum = 1 - lr / (batch * ratio)
    if momentum < 0 then
      errors.misuse("scaling.equivalent: lr %g with batch_size %d has more noise at any momentum",
        lr, batch)
    end
  elseif batch then
    lr = ratio * batch * (1 - momentum)
  else
    lr = lr or o.lr
    batch = lr / (ratio * (1 - momentum))
  end
  return { lr = lr, batch_size = batch, momentum = momentum }
end

--- 1 - beta for a batch k times as large.
local function beta(name, old, k)
  local new = 1 - k * (1 - old)
  if new < 0 then
    errors.misuse("scaling.equivalent: %s = %g has no equivalent for a batch %.4g times as large:"
      .. " at most %.4g times", name, old, k, 1 / (1 - old))
  end
  return new
end

--- Adam: Malladi et al. 2022, the square-root rule.
local function adam(o, to)
  if to.momentum or to.lr and to.batch_size then
    errors.misuse "scaling.equivalent: of Adam lr or batch_size alone can be chosen"
  end
  local k = to.batch_size and to.batch_size / o.batch_size or (to.lr / o.lr) ^ 2
  return { lr = o.lr * math.sqrt(k), batch_size = k * o.batch_size,
    momentum = beta("beta1", o.momentum, k), beta2 = beta("beta2", o.beta2, k),
    eps = o.eps / math.sqrt(k) }
end

local function rounded(batch)
  if batch < 0.5 then
    errors.misuse "scaling.equivalent: the batch would have less than one example"
  end
  return math.floor(batch + 0.5)
end

local function limits_of(o, new)
  local list, most = {}, o.examples and LARGEST_PART * o.examples
  for _, batch in ipairs { o.batch_size, new.batch_size } do
    if most and batch > most then
      list[#list + 1] = ("the batch of %d is above a tenth of the %d examples: beyond it the rule"
        .. " loses its noise"):format(batch, o.examples)
    end
  end
  if math.abs(new.batch_size / new.exact - 1) > 0.01 then
    list[#list + 1] = ("the batch of %.4g is rounded to %d"):format(new.exact, new.batch_size)
  end
  return list
end

local function both(f, o, new)
  local function at(settings)
    return f { lr = settings.lr, batch_size = settings.batch_size, examples = o.examples,
      momentum = settings.momentum }
  end
  return { from = at(o), to = at(new) }
end

local function add_noise(o, new)
  if not o.examples then return end
  if o.optimizer == "sgd" then new.noise = both(noise_of, o, new) end
  new.accumulation = both(function(s)
    return s.batch_size / (s.examples * (1 - s.momentum))
  end, o, new)
end

---Returns settings whose noise is that of others:
---    local new = sw.scaling.equivalent({ lr = 0.1, batch_size = 128, momentum = 0.9 },
---      { batch_size = 640 }) -- lr 0.5
---SGD (Smith et al. 2018): lr / (B (1 - momentum)) stays, which is sgd_noise for B far below N.
---What `to` leaves open follows: the batch size, else the rate, else the momentum.
---Adam (Malladi et al. 2022), for a batch k times as large: lr sqrt(k), 1 - beta becomes
---k (1 - beta) for both betas, eps / sqrt(k). Valid where the noise dominates the gradient: batches
---far below the gradient noise scale.
---An average's decay becomes ema^k (Busbridge et al. 2023), which forgets as fast per example.
---`limits` says where a rule does not hold; nothing is cut off.
---@param o swale.ScalingOptions
---@param to swale.ScalingToOptions
---@return swale.ScaledSettings
function M.equivalent(o, to)
  o = options.check("scaling.equivalent", o, SETTINGS)
  to = options.check("scaling.equivalent: to", to, CHANGE)
  if not next(to) or to.lr and to.batch_size and to.momentum then
    errors.misuse "scaling.equivalent: one or two of lr, batch_size and momentum are chosen"
  end
  o.momentum = o.momentum or o.optimizer == "adam" and 0.9 or 0
  check_momentum("scaling.equivalent", o.momentum)
  check_momentum("scaling.equivalent: to", to.momentum)
  local new = (o.optimizer == "adam" and adam or sgd)(o, to)
  new.exact, new.batch_size = new.batch_size, rounded(new.batch_size)
  new.factor = new.batch_size / o.batch_size
  new.ema = o.ema and o.ema ^ new.factor
  new.limits = limits_of(o, new)
  new.exact = nil
  add_noise(o, new)
  return new
end

return M
