--- What sw.measure.noise returns: estimates, and those that follow for a batch size.
local class = require "swale.class"
local core = require "swale.core"
local errors = require "swale.errors"
local estimate = require "swale.estimate"
local lines = require "swale.measure.lines"
local options = require "swale.options"
local statistics = require "swale.measure.noise_statistics"

local M = {}

---@class swale.Noise
---@field b_simple swale.Estimate     tr(Sigma) / |G|^2, in examples
---@field signal swale.Estimate       |G|^2
---@field noise swale.Estimate        tr(Sigma), of an example
---@field covariance { signal: number, noise: number, both: number }   of the two estimates
---@field examples integer            that were read
---@field text string|nil             what the estimates are of
---@field by string
---@field b_noise swale.Estimate|nil  tr(H Sigma) / G'HG; with hessian, as the next three
---@field eps_max swale.Estimate|nil  |G|^2 / G'HG, the best learning rate without noise
---@field curvature swale.Estimate|nil        G'HG; may be negative
---@field noise_curvature swale.Estimate|nil  tr(H Sigma), of an example; may be negative
---@field layers table<string, swale.Noise>|nil   by the layer's path
---@field paths string[]|nil          of the layers, in the network's order
---@field normalisation swale.Noise|nil   of the weights of normalisation layers alone
---@field ratio swale.Estimate|nil    its B_simple over that of all weights
local Noise = class.new("noise", { fields = { "b_simple", "signal", "noise", "covariance",
  "examples", "by", "b_noise", "eps_max", "curvature", "noise_curvature", "layers", "paths",
  "normalisation", "ratio" } })

local LINES = { { "b_simple", "B_simple" }, { "signal", "|G|^2" }, { "noise", "tr(Sigma)" },
  { "b_noise", "B_noise" }, { "eps_max", "eps_max" } }

function Noise:__tostring()
  local shown = {}
  for _, line in ipairs(LINES) do
    local e = self[line[1]]
    shown[line[1]] = e and estimate.without_target(e)
  end
  return lines.of(shown, LINES) .. (self.text and "\nof " .. self.text or "")
end

-- ------------------------------------------------------------------ ratios with the curvature

local NEGATIVE = "the curvature along the gradient is negative: no step is best"
local FLAT = "the curvature along the gradient cannot be told from 0: a larger sample is needed"
local FAINT = "the gradient cannot be told from its noise: a larger sample is needed"

--- The curvature that a step along the gradient of a batch meets: G'HG + tr(H Sigma) / B, with its
--- variance and its covariance with the signal.
local function met(c, batch)
  local b = 1 / batch
  return { value = c.curvature + b * c.noise_curvature,
    variance = math.max(c.cov.cc + 2 * b * c.cov.cn + b * b * c.cov.nn, 0),
    with_signal = c.cov.sc + b * c.cov.sn }
end

local function why(status, value, width)
  if status ~= "unresolved" then return nil end
  return value + width < 0 and NEGATIVE or FLAT
end

--- Ends of value * exp(+-t s), s being the relative standard error.
local function skewed(value, t, relative_variance)
  local factor = math.exp(t * math.sqrt(math.max(relative_variance, 0)))
  return value / factor, value * factor
end

--- Fields of an estimate's target and kind.
local function described(self, what, exact, fields)
  fields.target, fields.interval = what .. " of " .. self.text, exact and "exact" or nil
  return estimate.new(fields)
end

--- scale times Fieller's set. Products of gradients and Hessians are skewed: of positive numbers it
--- is joined with an interval of the ratio's logarithm.
local function fieller(self, what, o, scale)
  local status, value, low, high = core.ratio(o)
  if o.a > 0 and o.b > 0 then
    local least, most = skewed(value, o.t, o.vaa / o.a ^ 2 - 2 * o.vab / (o.a * o.b)
      + o.vbb / o.b ^ 2)
    if low > 0 then low = math.min(low, least) end
    high = math.max(high, most)
  end
  return described(self, what, low == high, { status = status, value = scale * value,
    low = scale * low, high = scale * high, signed = o.signed })
end

