--- The spectrum by stochastic Lanczos quadrature (Ubaru et al. 2017): each probe, a random
--- vector v, gives nodes and weights of v'f(H)v / n, whose mean over probes is tr f(H) / n.
local class = require "swale.class"
local curvature = require "swale.measure.curvature"
local draws = require "swale.measure.draws"
local errors = require "swale.errors"
local figure = require "swale.plot.figure"
local lanczos = require "swale.measure.lanczos"
local lines = require "swale.measure.lines"
local options = require "swale.options"

local M = {}

---@class swale.DensityOptions: swale.CurvatureOptions
---@field probes? integer             8
---@field steps? integer              of Lanczos, a product each; 80
---@field width? number               deviation of the Gaussian that smooths; the range over steps

---@class swale.Density
---@field nodes number[]              of all probes
---@field weights number[]            theirs; the sum is 1
---@field low number                  the smallest node
---@field high number                 the largest one
---@field width number
---@field mean swale.Estimate         of the eigenvalues, tr(H) / n
---@field n integer                   eigenvalues
---@field products integer
---@field target string
local Density = class.new("density", { fields = { "nodes", "weights", "low", "high", "width",
  "mean", "n", "products", "target" } })

function Density:__tostring()
  return lines.of(self, { { "target", "of" }, { "n", "eigenvalues" },
    { "low", "smallest node" }, { "high", "largest node" }, { "mean" }, { "products" } })
end

local SPEC = curvature.spec { probes = { "count", 8 }, steps = { "count", 80 },
  width = "positive?" }

--- Joins the probes' nodes.
local function gather(self, runs)
  for _, run in ipairs(runs) do
    for i, node in ipairs(run.nodes) do
      self.nodes[#self.nodes + 1] = node
      self.weights[#self.weights + 1] = run.weights[i] / #runs
      self.low, self.high = math.min(self.low, node), math.max(self.high, node)
    end
  end
end

--- The range over steps; of a single eigenvalue a small part of it.
local function width_of(self, steps)
  local range = self.high - self.low
  local least = 1e-6 * math.max(math.abs(self.low), math.abs(self.high))
  return math.max(range / steps, least > 0 and least or 1)
end

--- The mean over probes of the sum of weight f(node), times factor.
local function over_probes(self, f, factor, target)
  local each = draws.new()
  for _, run in ipairs(self.runs) do
    local sum = 0
    for i, node in ipairs(run.nodes) do sum = sum + run.weights[i] * f(node) end
    each:add(sum)
  end
  return each:estimate({ target = target }, factor)
end

---The density of the eigenvalues, smoothed by a Gaussian. Each probe starts Lanczos's method, with
---full re-orthogonalisation, at a vector of random signs. Costs probes * steps products, and memory
---for `steps` vectors in float64. Intervals are over the probes, 95 %.
---    local spectrum = sw.measure.density(model, data.train, { probes = 8, steps = 20 })
---    print(spectrum.mean, spectrum:at(0))
---@param model swale.Model
---@param sample swale.Split|swale.Batch
---@param o? swale.DensityOptions
---@return swale.Density
function M.density(model, sample, o)
  o = options.check("measure.density", o, SPEC)
  if o.probes < 2 then
    errors.misuse "measure.density: probes must be at least 2; an interval takes 6"
  end
  local h, runs = curvature.of("measure.density", model, sample, o), {}
  local random = h.subject:random()
  for i = 1, o.probes do
    local nodes, weights = lanczos.quadrature(h, draws.signs(h.n, random), o.steps)
    runs[i] = { nodes = nodes, weights = weights }
  end
  local self = setmetatable({ nodes = {}, weights = {}, low = math.huge, high = -math.huge,
    runs = runs, n = h.n, products = h.products, target = h:target "spectrum" }, Density)
  gather(self, runs)
  self.width = o.width or width_of(self, o.steps)
  self.mean = over_probes(self, function(x) return x end, 1, h:target "mean eigenvalue")
  return self
end

---The smoothed density at x; its integral is 1.
---@param x number
---@return swale.Estimate
function Density:at(x)
  options.value("density:at", "x", x, "number")
  local scale = 1 / (self.width * math.sqrt(2 * math.pi))
  return over_probes(self, function(node)
    return scale * math.exp(-0.5 * ((x - node) / self.width) ^ 2)
  end, 1, ("density at %g of the %s, smoothed by %.3g"):format(x, self.target, self.width))
end

---The sum of f over all eigenvalues: of function(x) return x end the trace. The quadrature is exact
---for polynomials of degree 2 steps - 1; the interval is over the probes.
---@param f fun(eigenvalue: number): number
---@return swale.Estimate
function Density:sum(f)
  options.value("density:sum", "f", f, "function")
  return over_probes(self, f, self.n, "sum over the " .. self.target)
end

local POINTS <const> = 400
local DECADES <const> = 7 -- of the picture, below the highest point

---Draws the density on a logarithmic axis, with the interval as a band.
---@param file string                 .svg, .png or .pdf
---@return string file
function Density:plot(file)
  options.value("density:plot", "file", file, "string")
  local first, x, y, low, high = self.low - 3 * self.width, {}, {}, {}, {}
  local step, top = (self.high + 3 * self.width - first) / (POINTS - 1), 0
  for i = 1, POINTS do
    x[i] = first + (i - 1) * step
    local e = self:at(x[i])
    y[i], low[i], high[i] = e.value, e.low, e.high
    top = math.max(top, e.value)
  end
  local bottom = top * 10 ^ -DECADES
  for i = 1, POINTS do
    y[i], low[i] = y[i] > bottom and y[i] or 0 / 0, math.max(low[i], bottom)
  end
  return figure.plot { x = x, y = y, low = low, high = high, y_log = true, file = file,
    y_range = { bottom, 3 * top }, x_label = "eigenvalue", y_label = "density",
    title = self.target }
end

return M
