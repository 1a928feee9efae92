--- The noisy quadratic model (Zhang et al. 2019): SGD on a quadratic whose gradients have noise of
--- one covariance, in closed form and simulated.
---
---     L(theta) = 1/2 sum h_i theta_i^2,   g_i = h_i theta_i + noise of variance c_i / B
---
--- Coordinates do not depend on each other, and first and second moments are all there is to know.
local class = require "swale.class"
local core = require "swale.core"
local errors = require "swale.errors"
local estimate = require "swale.estimate"
local options = require "swale.options"
local rates = require "swale.nqm.rates"
local stationary = require "swale.nqm.stationary"

local M = {}

---@class swale.NQM
---@field h number[]
---@field c number[]
---@field start number[]     E theta_i^2 before the first step
local NQM = class.new("nqm", { name = "swale.NQM", fields = { "h", "c", "start" } })

function NQM:__tostring()
  return ("noisy quadratic model of %d dimensions"):format(#self.h)
end

---@class swale.NQMOptions
---@field h? number[]            eigenvalues of the Hessian; or
---@field dimensions? integer    their number, with
---@field power? number          h_i = i^-power; 1
---@field c? number[]            variance of coordinate i of one example's gradient; h
---@field start? number|number[] E theta_i^2 at the start; 1

local SPEC = { h = "table?", dimensions = "count?", power = { "number", 1 }, c = "table?",
  start = { "nonnegative|table", 1 } }

local function list_of(name, value, n, kind)
  if type(value) == "number" then
    local list = {}
    for i = 1, n do list[i] = value end
    return list
  end
  if #value ~= n then
    errors.misuse("nqm: %s needs %d numbers, one for each eigenvalue, got %d", name, n, #value)
  end
  for i, x in ipairs(value) do options.value("nqm", ("%s[%d]"):format(name, i), x, kind) end
  return value
end

---A noisy quadratic model:
---    local model = sw.nqm { dimensions = 100 }
---    local run = model:run { steps = 200, lr = 0.5, batch = 8 }
---    print(run.loss[#run.loss], model:stationary({ lr = 0.5, batch = 8 }).loss)
---@param o swale.NQMOptions
---@return swale.NQM
function M.new(o)
  o = options.check("nqm", o, SPEC)
  local h = require("swale.data.quadratic").eigenvalues("nqm", o)
  return setmetatable({ h = h, c = list_of("c", o.c or h, #h, "nonnegative"),
    start = list_of("start", o.start, #h, "nonnegative") }, NQM)
end

-- ------------------------------------------------------------------ steps

local RUN = { steps = "count", lr = "nonnegative|table|function",
  batch = { "positive|table|function", 1 }, momentum = { "nonnegative", 0 },
  average = "nonnegative?" }

--- A number, a list or a function of the step as a function of the step.
local function by_step(where, name, value, steps)
  if type(value) == "number" then return function() return value end end
  if type(value) == "table" then
    if #value < steps then
      errors.misuse("%s: %s has %d values for %d steps", where, name, #value, steps)
    end
    return function(t) return value[t] end
  end
  return function(t)
    return options.value(where, ("%s of step %d"):format(name, t), value(t), "nonnegative")
  end
end

local function check_run(where, o, spec)
  o = options.check(where, o, spec)
  if o.momentum >= 1 or o.average and o.average >= 1 then
    errors.misuse("%s: momentum and average must be below 1", where)
  end
  o.lr = by_step(where, "lr", o.lr, o.steps)
  o.batch = by_step(where, "batch", o.batch, o.steps)
  return o
end

--- Second moments of a coordinate: a = E theta^2, b = E theta v, v = E v^2; of an average m of the
--- iterates x = E m theta, y = E m v, z = E m^2.
local function begin(start) return { a = start, b = 0, v = 0, x = start, y = 0, z = start } end

--- One step:  v = momentum v + h theta + noise,  theta = theta - lr v,  m = decay m + (1 - decay)
--- theta.  The noise is independent of all that came before.
local function advance(s, h, noise, lr, momentum, decay)
  local crossed = momentum * s.b + h * s.a          -- E theta v, theta before the step
  local v = momentum * (momentum * s.v + 2 * h * s.b) + h * h * s.a + noise
  local meets = momentum * s.y + h * s.x            -- E m v
  s.a = s.a - 2 * lr * crossed + lr * lr * v
  s.b, s.v = crossed - lr * v, v
  if not decay then return end
  local before = s.x - lr * meets                   -- E m theta, m before the step
  s.z = decay * decay * s.z + 2 * decay * (1 - decay) * before + (1 - decay) ^ 2 * s.a
  s.x, s.y = decay * before + (1 - decay) * s.a, decay * meets + (1 - decay) * s.b
end

local function loss_of(h, states, key)
  local sum = 0
  for i, hi in ipairs(h) do sum = sum + 0.5 * hi * states[i][key] end
  return sum
end

---@class swale.NQMRun
---@field loss number[]          E L after each step; [0]: at the start
---@field average_loss? number[] of the moving average
---@field moments number[]       E theta_i^2 at the end

---@class swale.NQMRunOptions
---@field steps integer
---@field lr number|number[]|fun(step: integer): number     step from 1
---@field batch? number|number[]|fun(step: integer): number 1
---@field momentum? number       of the heavy ball, as in sw.optim.SGD; 0
---@field average? number        decay of an exponential moving average of the iterates

---The exact expected loss at each step. Without momentum
---    E theta_i^2 <- (1 - lr h_i)^2 E theta_i^2 + lr^2 c_i / B
---@param o swale.NQMRunOptions
---@return swale.NQMRun
function NQM:run(o)
  o = check_run("nqm:run", o, RUN)
  local states, run = {}, { loss = {}, moments = {} }
  for i in ipairs(self.h) do states[i] = begin(self.start[i]) end
  run.loss[0] = loss_of(self.h, states, "a")
  if o.average then run.average_loss = { [0] = run.loss[0] } end
  for t = 1, o.steps do
    local lr, batch = o.lr(t), o.batch(t)
    for i, h in ipairs(self.h) do
      advance(states[i], h, self.c[i] / batch, lr, o.momentum, o.average)
    end
    run.loss[t] = loss_of(self.h, states, "a")
    if o.average then run.average_loss[t] = loss_of(self.h, states, "z") end
  end
  for i, s in ipairs(states) do run.moments[i] = s.a end
  return run
end

local SIMULATE = { runs = { "count", 100 }, seed = { "integer", 1 } }
for name, entry in pairs(RUN) do SIMULATE[name] = entry end
SIMULATE.average = nil

--- One simulated run: the loss after each step.
local function simulate_one(self, o, k)
  local random, theta, v, losses = core.random(o.seed, "nqm", k), {}, {}, {}
  for i, m in ipairs(self.start) do theta[i], v[i] = math.sqrt(m), 0 end
  for t = 1, o.steps do
    local lr, batch, loss = o.lr(t), o.batch(t), 0
    for i, h in ipairs(self.h) do
      local g = h * theta[i] + math.sqrt(self.c[i] / batch) * random:normal()
      v[i] = o.momentum * v[i] + g
      theta[i] = theta[i] - lr * v[i]
      loss = loss + 0.5 * h * theta[i] ^ 2
    end
    losses[t] = loss
  end
  return losses
end

---Simulated runs from theta_i = sqrt(start_i), with normal noise: the mean loss over runs after
---each step, with its interval.
---@param o table    as run, with runs (100) and seed (1)
---@return swale.Estimate[] loss
function NQM:simulate(o)
  o = check_run("nqm:simulate", o, SIMULATE)
  if o.runs < 2 then errors.misuse "nqm:simulate: runs must be at least 2" end
  local sums, squares, result = {}, {}, {}
  for t = 1, o.steps do sums[t], squares[t] = 0, 0 end
  for k = 1, o.runs do
    for t, loss in ipairs(simulate_one(self, o, k)) do
      sums[t], squares[t] = sums[t] + loss, squares[t] + loss * loss
    end
  end
  local quantile = core.student_quantile(0.975, o.runs - 1)
  for t = 1, o.steps do
    local mean = sums[t] / o.runs
    local variance = math.max(0, squares[t] / o.runs - mean * mean) / (o.runs - 1)
    local half = quantile * math.sqrt(variance)
    result[t] = estimate.new { value = mean, low = mean - half, high = mean + half,
      target = "the expected loss" }
  end
  return result
end

-- ------------------------------------------------------------------ what others compute

NQM.stationary, NQM.averaged = stationary.stationary, stationary.averaged
NQM.best_step, NQM.best_schedule = rates.best_step, rates.best_schedule
NQM.steps_to, NQM.best_rate = rates.steps_to, rates.best_rate

return M
