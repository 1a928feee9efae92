--- Eigenpairs at the ends of the Hessian's spectrum, or of its Gauss-Newton form, by ARPACK.
local curvature = require "swale.measure.curvature"
local eigsh = require "swale.eigsh"
local errors = require "swale.errors"
local estimate = require "swale.estimate"
local options = require "swale.options"

local M = {}

---@class swale.EigenvaluesOptions: swale.CurvatureOptions
---@field k? integer                  pairs of an end; 1
---@field which? "largest"|"smallest"|"both"   algebraically; "largest"
---@field tolerance? number           largest residual of a pair, relative to its eigenvalue; 1e-3
---@field subsets? integer            disjoint random parts of the sample for the spread; 0: none
---@field restarts? integer           of ARPACK, at most; 300

---@class swale.Eigenvalue: swale.Estimate
---@field residual number             |H v - value v|
---@field vector swale.Tensor         v: float64, flat, of norm 1; 0 along weights not selected
---@field products integer            Hessian products for all pairs
---@field spread swale.Spread|nil     over subsets

---@class swale.Spread                 the same eigenvalue on subsets of the sample: not an interval
---@field values number[]
---@field mean number
---@field deviation number
---@field examples integer            of each subset, at least

local SPEC = curvature.spec { k = { "count", 1 }, tolerance = { "positive", 1e-3 },
  which = { choice = { "largest", "smallest", "both" }, "largest" }, subsets = { "size", 0 },
  restarts = { "count", 300 } }

local WHERE <const> = "measure.eigenvalues"

--- Eigenvalues, columns and residuals, from the outside in: the largest first, then the smallest.
local function pairs_of(h, o)
  local k = o.which == "both" and 2 * o.k or o.k
  if k > h.n then
    errors.misuse("%s: k = %d asks for %d eigenvalues, there are %d", WHERE, o.k, k, h.n)
  end
  local w, v, info = eigsh.eigsh(h, h.n, { k = k, which = o.which, tolerance = o.tolerance,
    seed = o.seed, restarts = o.restarts })
  local found, n = {}, #w
  local function add(i)
    found[#found + 1] = { value = w:get(i), vector = v:select(2, i):contiguous(),
      residual = info.residuals:get(i) }
  end
  if o.which ~= "smallest" then
    for i = n, o.which == "both" and n // 2 + 1 or 1, -1 do add(i) end
  end
  if o.which ~= "largest" then for i = 1, o.which == "both" and n // 2 or n do add(i) end end
  return found, k
end

local function missing(h, o)
  return estimate.new { signed = true, interval = "bound", target = h:target "eigenvalue",
    products = h.products, reason = ("did not converge to %g in %d restarts"):format(o.tolerance,
      o.restarts) }
end

local function bounded(h, found)
  return estimate.new { value = found.value, low = found.value - found.residual, signed = true,
    high = found.value + found.residual, interval = "bound", residual = found.residual,
    vector = h.subject:expand(found.vector), products = h.products,
    target = h:target "eigenvalue" }
end

-- ------------------------------------------------------------------ subsets

--- Disjoint random parts of the sample.
local function subsets_of(subject, count)
  local size, order = subject.n // count, subject:random(1):permutation(subject.n)
  if size < 1 then
    errors.misuse("%s: %d subsets of %d examples", WHERE, count, subject.n)
  end
  local list = {}
  for i = 1, count do list[i] = subject:batch(order:narrow(1, (i - 1) * size + 1, size)) end
  return list, size
end

local function spread_of(values, size)
  local mean, squares = 0, 0
  for _, x in ipairs(values) do mean = mean + x / #values end
  for _, x in ipairs(values) do squares = squares + (x - mean) ^ 2 end
  return { values = values, mean = mean, examples = size,
    deviation = math.sqrt(squares / (#values - 1)) }
end

local function add_spreads(estimates, h, model, o)
  local subsets, size = subsets_of(h.subject, o.subsets)
  local values = {}
  for i = 1, #estimates do values[i] = {} end
  for _, sample in ipairs(subsets) do
    for i, found in ipairs((pairs_of(curvature.of(WHERE, model, sample, o), o))) do
      values[i][#values[i] + 1] = found.value
    end
  end
  for i, e in ipairs(estimates) do e.spread = spread_of(values[i], size) end
end

--- A list that prints a line for each of its estimates.
local Listed = {}

function Listed:__tostring()
  local list = {}
  for i, e in ipairs(self) do
    list[i] = tostring(e)
    if e.spread then
      list[i] = ("%s; on %d subsets of %d examples %.4g, deviation %.2g"):format(list[i],
        #e.spread.values, e.spread.examples, e.spread.mean, e.spread.deviation)
    end
  end
  return table.concat(list, "\n")
end

---The k algebraically largest or smallest eigenvalues: a list of estimates, from the end inwards;
---of "both" first the largest, then the smallest ones. The interval is a bound: an eigenvalue of
---the matrix on this sample lies within the residual of the value. In float32 the products
---themselves carry rounding of about 1e-6 of the largest eigenvalue. The spread over subsets is no
---interval: the largest eigenvalue of a subset is biased upwards. Some 10 to 50 products for one
---pair; up to 20 weights: a product each.
---    local top = sw.measure.eigenvalues(model, data.train:sample(1000), { k = 5 })
---    print(top[1], top[1].residual)
---@param model swale.Model
---@param sample swale.Split|swale.Batch
---@param o? swale.EigenvaluesOptions
---@return swale.Eigenvalue[]
function M.eigenvalues(model, sample, o)
  o = options.check(WHERE, o, SPEC)
  if o.subsets == 1 then errors.misuse("%s: subsets must be 0 or at least 2, not 1", WHERE) end
  local h = curvature.of(WHERE, model, sample, o)
  local found, k = pairs_of(h, o)
  local list = {}
  for i = 1, k do list[i] = found[i] and bounded(h, found[i]) or missing(h, o) end
  if o.subsets > 0 then add_spreads(list, h, model, o) end
  return setmetatable(list, Listed)
end

return M
