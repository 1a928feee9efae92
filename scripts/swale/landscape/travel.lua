--- How far weights have moved: distances from the start, angles between steps, and how the distance
--- grows with time (Hoffer et al. 2017: with its logarithm).
local angle = require "swale.measure.angle"
local class = require "swale.class"
local core = require "swale.core"
local csv = require "swale.landscape.csv"
local errors = require "swale.errors"
local options = require "swale.options"
local pictures = require "swale.landscape.pictures"
local vectors = require "swale.landscape.vectors"

local M = {}

---@class swale.LogFit
---@field slope number
---@field intercept number
---@field r2 number           share of the variance that the line explains
---@field n integer           points
local LogFit = class.new("log fit", { name = "swale.LogFit",
  fields = { "slope", "intercept", "r2", "n" } })

function LogFit:__tostring()
  return ("%.4g + %.4g log t, R2 %.3f of %d points"):format(self.intercept, self.slope, self.r2,
    self.n)
end

---@class swale.Travel
---@field at number[]         times
---@field unit string         of them
---@field distance number[]   from the start
---@field step number[]       from the weights before; nan of the first
---@field cosine number[]     of the angle to the step before; nan of the first two
---@field log_fit swale.LogFit|nil    distance = intercept + slope log t, of t > 0
---@field power_fit swale.LogFit|nil  log distance = intercept + slope log t; of diffusion 1/2
local Travel = class.new("travel", { fields = { "at", "unit", "distance", "step", "cosine",
  "log_fit", "power_fit" } })

---The angle at a point between two others, in radians: of b - a and c - a.
---@param a swale.Tensor|swale.Model|swale.Trainer|swale.Averaging
---@param b swale.Tensor|swale.Model|swale.Trainer|swale.Averaging
---@param c swale.Tensor|swale.Model|swale.Trainer|swale.Averaging
---@return number    nan where b or c is a
function M.angle(a, b, c)
  local where = "landscape.angle"
  local origin, p, q = vectors.of(where, "a", a), vectors.of(where, "b", b),
    vectors.of(where, "c", c)
  vectors.check_length(where, "b", p, origin:numel())
  vectors.check_length(where, "c", q, origin:numel())
  return angle.between(vectors.difference(p, origin), vectors.difference(q, origin))
end

--- Least squares of a line; nil with fewer than three points.
local function line_fit(x, y)
  local n, mx, my = #x, 0, 0
  if n < 3 then return nil end
  for i = 1, n do mx, my = mx + x[i] / n, my + y[i] / n end
  local xx, xy, yy = 0, 0, 0
  for i = 1, n do
    local dx, dy = x[i] - mx, y[i] - my
    xx, xy, yy = xx + dx * dx, xy + dx * dy, yy + dy * dy
  end
  if xx == 0 then return nil end
  local slope = xy / xx
  return setmetatable({ slope = slope, intercept = my - slope * mx, n = n,
    r2 = yy > 0 and xy * xy / (xx * yy) or 1 }, LogFit)
end

local function fits(self)
  local t, d, tp, dp = {}, {}, {}, {}
  for i, at in ipairs(self.at) do
    local distance = self.distance[i]
    if at > 0 then t[#t + 1], d[#d + 1] = math.log(at), distance end
    if at > 0 and distance > 0 then
      tp[#tp + 1], dp[#dp + 1] = math.log(at), math.log(distance)
    end
  end
  self.log_fit, self.power_fit = line_fit(t, d), line_fit(tp, dp)
end

local TRAVEL = { start = "any?", at = "list?", unit = { "string", "steps" } }

local function times(where, at, n)
  local list = {}
  if at and #at ~= n then errors.misuse("%s: %d weights and %d times", where, n, #at) end
  for i = 1, n do
    list[i] = at and options.value(where, ("at[%d]"):format(i), at[i], "number") or i
  end
  return list
end

---@class swale.TravelOptions
---@field start? any        weights at time 0; the first of the list
---@field at? number[]      the time of each; 1, 2, …
---@field unit? string      of the times, for the picture: "steps"

---Distances of weights from the start, lengths and angles of the steps between them, and fits of
---the distance over the logarithm of time.
---    travel(trainer.average.captured, { start = w0, at = steps }).log_fit.slope
---@param list any[]        weights in the order of time
---@param o? swale.TravelOptions
---@return swale.Travel
function M.travel(list, o)
  local where = "landscape.travel"
  o = options.check(where, o, TRAVEL)
  local w = vectors.list(where, list, 1)
  local start = o.start and vectors.of(where, "start", o.start) or w[1]
  vectors.check_length(where, "start", start, w[1]:numel())
  local self = { at = times(where, o.at, #w), unit = o.unit, distance = {}, step = {},
    cosine = {} }
  local before
  for i, here in ipairs(w) do
    local step = i > 1 and vectors.difference(here, w[i - 1])
    self.distance[i] = vectors.difference(here, start):norm()
    self.step[i] = step and step:norm() or core.NAN
    self.cosine[i] = before and step and step:dot(before) / (step:norm() * before:norm())
      or core.NAN
    before = step
  end
  fits(self)
  return setmetatable(self, Travel)
end

---The numbers: { "t", "distance", "step", "cosine" } and rows of them.
---@return string[] names
---@return number[][] rows
function Travel:table()
  local rows = {}
  for i, t in ipairs(self.at) do
    rows[i] = { t, self.distance[i], self.step[i], self.cosine[i] }
  end
  return { "t", "distance", "step", "cosine" }, rows
end

---Writes the numbers as csv.
---@param file string
---@return swale.Travel self
function Travel:save(file) return csv.save(self, file) end

---Draws the distance over time, on a logarithmic axis, with its fit.
---@param file string          ends in .svg, .png or .pdf
---@param o? { title?: string }
---@return swale.Travel self
function Travel:plot(file, o)
  pictures.travel(self, file, o)
  return self
end

return M
