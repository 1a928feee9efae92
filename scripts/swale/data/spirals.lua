--- Two spirals: two classes, arms that wind around each other `turns` times.
---
---     r uniform in (0, 1],  angle = 2 pi turns r + pi y,  x = r (cos angle, sin angle) + noise z
---
---     known.gap       between neighbouring arms, along a ray: 1 / (2 turns)
---     known.rule(x)   the Bayes classifier: labels, int32
---     known.bayes()   its accuracy, and the standard error of that: 1, 0 without noise
---
--- Without noise the rule is exact. With it, the densities of the arms are sums over 1000 points of
--- each, and the accuracy is measured on fresh draws.
local core = require "swale.core"
local ops = require "swale.ops"
local options = require "swale.options"
local sampling = require "swale.data.sampling"

local M = {}

---@class swale.SpiralsOptions: swale.SizeOptions
---@field turns? number     1.5
---@field noise? number     deviation of each coordinate (0.02)

local SPEC = sampling.spec { turns = { "positive", 1.5 }, noise = { "nonnegative", 0.02 } }

local POINTS = 1000   -- of an arm, for its density
local DRAWS = 20000   -- for the accuracy

local function point(turns, r, arm)
  local angle = 2 * math.pi * turns * r + math.pi * arm
  return { r * math.cos(angle), r * math.sin(angle) }
end

--- Points of an arm have its angle, up to rounding.
local function exact_rule(turns)
  return function(x)
    local labels = {}
    for i, p in ipairs(x:table()) do
      local r, angle = math.sqrt(p[1] ^ 2 + p[2] ^ 2), math.atan(p[2], p[1])
      labels[i] = math.floor((angle - 2 * math.pi * turns * r) / math.pi + 0.5) % 2
    end
    return core.tensor(labels, "int32")
  end
end

--- log sum_k e^(-|x - c_k|^2 / (2 noise^2)) for the points c_k of an arm, without -|x|^2 /
--- (2 noise^2), which is the same for both arms.
local function log_density(x, arm, noise)
  local exponent = (ops.matmul(x, arm.points, { transpose_b = true }) - arm.half) / noise ^ 2
  local largest = ops.max(exponent, 2, true)
  return ops.log(ops.sum(ops.exp(exponent - largest), 2)) + ops.max(exponent, 2)
end

local function arm_of(turns, y)
  local points = {}
  for k = 1, POINTS do points[k] = point(turns, (k - 0.5) / POINTS, y) end
  local t = core.tensor(points)
  return { points = t, half = ops.sumsq(t, 2):scale(0.5) }
end

local function noisy_rule(turns, noise)
  local one, two = arm_of(turns, 0), arm_of(turns, 1)
  return function(x)
    return ops.lt(log_density(x, one, noise), log_density(x, two, noise)):to "int32"
  end
end

local function drawer(o)
  return function(n, stream)
    local y, points = sampling.labels(n, 2, stream), {}
    for i, label in ipairs(y:table()) do points[i] = point(o.turns, 1 - stream:uniform(), label) end
    local x = core.tensor(points)
    return { x = o.noise > 0 and x:add(1, sampling.normal({ n, 2 }, stream, o.noise)) or x, y = y }
  end
end

local function bayes(o, rule, draw)
  if o.noise == 0 then return 1, 0 end
  local stream = core.random(o.seed, "spirals/bayes")
  return sampling.accuracy(DRAWS, function(n)
    local part = draw(n, stream)
    return part.x, part.y
  end, rule)
end

---@param o? swale.SpiralsOptions
---@return swale.Data
function M.new(o)
  o = options.check("two_spirals", o, SPEC)
  local draw = drawer(o)
  local rule = o.noise == 0 and exact_rule(o.turns) or noisy_rule(o.turns, o.noise)
  local parts = sampling.parts("spirals", o, draw)
  local data = require("swale.data").from_tensors { name = "two spirals", classes = 2,
    train = parts.train, valid = parts.valid, test = parts.test }
  data.known = { gap = 1 / (2 * o.turns), rule = rule,
    bayes = sampling.once(function() return bayes(o, rule, draw) end) }
  return data
end

return M
