--- The noisy quadratic: a training problem whose answers are all known.
---
---     l_i(w) = 1/2 (w - x_i)' H (w - x_i),   H = diag(h),   g_i = H (w - x_i)
---
--- The n examples x_i are normal noise, shifted and scaled so that, over the data set, their mean
--- is 0 and coordinate j of g_i has the variance sigma^2 (with n - 1), up to rounding. Hence
---
---     L(w) = 1/2 w' H w + const,   G = H w,   tr(Sigma) = d sigma^2,
---     B_simple = tr(Sigma) / |G|^2
---
--- (McCandlish et al. 2018, eq. 2.9). A Trainer runs on it as on any data: problem.data, :model(),
--- problem.loss.
local class = require "swale.class"
local core = require "swale.core"
local errors = require "swale.errors"
local options = require "swale.options"

local M = {}

---@class swale.QuadraticOptions
---@field h? number[]         eigenvalues of the Hessian; or
---@field dimensions? integer their number, with
---@field power? number       h_j = j^-power (1)
---@field sigma? number       deviation of each coordinate of an example's gradient (1)
---@field n? integer          examples (1000)
---@field seed? integer       1

---@class swale.Quadratic
---@field data swale.Data     only a training split; its targets are not used
---@field loss swale.LossFunction
---@field h number[]
---@field sigma number
---@field trace number        tr(Sigma), exact
local Quadratic = class.new("quadratic", { fields = { "data", "loss", "h", "sigma", "trace" } })

local SPEC = { h = "table?", dimensions = "count?", power = { "number", 1 },
  sigma = { "positive", 1 }, n = { "count", 1000 }, seed = { "integer", 1 } }

local function eigenvalues(o)
  local h = o.h
  if not h then
    if not o.dimensions then
      errors.misuse "noisy_quadratic: needs h = { … }, the eigenvalues, or dimensions, their number"
    end
    h = {}
    for j = 1, o.dimensions do h[j] = j ^ -o.power end
  end
  if #h == 0 then errors.misuse "noisy_quadratic: h is empty" end
  for j, value in ipairs(h) do
    options.value("noisy_quadratic", ("h[%d]"):format(j), value, "positive")
  end
  return h
end

--- n numbers of mean 0 and variance 1 (with n - 1), up to rounding.
local function standard_normals(stream, n)
  local z, mean, squares = {}, 0, 0
  for i = 1, n do
    z[i] = stream:normal()
    mean = mean + z[i] / n
  end
  for i = 1, n do
    z[i] = z[i] - mean
    squares = squares + z[i] ^ 2
  end
  local scale = math.sqrt((n - 1) / squares)
  for i = 1, n do z[i] = z[i] * scale end
  return z
end

--- (n, d): column j has deviation sigma / h_j.
local function examples(h, o)
  local rows = {}
  for i = 1, o.n do rows[i] = {} end
  for j, hj in ipairs(h) do
    local z = standard_normals(core.random(o.seed, "quadratic", j), o.n)
    for i = 1, o.n do rows[i][j] = z[i] * o.sigma / hj end
  end
  return core.tensor(rows)
end

---@param o swale.QuadraticOptions
---@return swale.Quadratic
function M.new(o)
  o = options.check("noisy_quadratic", o, SPEC)
  if o.n < 2 then errors.misuse "noisy_quadratic: n must be at least 2" end
  local h = eigenvalues(o)
  local x = examples(h, o)
  local data = require("swale.data").from_tensors { name = "noisy quadratic",
    train = { x = x, y = x } }
  local curvature = core.tensor(h)
  local function loss(output)
    if not core.type(output) then
      errors.misuse("quadratic.loss: output must be a tensor or a node, not %s",
        errors.shown(output))
    end
    return (output * output * curvature):sum(-1) * 0.5
  end
  return setmetatable({ data = data, loss = loss, h = h, sigma = o.sigma,
    trace = #h * o.sigma ^ 2 }, Quadratic)
end

---A model whose only parameter is w, which starts at `start`.
---@param start? number|number[]   every coordinate (1), or each
---@return swale.Layer
function Quadratic:model(start)
  local w = type(start) == "table" and core.tensor(start)
    or core.zeros({ #self.h }):fill(start --[[@as number]] or 1)
  local function difference(x, p) return p.w - x end
  return require("swale.nn").Lambda(difference, { w = w })
end

--- The coordinates of a point: one for each eigenvalue.
local function values_of(self, where, w)
  local values = core.type(w) == "tensor" and w:ndim() == 1 and w:table() or w
  if type(values) ~= "table" or #values ~= #self.h then
    errors.misuse("%s: w must be a list or a tensor of %d numbers, got %s", where, #self.h,
      errors.shown(w))
  end
  for i, value in ipairs(values) do
    if type(value) ~= "number" then
      errors.misuse("%s: w[%d] must be a number, got %s", where, i, errors.shown(value))
    end
  end
  return values
end

---G(w) = H w.
---@param w number[]|swale.Tensor
---@return number[]
function Quadratic:gradient(w)
  local g = {}
  for j, value in ipairs(values_of(self, "quadratic:gradient", w)) do g[j] = self.h[j] * value end
  return g
end

---|G(w)|^2.
---@param w number[]|swale.Tensor
---@return number
function Quadratic:gradient_squared(w)
  local sum = 0
  for _, g in ipairs(self:gradient(w)) do sum = sum + g ^ 2 end
  return sum
end

---L(w), the mean of l_i over the data set.
---@param w number[]|swale.Tensor
---@return number
function Quadratic:loss_at(w)
  local sum, n = 0, #self.data.train
  for j, value in ipairs(values_of(self, "quadratic:loss_at", w)) do
    local spread = (self.sigma / self.h[j]) ^ 2 * (n - 1) / n
    sum = sum + 0.5 * self.h[j] * (value ^ 2 + spread)
  end
  return sum
end

---B_simple(w) = tr(Sigma) / |G(w)|^2.
---@param w number[]|swale.Tensor
---@return number
function Quadratic:noise_scale(w) return self.trace / self:gradient_squared(w) end

return M