local function of_curvature(self, what, a, m)
  local c = self.second
  local e = fieller(self, what, { a = a.value, b = m.value, vaa = a.variance, vab = a.covariance,
    vbb = m.variance, t = c.t, signed = a.signed }, a.scale or 1)
  return e:because(why(e.status, m.value, c.t * math.sqrt(m.variance)))
end

--- Likewise, of a positive one.
local function signed_estimate(self, what, value, variance)
  local t = self.second.t
  local width = t * math.sqrt(math.max(variance, 0))
  local high = value + width
  if value > width then high = math.max(high, select(2, skewed(value, t, variance / value ^ 2))) end
  return described(self, what, width == 0, { value = value, low = value - width, high = high,
    signed = true })
end

--- Opens the end that tr(H Sigma) would bound, where few examples hold it: above, or below at 0.
local function opened(self, e, above)
  local c = self.second
  if not c.few or e.status == "pending" then return e end
  local why_open = statistics.few_text(c.few, c.units)
  if not above then
    e.low = math.min(e.low, 0)
    return e:because(e.reason or why_open)
  end
  return e:update("unresolved", e.value, e.low, math.huge, e.reason or why_open)
end

local function add_curvature(self)
  local c = self.second
  local own = { value = c.curvature, variance = c.cov.cc, with_signal = c.cov.sc }
  self.curvature = signed_estimate(self, "G'HG", c.curvature, c.cov.cc)
  self.noise_curvature = opened(self, signed_estimate(self, "tr(H Sigma)", c.noise_curvature,
    c.cov.nn), true)
  self.b_noise = opened(self, of_curvature(self, "B_noise", { value = c.noise_curvature,
    variance = c.cov.nn, covariance = c.cov.cn, signed = true }, own), true)
  self.eps_max = of_curvature(self, "eps_max", { value = c.signal, variance = c.cov.ss,
    covariance = c.cov.sc }, own)
end

-- ------------------------------------------------------------------ for a batch size

local function needs_hessian(self, where)
  if self.second then return self.second end
  if self.needs then errors.misuse("%s: %s", where, self.needs) end
  errors.misuse("%s: needs hessian = true: sw.measure.noise(model, sample, { hessian = true })",
    where)
end

