--- The distance along random rays at which the loss has risen by a given amount: the width of a
--- minimum (Izmailov et al. 2018, section 4.1).
local class = require "swale.class"
local core = require "swale.core"
local csv = require "swale.landscape.csv"
local directions = require "swale.landscape.directions"
local errors = require "swale.errors"
local estimate = require "swale.estimate"
local options = require "swale.options"
local pictures = require "swale.landscape.pictures"
local scenes = require "swale.landscape.scene"
local vectors = require "swale.landscape.vectors"

local M = {}

---@class swale.Ray
---@field t number[]                distances that were evaluated, ascending
---@field rises number[]            L(w + t d) - L(w) at them
---@field width swale.Estimate      where the rise is reached: the bracket that was found

---@class swale.Rays
---@field list swale.Ray[]
---@field widths swale.Estimate[]   of each ray; a bound holds surely
---@field mean swale.Estimate       geometric, of the width over random directions
---@field rise number
---@field base number               L(w)
---@field column string             "train_loss"
local Rays = class.new("rays", { fields = { "list", "widths", "mean", "rise", "base", "column" } })

---@class swale.RaysOptions: swale.SceneOptions
---@field rise number           of the loss
---@field n? integer            rays; 10
---@field by? string            the split whose loss rises; the first one
---@field first? number         the first distance tried; 1e-3 |w|
---@field far? number           the last one; 1e6 times the first
---@field tolerance? number     relative length of a bracket; 1e-2
---@field seed? integer         of the directions; 1

local OPTIONS = scenes.spec { rise = "positive", n = { "count", 10 }, by = "string?",
  first = "positive?", far = "positive?", tolerance = { "positive", 1e-2 },
  seed = { "integer", 1 } }
OPTIONS.file = nil -- a ray is short; it is not resumed

--- Evaluates the rise at t and keeps it.
local function prober(scene, w, d, base, split, seen)
  return function(t)
    local loss = scene:at(vectors.sum { { 1, w }, { t, d } }, split)[split .. "_loss"]
    local rise = loss - base
    if rise ~= rise then rise = math.huge end -- beyond what can be computed
    seen[#seen + 1] = { t, rise }
    return rise
  end
end

--- Doubles t until the rise is reached: { low, high }, high infinite if it is not.
local function bracket(rise_at, o)
  local low, t = 0, o.first
  while t <= o.far do
    if rise_at(t) >= o.rise then return low, t end
    low, t = t, 2 * t
  end
  return low, math.huge
end

--- Halves a bracket until it is short enough.
local function refine(rise_at, low, high, o)
  while high - low > o.tolerance * high do
    local middle = (low + high) / 2
    if middle <= low or middle >= high then break end -- neighbours
    if rise_at(middle) >= o.rise then high = middle else low = middle end
  end
  return low, high
end

local TARGET = "distance at which the loss has risen by %g along this ray"

local function width_of(low, high, rise, far)
  local target = TARGET:format(rise)
  if high == math.huge then
    return estimate.new { low = low, interval = "bound", target = target,
      reason = ("the rise is not reached up to a distance of %.4g (option far)"):format(far) }
  end
  return estimate.new { value = (low + high) / 2, low = low, high = high, interval = "bound",
    target = target }
end

local function ray(scene, w, d, base, split, o)
  local seen = { { 0, 0 } }
  local rise_at = prober(scene, w, d, base, split, seen)
  local low, high = bracket(rise_at, o)
  if high < math.huge then low, high = refine(rise_at, low, high, o) end
  table.sort(seen, function(a, b) return a[1] < b[1] end)
  local t, rises = {}, {}
  for i, one in ipairs(seen) do t[i], rises[i] = one[1], one[2] end
  return { t = t, rises = rises, width = width_of(low, high, o.rise, o.far) }
end

--- The geometric mean of the widths, with Student's interval of their logarithms over the rays:
--- widths are skewed, their logarithms less so. Where some have no upper end there is no interval.
local function mean_of(widths)
  local n, target = #widths, "geometric mean of the width over random directions"
  local sum, low, logs = 0, 0, {}
  for i, e in ipairs(widths) do
    logs[i], low = math.log(e.value), low + math.log(e.low) / n
    sum = sum + logs[i]
  end
  if sum ~= sum or n < 2 then
    return estimate.new { target = target, reason = n < 2 and "one ray has no spread"
      or ("some rays do not rise so far; the mean of these rays is above %.4g"):format(
        math.exp(low)) }
  end
  local mean, squares = sum / n, 0
  for _, v in ipairs(logs) do squares = squares + (v - mean) ^ 2 end
  local half = core.student_quantile(0.975, n - 1) * math.sqrt(squares / (n - 1) / n)
  return estimate.new { value = math.exp(mean), low = math.exp(mean - half),
    high = math.exp(mean + half), target = target }
end

---The widths of a minimum along random rays: for directions d, uniform on the unit sphere, the
---distance t at which L(w + t d) - L(w) reaches `rise`. t is doubled from `first` until it is
---reached, then the bracket is halved; a rise and fall between two doublings is not seen. Cost:
---about 15 passes over one split for each ray.
---    rays(swa, { on = data, model = model, rise = 0.1, n = 10 }).mean
---@param a swale.Tensor|swale.Model|swale.Trainer|swale.Averaging
---@param o swale.RaysOptions
---@return swale.Rays
function M.rays(a, o)
  local where = "landscape.rays"
  o = options.check(where, o, OPTIONS)
  local w, scene = vectors.of(where, "a", a), scenes.of(where, o, { a })
  local split = scene:split_name(o.by)
  local base = scene:at(w, split)[split .. "_loss"]
  if base - base ~= 0 then
    errors.misuse("%s: the loss of the weights is %s", where, errors.shown(base))
  end
  o.first = o.first or 1e-3 * math.max(w:norm(), 1e-30)
  o.far = o.far or 1e6 * o.first
  local self = { list = {}, widths = {}, rise = o.rise, base = base, column = split .. "_loss" }
  for i = 1, o.n do
    local d = directions.normal(w:numel(), o.seed, i)
    d:scale(1 / d:norm())
    self.list[i] = ray(scene, w, d, base, split, o)
    self.widths[i] = self.list[i].width
  end
  self.mean = mean_of(self.widths)
  return setmetatable(self, Rays)
end

---The numbers: { "ray", "distance", "rise" } and rows of them.
---@return string[] names
---@return number[][] rows
function Rays:table()
  local rows = {}
  for i, one in ipairs(self.list) do
    for k, t in ipairs(one.t) do rows[#rows + 1] = { i, t, one.rises[k] } end
  end
  return { "ray", "distance", "rise" }, rows
end

---Writes the numbers as csv.
---@param file string
---@return swale.Rays self
function Rays:save(file) return csv.save(self, file) end

---Draws the rise of the loss over the distance along each ray.
---@param file string          ends in .svg, .png or .pdf
---@param o? { title?: string }
---@return swale.Rays self
function Rays:plot(file, o)
  pictures.rays(self, file, o)
  return self
end

function Rays:__tostring()
  return ("%d rays to a rise of %g: %s"):format(#self.list, self.rise, tostring(self.mean))
end

return M
