--- The noisy quadratic: a training problem whose answers are all known.
---
---     l_i(w) = 1/2 (w - x_i)' H (w - x_i),   H = diag(h),   g_i = H (w - x_i)
---
--- The n examples x_i are normal noise, shifted and scaled so that, over the data set, their mean
--- is 0 and coordinate j of g_i has the variance sigma_j^2 (with n - 1), up to rounding. Hence
---
---     L(w) = 1/2 w' H w + const,   G = H w,   tr(Sigma) = sum of sigma_j^2,
---     B_simple = tr(Sigma) / |G|^2
---
--- (McCandlish et al. 2018, eq. 2.9). A Trainer runs on it as on any data: problem.data, :model(),
--- problem.loss. With matrices instead of eigenvalues: see swale.data.quadratic_dense.
local answers = require "swale.data.answers"
local class = require "swale.class"
local core = require "swale.core"
local errors = require "swale.errors"
local options = require "swale.options"

local M = {}

---@class swale.QuadraticOptions
---@field h? number[]         eigenvalues of the Hessian; or
---@field dimensions? integer their number, with
---@field power? number       h_j = j^-power (1)
---@field sigma? number|number[]   deviation of each coordinate of an example's gradient (1)
---@field hessian? swale.Tensor|number[][]      instead of these: H, (d, d), symmetric, and
---@field covariance? swale.Tensor|number[][]   Sigma at w = 0, (d, d), positive semidefinite
---@field spread? swale.Tensor|number[][]       with them: K, if example i has H + s_i K
---@field n? integer          examples (1000)
---@field seed? integer       1

---@class swale.Quadratic
---@field data swale.Data     only a training split; its targets are not used
---@field loss swale.LossFunction
---@field h number[]
---@field sigma number[]
---@field trace number        tr(Sigma), exact
local Quadratic = class.new("quadratic", { fields = { "data", "loss", "h", "sigma", "trace" } })

local SPEC = { h = "table?", dimensions = "count?", power = { "number", 1 },
  sigma = { "positive|table", 1 }, n = { "count", 1000 }, seed = { "integer", 1 } }

---Eigenvalues from options: h, or dimensions and power.
---@param where string
---@param o { h: number[]?, dimensions: integer?, power: number }
---@return number[]
function M.eigenvalues(where, o)
  local h = o.h
  if not h then
    if not o.dimensions then
      errors.misuse("%s: needs h = { … }, the eigenvalues, or dimensions, their number", where)
    end
    h = {}
    for j = 1, o.dimensions do h[j] = j ^ -o.power end
  end
  if #h == 0 then errors.misuse("%s: h is empty", where) end
  for j, value in ipairs(h) do options.value(where, ("h[%d]"):format(j), value, "positive") end
  return h
end

local function deviations(o, d)
  local sigma = {}
  for j = 1, d do
    local value = type(o.sigma) == "table" and o.sigma[j] or o.sigma
    sigma[j] = options.value("noisy_quadratic", ("sigma[%d]"):format(j), value, "positive")
  end
  if type(o.sigma) == "table" and #o.sigma ~= d then
    errors.misuse("noisy_quadratic: sigma must be a number or %d numbers, got %d", d, #o.sigma)
  end
  return sigma
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

--- (n, d): column j has deviation sigma_j / h_j.
local function examples(h, sigma, o)
  local rows = {}
  for i = 1, o.n do rows[i] = {} end
  for j, hj in ipairs(h) do
    local z = standard_normals(core.random(o.seed, "quadratic", j), o.n)
    for i = 1, o.n do rows[i][j] = z[i] * sigma[j] / hj end
  end
  return core.tensor(rows)
end

local function sum_of_squares(list)
  local sum = 0
  for _, value in ipairs(list) do sum = sum + value ^ 2 end
  return sum
end

---@param o swale.QuadraticOptions
---@return swale.Quadratic|swale.DenseQuadratic
function M.new(o)
  if type(o) == "table" and o.hessian ~= nil then
    return require("swale.data.quadratic_dense").new(o)
  end
  o = options.check("noisy_quadratic", o, SPEC)
  if o.n < 2 then errors.misuse "noisy_quadratic: n must be at least 2" end
  local h = M.eigenvalues("noisy_quadratic", o)
  local sigma = deviations(o, #h)
  local x = examples(h, sigma, o)
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
  return setmetatable({ data = data, loss = loss, h = h, sigma = sigma,
    trace = sum_of_squares(sigma) }, Quadratic)
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
local function values_of(self, where, w) return answers.point(where, w, #self.h):table() end

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
  return sum_of_squares(self:gradient(w))
end

---L(w), the mean of l_i over the data set.
---@param w number[]|swale.Tensor
---@return number
function Quadratic:loss_at(w)
  local sum, n = 0, #self.data.train
  for j, value in ipairs(values_of(self, "quadratic:loss_at", w)) do
    local spread = (self.sigma[j] / self.h[j]) ^ 2 * (n - 1) / n
    sum = sum + 0.5 * self.h[j] * (value ^ 2 + spread)
  end
  return sum
end

---B_simple(w) = tr(Sigma) / |G(w)|^2.
---@param w number[]|swale.Tensor
---@return number
function Quadratic:noise_scale(w) return self.trace / self:gradient_squared(w) end

local function diagonal(list)
  local m = core.zeros({ #list, #list }, "float64")
  for j, value in ipairs(list) do m:set(j, j, value) end
  return m
end

---What is known at w: gradient, Hessian, covariance, noise scales. See swale.data.answers.
---@param w number[]|swale.Tensor
---@return swale.Answers
function Quadratic:exact(w)
  local squares = {}
  for j, value in ipairs(self.sigma) do squares[j] = value ^ 2 end
  return answers.of { loss = self:loss_at(w), gradient = core.tensor(self:gradient(w), "float64"),
    hessian = diagonal(self.h), covariance = diagonal(squares) }
end

local PLAIN = { lr = "positive", batch_size = "count", momentum = { "nonnegative", 0 } }

--- A batch drawn with replacement has the variance of the n examples, n in its denominator.
local function batch_variance(self, j, batch_size)
  local n = #self.data.train
  return self.sigma[j] ^ 2 * (n - 1) / n / batch_size
end

---The stationary law of SGD at constant rate eps and momentum m, for batches of B examples drawn
---independently: w_j has mean 0 and the variance
---
---    v_j = eps (1 + m) c_j / (h_j (1 - m) (2 (1 + m) - eps h_j)),   c_j = variance of the batch's
---
---gradient, and E|G|^2 = sum of h_j^2 v_j; at m = 0 that is sum of eps h_j c_j / (2 - eps h_j).
---@param o { lr: number, batch_size: integer, momentum?: number }
---@return { signal: number, deviations: number[], loss: number } known   E|G|^2; sqrt(v_j); E[L]
function Quadratic:stationary(o)
  o = options.check("quadratic:stationary", o, PLAIN)
  local m, known = o.momentum, { signal = 0, deviations = {} }
  known.loss = self:loss_at(core.zeros { #self.h })
  for j, h in ipairs(self.h) do
    local room = 2 * (1 + m) - o.lr * h
    if room <= 0 or m >= 1 then
      errors.misuse("quadratic:stationary: SGD diverges: lr must be below %g, and momentum below 1",
        2 * (1 + m) / h)
    end
    local v = o.lr * (1 + m) * batch_variance(self, j, o.batch_size) / (h * (1 - m) * room)
    known.deviations[j] = math.sqrt(v)
    known.signal = known.signal + h ^ 2 * v
    known.loss = known.loss + 0.5 * h * v
  end
  return known
end

return M