---The best learning rate of a plain step with batches of B examples, eq. 2.6:
---    eps_opt(B) = |G|^2 / (G'HG + tr(H Sigma) / B) = eps_max / (1 + B_noise / B)
---@param batch number
---@return swale.Estimate
function Noise:eps_opt(batch)
  local c = needs_hessian(self, "noise:eps_opt")
  local m = met(c, options.value("noise:eps_opt", "batch", batch, "positive"))
  return opened(self, of_curvature(self, ("eps_opt(%g)"):format(batch), { value = c.signal,
    variance = c.cov.ss, covariance = m.with_signal }, m))
end

--- The lower end of |G|^4 / (2 y) from that of its root, |G|^2 / sqrt(y), whose relative errors are
--- half as large: it is above 0 where |G|^2 is t standard errors, not only where it is 2 t.
local function raise_low(self, e, m)
  local c = self.second
  if not (c.signal > 0 and m.value > 0) then return e end
  local root = math.sqrt(m.value)
  local found = fieller(self, "root", { a = c.signal, b = root, vaa = c.cov.ss,
    vab = m.with_signal / (2 * root), vbb = m.variance / (4 * m.value), t = c.t }, 1)
  e.low = math.max(e.low, math.min(found.low ^ 2 / 2, e.value))
  return e
end

---The expected decrease of the loss by a step with eps_opt(B), eq. 2.7:
---    |G|^4 / (2 (G'HG + tr(H Sigma) / B)) = Delta L_max / (1 + B_noise / B)
---@param batch number
---@return swale.Estimate
function Noise:progress(batch)
  local c = needs_hessian(self, "noise:progress")
  local m = met(c, options.value("noise:progress", "batch", batch, "positive"))
  local e = of_curvature(self, ("the decrease by batches of %g"):format(batch), {
    value = c.signal ^ 2, variance = 4 * c.signal ^ 2 * c.cov.ss,
    covariance = 2 * c.signal * m.with_signal, scale = 0.5 }, m)
  return opened(self, raise_low(self, e, m))
end

---The temperature of training with learning rate eps and batches of B examples, eq. C.1:
---eps / eps_opt(B). Above 2 the expected step increases the loss.
---@param eps number
---@param batch number
---@return swale.Estimate
function Noise:temperature(eps, batch)
  local c = needs_hessian(self, "noise:temperature")
  options.value("noise:temperature", "eps", eps, "positive")
  local m = met(c, options.value("noise:temperature", "batch", batch, "positive"))
  local what = ("temperature of learning rate %g with batches of %g"):format(eps, batch)
  local e = fieller(self, what, { a = m.value, b = c.signal, vaa = m.variance,
    vab = m.with_signal, vbb = c.cov.ss, t = c.t, signed = true }, eps)
  return opened(self, e:because(e.status == "unresolved" and FAINT or nil), true)
end

---The batch size of McCandlish's rule, eq. D.6: sqrt(r B_simple), r the cost of a step over that of
---an example.
---@param r number
---@return swale.Estimate
function Noise:batch(r)
  options.value("noise:batch", "r", r, "positive")
  local b = self.b_simple
  return estimate.new { status = b.status, value = math.sqrt(r * b.value),
    low = math.sqrt(r * b.low), high = math.sqrt(r * b.high),
    target = ("sqrt(%g B_simple) of %s"):format(r, self.text),
    reason = b.reason, interval = b.interval }
end

-- ------------------------------------------------------------------ pictures

local SIZES <const> = 25

--- Batch sizes around those where noise begins to matter, at equal ratios.
local function sizes_of(self)
  local middle = self.b_noise.value
  if not (middle > 1 and middle < 1e9) then middle = self.b_simple.value end
  if not (middle > 1 and middle < 1e9) then middle = 64 end
  local list, last = {}, math.max(math.log(100 * middle), 1)
  for i = 1, SIZES do list[i] = math.exp(last * (i - 1) / (SIZES - 1)) end
  return list
end

local function by_size(self, method, label)
  local x, y = sizes_of(self), {}
  for i, batch in ipairs(x) do y[i] = self[method](self, batch) end
  return { { x = x, y = y }, x_log = true, y_log = true, x_label = "batch size", y_label = label }
end

local MOST_NAMES <const> = 8 -- below the axis; more stand beside their points

local function by_layer(self)
  local y, x = {}, {}
  for i, path in ipairs(self.paths) do x[i], y[i] = i, self.layers[path].b_simple end
  local few = #x <= MOST_NAMES
  return { y_log = true, x_label = "layer", y_label = "noise scale",
    x_range = { 0.5, #x + (few and 0.5 or 1) },
    { x = few and self.paths or x, y = y, as = "points", texts = not few and self.paths or nil } }
end

---Draws, with hessian, the best learning rate and its progress over the batch size; with layers,
---the noise scale of each layer. Intervals are bands and bars.
---@param file string                 .svg, .png or .pdf
---@return string file
function Noise:plot(file)
  options.value("noise:plot", "file", file, "string")
  local panels = {}
  if self.second then
    panels[1] = by_size(self, "eps_opt", "best learning rate")
    panels[2] = by_size(self, "progress", "decrease of the loss")
  end
  if self.layers then panels[#panels + 1] = by_layer(self) end
  if #panels == 0 then
    errors.misuse "noise:plot: needs hessian = true or layers = true in sw.measure.noise"
  end
  return require("swale.plot.figure").plot { file = file, panels = panels, columns = 1 }
end

---@param fields table   text: the target; second: a swale.NoiseCurvature; needs: why there is none
---@return swale.Noise
function M.new(fields)
  local self = setmetatable(fields, Noise)
  if self.second then
    add_curvature(self)
  elseif self.needs then
    for _, name in ipairs { "b_noise", "eps_max", "curvature", "noise_curvature" } do
      self[name] = estimate.new { signed = name ~= "eps_max", reason = self.needs }
    end
  end
  return self
end

return M
