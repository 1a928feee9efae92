--- Noise scales of optimizers whose steps have another norm than the gradient's: in the dual norm,
--- noise over signal, squared. A batch of so many examples has as much noise as signal.
local class = require "swale.class"
local core = require "swale.core"
local errors = require "swale.errors"
local ops = require "swale.ops"
local options = require "swale.options"
local subjects = require "swale.measure.subject"

local M = {}

local WHERE <const> = "measure.dual_noise"

---@class swale.DualNoise
---@field norm "sign"|"spectral"
---@field value number            in examples
---@field noise number            |sigma|_1; or the sum over matrices of |C^1/2|_S1
---@field signal number           |G|_1; or the sum over matrices of |G|_S1
---@field parameters table<string, number>   the scale of each parameter alone
---@field target string
local DualNoise = class.new("dual_noise", { fields = { "norm", "value", "noise", "signal",
  "parameters", "target" } })

function DualNoise:__tostring()
  return ("%s noise scale %.4g of %s"):format(self.norm, self.value, self.target)
end

-- ------------------------------------------------------------------ the two norms

--- What each norm keeps of a parameter's gradients (as a matrix or a vector, float64), and its
--- noise and signal at the end. sum: of all n gradients.
local NORMS = {}

NORMS.sign = {
  takes = function() return true end,
  start = function(s) return core.zeros({ s.size }, "float64") end,
  add = function(kept, g) kept:add(1, g * g) end,
  finish = function(kept, sum, n)
    local variance = (kept - sum * sum * (1 / n)) * (1 / (n - 1))
    return ops.sum(ops.sqrt(ops.maximum(variance, 0))):item(), ops.sum(ops.abs(sum)):item() / n
  end,
}

local function matrix_of(s, g) return g:reshape { s.shape[1], s.size // s.shape[1] } end

local function sum_of_roots(values)
  return ops.sum(ops.sqrt(ops.maximum(values, 0))):item()
end

NORMS.spectral = {
  takes = function(s) return #s.shape >= 2 end,
  start = function(s) return core.zeros({ s.shape[1], s.shape[1] }, "float64") end,
  add = function(kept, g, s)
    local m = matrix_of(s, g)
    kept:add(1, ops.matmul(m, m, { transpose_b = true }))
  end,
  finish = function(kept, sum, n, s)
    local linalg, m = require "swale.linalg", matrix_of(s, sum)
    local outer = ops.matmul(m, m, { transpose_b = true })
    local covariance = (kept - outer * (1 / n)) * (1 / (n - 1))
    local _, singular = linalg.svd(m)
    return sum_of_roots(linalg.eigvalsh(covariance)), ops.sum(singular):item() / n
  end,
}

-- ------------------------------------------------------------------ measuring

local function check_whole(o, subject, sample)
  local of = o.of or sample.drawn_from or subject.n
  if subject.whole then
    errors.misuse("%s: the examples are coupled: none has a gradient of its own; mode = \"eval\""
      .. " uses running statistics of batch norms", WHERE)
  elseif subject.n < 2 then
    errors.misuse("%s: one example has no noise within it: 2 are needed", WHERE)
  elseif of ~= subject.n then
    errors.misuse("%s: the sample has %d of %d examples: the norm of a noisy mean is too large, so"
      .. " this needs all of them; of = %d says that these are all", WHERE, subject.n, of,
      subject.n)
  end
end

--- The parameters that a norm takes, and what it keeps of each.
local function places_of(subject, norm)
  local list = {}
  for _, i in ipairs(subject:parameters()) do
    local s = subject.model.segments[i]
    if norm.takes(s) then
      list[#list + 1] = { segment = s, kept = norm.start(s), sum = core.zeros({ s.size },
        "float64") }
    end
  end
  return #list > 0 and list or errors.misuse("%s: the spectral norm is of matrices, there are none",
    WHERE)
end

local function read(subject, norm, places)
  for batch in subject:parts(1) do
    local _, gradient = subject.compiled:value_and_gradient(subject.weights, batch)
    for _, p in ipairs(places) do
      local g = gradient:narrow(1, p.segment.offset, p.segment.size):to "float64"
      p.sum:add(1, g)
      norm.add(p.kept, g, p.segment)
    end
  end
end

---@class swale.DualNoiseOptions: swale.SubjectOptions
---@field norm? "sign"|"spectral"   "sign": of sign descent (and Adam, nearly); "spectral": of
---optimizers that orthogonalise the gradients of matrices
---@field of? integer               examples of the training set

---The noise scale in the dual norm of an optimizer's steps, exactly, of a whole training set:
---    sign        (|sigma|_1 / |G|_1)^2      sigma_j the deviation of coordinate j
---    spectral    (|C^1/2|_S1 / |G|_S1)^2    C = E (g_i - G)(g_i - G)' of a matrix
---S1 is the sum of singular values; matrices add up before the square. Of a part of the set the
---norm of the mean would be biased upwards: that is refused. Costs n gradients of one example.
---@param model swale.Model
---@param sample swale.Split|swale.Batch
---@param o? swale.DualNoiseOptions
---@return swale.DualNoise
function M.dual_noise(model, sample, o)
  o = options.check(WHERE, o, subjects.spec { norm = { choice = { "sign", "spectral" }, "sign" },
    of = "count?" })
  local subject, norm = subjects.of(WHERE, model, sample, o), NORMS[o.norm]
  check_whole(o, subject, sample)
  local places = places_of(subject, norm)
  read(subject, norm, places)
  local self = { norm = o.norm, noise = 0, signal = 0, parameters = {},
    target = ("the %d examples given"):format(subject.n) }
  for _, p in ipairs(places) do
    p.sum:add(subject.n * subject.weight_decay, subject.weights:narrow(1, p.segment.offset,
      p.segment.size):to "float64")
  end
  for _, p in ipairs(places) do
    local noise, signal = norm.finish(p.kept, p.sum, subject.n, p.segment)
    self.noise, self.signal = self.noise + noise, self.signal + signal
    self.parameters[p.segment.path] = (noise / signal) ^ 2
  end
  self.value = (self.noise / self.signal) ^ 2
  return setmetatable(self, DualNoise)
end

return M
