--- Gaussian mixtures: a cloud of the same shape for each class, all equally likely.
---
---     x = m_y + spread z,   z ~ N(0, I),   |m_c| = 1 in random directions, unless given
---
--- The best classifier takes the nearest mean. For two classes it is right with probability
--- Phi(|m_1 - m_2| / (2 spread)); for more this is measured on fresh draws.
---
---     known.means     (classes, features)
---     known.spread
---     known.rule(x)   the Bayes classifier: labels, int32
---     known.bayes()   its accuracy, and the standard error of that: 0 for two classes
local core = require "swale.core"
local errors = require "swale.errors"
local ops = require "swale.ops"
local options = require "swale.options"
local sampling = require "swale.data.sampling"

local M = {}

---@class swale.MixtureOptions: swale.SizeOptions
---@field classes? integer          2
---@field features? integer         2
---@field spread? number            deviation of each coordinate (0.5)
---@field means? number[][]|swale.Tensor    (classes, features), instead of the two

local SPEC = sampling.spec { classes = { "count", 2 }, features = { "count", 2 },
  spread = { "positive", 0.5 }, means = "table|tensor?" }

local function random_means(o)
  local means = sampling.normal({ o.classes, o.features }, core.random(o.seed, "mixture/means"), 1)
  for c = 1, o.classes do
    local row = means:select(1, c)
    row:scale(1 / row:norm())
  end
  return means
end

local function means_of(o)
  if not o.means then return random_means(o) end
  local means = core.type(o.means) == "tensor" and o.means:to "float32" or core.tensor(o.means)
  if means:ndim() ~= 2 then
    errors.misuse("gaussian_mixture: means are one row a class, (classes, features)")
  end
  return means
end

local DRAWS = 200000   -- of examples
local NUMBERS = 2e7    -- but at most so many normal numbers

local function bayes(means, spread, rule, draw, seed)
  local classes, features = #means, means:shape()[2]
  if classes == 2 then
    local difference = (means:select(1, 1) - means:select(1, 2)):norm()
    return sampling.normal_cdf(difference / (2 * spread)), 0
  end
  local stream = core.random(seed, "mixture/bayes")
  local n = math.tointeger(math.max(10000, math.min(DRAWS, NUMBERS // features)))
  return sampling.accuracy(n, function(k)
    local part = draw(k, stream)
    return part.x, part.y
  end, rule)
end

--- argmax_c  x . m_c - |m_c|^2 / 2
local function nearest_mean(means)
  local half = ops.sumsq(means, 2):scale(0.5)
  return function(x)
    return ops.argmax(ops.matmul(x, means, { transpose_b = true }) - half)
  end
end

---@param o? swale.MixtureOptions
---@return swale.Data
function M.new(o)
  o = options.check("gaussian_mixture", o, SPEC)
  local means = means_of(o)
  local classes, features = #means, means:shape()[2]
  if classes < 2 then errors.misuse "gaussian_mixture: needs at least two classes" end
  local function draw(n, stream)
    local y = sampling.labels(n, classes, stream)
    return { x = sampling.normal({ n, features }, stream, o.spread):add(1, ops.gather(means, y)),
      y = y }
  end
  local rule = nearest_mean(means)
  local parts = sampling.parts("mixture", o, draw)
  local data = require("swale.data").from_tensors { name = "gaussian mixture", classes = classes,
    train = parts.train, valid = parts.valid, test = parts.test }
  data.known = { means = means, spread = o.spread, rule = rule,
    bayes = sampling.once(function() return bayes(means, o.spread, rule, draw, o.seed) end) }
  return data
end

return M
