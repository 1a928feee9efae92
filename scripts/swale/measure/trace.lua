--- Trace and diagonal of the Hessian, or of its Gauss-Newton form, from products with random signs.
local basis = require "swale.measure.basis"
local class = require "swale.class"
local core = require "swale.core"
local curvature = require "swale.measure.curvature"
local draws = require "swale.measure.draws"
local errors = require "swale.errors"
local estimate = require "swale.estimate"
local options = require "swale.options"

local M = {}

-- ------------------------------------------------------------------ trace

---@class swale.TraceOptions: swale.CurvatureOptions
---@field method? "hutch++"|"hutchinson"|"exact"   "hutch++"
---@field probes? integer             products: 48, or with relative_error at most 1000
---@field relative_error? number      draws until half the interval is at most this part of the
---value
---@field sketch? integer             hutch++: vectors of its sketch; probes // 3, at most 16

local METHODS = { "hutch++", "hutchinson", "exact" }
local TRACE = curvature.spec { method = { choice = METHODS, "hutch++" }, probes = "count?",
  relative_error = "positive?", sketch = "count?" }

local MOST_SKETCHED <const> = 16

--- The trace within the span of Q = qr(H S), exactly, and Q itself.
local function sketch(h, count, random)
  local q, sum = basis.new(), 0
  for _ = 1, count do q:extend(h(draws.signs(h.n, random))) end
  for _, v in ipairs(q.vectors) do sum = sum + v:dot(h(v)) end
  return sum, q
end

local function exact(h)
  local sum, v = 0, core.zeros({ h.n }, "float64")
  for i = 1, h.n do
    v:set(i, 1)
    sum = sum + h(v):get(i)
    v:set(i, 0)
  end
  return sum
end

local function exactly(h)
  local sum = exact(h)
  return estimate.new { value = sum, low = sum, high = sum, signed = true, standard_error = 0,
    interval = "exact", target = h:target "trace", products = h.products, method = "exact" }
end

local function most_probes(o)
  local most = o.probes or o.relative_error and 1000 or 3 * MOST_SKETCHED
  local sketched = o.method == "hutch++" and (o.sketch or math.min(most // 3, MOST_SKETCHED)) or 0
  if most - 2 * sketched < 2 then
    errors.misuse("measure.trace: needs probes = %d, two beside the %d products of the sketch, not"
      .. " %d; a smaller sketch needs fewer", 2 * sketched + 2, 2 * sketched, most)
  end
  return most, sketched
end

---tr(H) with a 95 % interval over the probes. Hutchinson's estimator is the mean of v'Hv over
---random signs v; its variance is 2 (|H|_F^2 - sum h_ii^2) a probe. Hutch++ (Meyer et al. 2021)
---computes the trace within the span of H S exactly, S being a few vectors of signs, and estimates
---the rest: the few large eigenvalues of a network then have no variance. "exact" takes a product
---a weight.
---Fields: value, low, high, standard_error, products.
---@param model swale.Model
---@param sample swale.Split|swale.Batch
---@param o? swale.TraceOptions
---@return swale.Estimate
function M.trace(model, sample, o)
  o = options.check("measure.trace", o, TRACE)
  local most, sketched = most_probes(o)
  local h = curvature.of("measure.trace", model, sample, o)
  if o.method == "exact" then return exactly(h) end
  local random, rest = h.subject:random(), draws.new()
  local known, q = sketch(h, sketched, random)
  draws.until_enough(most - 2 * sketched, o.relative_error and function()
    local low, high = rest:interval()
    return (high - low) / 2 <= o.relative_error * math.abs(known + rest:mean())
  end, function()
    local v = q:remove(draws.signs(h.n, random))
    rest:add(v:dot(h(v)))
  end)
  return rest:estimate({ target = h:target "trace", products = h.products, method = o.method }, 1,
    known)
end

-- ------------------------------------------------------------------ diagonal

---@class swale.DiagonalOptions: swale.CurvatureOptions
---@field probes? integer             products; 32

---@class swale.Diagonal
---@field values swale.Tensor         float64, an estimate for each selected weight
---@field standard_errors swale.Tensor   of each
---@field probes integer
---@field target string
local Diagonal = class.new("diagonal", { fields = { "values", "standard_errors", "probes",
  "target" } })

function Diagonal:__tostring()
  return ("%s: %d elements, %d probes"):format(self.target, #self.values, self.probes)
end

local DIAGONAL = curvature.spec { probes = { "count", 32 } }

---The diagonal of H from the means of v * Hv over random signs v (Bekas et al. 2007). The variance
---of element i is the sum of h_ij^2 over all j but i, a probe. A product a probe, and memory for
---two vectors.
---    local d = sw.measure.diagonal(model, data.train, { probes = 8 })
---    print(d.values, d.standard_errors, d:estimate(7))
---@param model swale.Model
---@param sample swale.Split|swale.Batch
---@param o? swale.DiagonalOptions
---@return swale.Diagonal
function M.diagonal(model, sample, o)
  o = options.check("measure.diagonal", o, DIAGONAL)
  if o.probes < 2 then
    errors.misuse "measure.diagonal: probes must be at least 2; an interval takes 6"
  end
  local h = curvature.of("measure.diagonal", model, sample, o)
  local random, mean = h.subject:random(), core.zeros({ h.n }, "float64")
  local squares = core.zeros({ h.n }, "float64")
  for m = 1, o.probes do
    local v = draws.signs(h.n, random)
    local x = v * h(v)
    local off = x - mean
    mean:add(1 / m, off)
    squares:add(1, off * (x - mean))
  end
  return setmetatable({ values = mean, probes = o.probes, target = h:target "diagonal",
    standard_errors = (squares * (1 / (o.probes - 1) / o.probes)):sqrt() }, Diagonal)
end

---Element i, with its own 95 % interval: of many, one in twenty lies outside of its own.
---@param i integer
---@return swale.Estimate
function Diagonal:estimate(i)
  local value, off = self.values:get(i), self.standard_errors:get(i)
  local reason = draws.too_few(self.probes)
  off = reason and math.huge or off * core.student_quantile(0.975, self.probes - 1)
  return estimate.new { value = value, low = value - off, high = value + off, signed = true,
    target = ("element %d of the %s"):format(i, self.target), reason = reason }
end

return M
