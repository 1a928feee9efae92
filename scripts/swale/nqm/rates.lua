--- Learning rates of the noisy quadratic model that are best in some sense.
local errors = require "swale.errors"
local options = require "swale.options"

local M = {}

-- ------------------------------------------------------------------ one step

---The rate whose step lowers the expected loss most, and what it gains (McCandlish et al. 2018,
---eqs. 2.6 and 2.7):
---    eps_opt = |G|^2 / (G'HG + tr(H Sigma) / B) = eps_max / (1 + B_noise / B)
---all three as expectations over theta.
---@param self swale.NQM
---@param o { batch: number?, moments: number[]? }   moments: E theta_i^2; the start's
---@return number lr, number gain
function M.best_step(self, o)
  o = options.check("nqm:best_step", o, { batch = { "positive", 1 }, moments = "table?" })
  local moments, slope, curvature = o.moments or self.start, 0, 0
  for i, h in ipairs(self.h) do
    slope = slope + h ^ 2 * moments[i]
    curvature = curvature + h ^ 3 * moments[i] + h * self.c[i] / o.batch
  end
  if curvature == 0 then errors.misuse "nqm:best_step: neither gradient nor noise" end
  return slope / curvature, 0.5 * slope ^ 2 / curvature
end

-- ------------------------------------------------------------------ a schedule

--- Each rate in turn is set to its best value with the others held: the last loss is a parabola in
--- it, with the weights
---     w_i = h_i prod_(s > t) (1 - lr_s h_i)^2,
---     lr_t = sum w_i h_i m_i / sum w_i (h_i^2 m_i + c_i / B_t),   m_i before step t.
local function sweep(self, lr, batches)
  local n, weights = #lr, {}
  for i, h in ipairs(self.h) do
    local row, product = {}, h
    for t = n, 1, -1 do
      row[t] = product
      product = product * (1 - lr[t] * h) ^ 2
    end
    weights[i] = row
  end
  local m = table.move(self.start, 1, #self.start, 1, {})
  for t = 1, n do
    local above, below = 0, 0
    for i, h in ipairs(self.h) do
      local w = weights[i][t]
      above = above + w * h * m[i]
      below = below + w * (h * h * m[i] + self.c[i] / batches(t))
    end
    if below > 0 then lr[t] = above / below end
    for i, h in ipairs(self.h) do
      m[i] = (1 - lr[t] * h) ^ 2 * m[i] + lr[t] ^ 2 * self.c[i] / batches(t)
    end
  end
  local loss = 0
  for i, h in ipairs(self.h) do loss = loss + 0.5 * h * m[i] end
  return loss
end

local function batch_of(where, batch)
  if type(batch) == "number" then return function() return batch end end
  return function(t)
    return options.value(where, ("batch of step %d"):format(t), batch(t), "positive")
  end
end

---The rates of n steps of SGD without momentum that make the expected loss at the end least, by
---coordinate descent: each sweep over the steps lowers it, until by less than 1e-10 of it. It is a
---minimum in each rate; a better schedule elsewhere is not excluded. Cost: steps times coordinates
---a sweep, often hundreds of sweeps.
---@param self swale.NQM
---@param o { steps: integer, batch: number|fun(step: integer): number, sweeps: integer? }
---@return number[] lr, number loss, integer sweeps
function M.best_schedule(self, o)
  o = options.check("nqm:best_schedule", o, { steps = "count", batch = { "positive|function", 1 },
    sweeps = { "count", 2000 } })
  local batches, lr = batch_of("nqm:best_schedule", o.batch), {}
  for t = 1, o.steps do lr[t] = 0 end
  local before = math.huge
  for k = 1, o.sweeps do
    local loss = sweep(self, lr, batches)
    if before - loss <= 1e-10 * loss then return lr, loss, k end
    before = loss
  end
  return lr, before, o.sweeps
end

-- ------------------------------------------------------------------ steps to a loss

local TO = { lr = "positive", batch = { "positive", 1 }, momentum = { "nonnegative", 0 },
  most = { "count", 100000 } }

--- Whether the loss has come to rest.
local function rests(loss)
  local last = loss[#loss]
  return math.abs(loss[#loss // 2] - last) <= 1e-9 * last
end

--- Steps to a target, with a part of a step by the logarithm of the loss; infinite beyond most.
local function steps_to(self, target, o)
  local chunk, done = 64, 0
  while true do
    local run = self:run { steps = math.min(chunk, o.most), lr = o.lr, batch = o.batch,
      momentum = o.momentum }
    for t = done + 1, #run.loss do
      local before, loss = run.loss[t - 1], run.loss[t]
      if loss <= target then
        if before <= target then return t - 1 end
        return t - 1 + math.log(before / target) / math.log(before / loss)
      elseif loss ~= loss or loss >= 1e300 then
        return math.huge
      end
    end
    if chunk >= o.most or rests(run.loss) then return math.huge end
    chunk, done = 2 * chunk, #run.loss
  end
end

---Steps of a constant rate until the expected loss is at most the target: not whole, so that it
---changes smoothly with the rate; infinite if it takes more than `most` (100,000).
---@param self swale.NQM
---@param target number
---@param o { lr: number, batch: number?, momentum: number?, most: integer? }
---@return number
function M.steps_to(self, target, o)
  options.value("nqm:steps_to", "target", target, "positive")
  return steps_to(self, target, options.check("nqm:steps_to", o, TO))
end

local GRID = 40                    -- rates tried over 4 decades, down from the edge of stability
local GOLDEN = (math.sqrt(5) - 1) / 2

local function refine(f, a, c)
  for _ = 1, 30 do
    local x, y = c - GOLDEN * (c - a), a + GOLDEN * (c - a)
    if f(x) < f(y) then c = y else a = x end
  end
  return 0.5 * (a + c)
end

---The constant rate that reaches a target in the fewest steps, and these.
---@param self swale.NQM
---@param target number
---@param o? { batch: number?, momentum: number?, most: integer? }
---@return number|nil lr     nil: no rate reaches it
---@return number steps
function M.best_rate(self, target, o)
  options.value("nqm:best_rate", "target", target, "positive")
  o = options.check("nqm:best_rate", o, { batch = TO.batch, momentum = TO.momentum,
    most = TO.most })
  local edge = math.huge
  for _, h in ipairs(self.h) do edge = math.min(edge, 2 * (1 + o.momentum) / h) end
  local function f(log_lr)
    return steps_to(self, target, { lr = math.exp(log_lr), batch = o.batch,
      momentum = o.momentum, most = o.most })
  end
  local top, step, best, least = math.log(edge), math.log(1e4) / GRID, nil, math.huge
  for k = 0, GRID do
    local steps = f(top - k * step)
    if steps < least then best, least = k, steps end
    if steps > 3 * least then break end -- smaller rates only take longer
  end
  if not best then return nil, math.huge end
  local at = refine(f, top - (best + 1) * step, top - math.max(best - 1, 0) * step)
  local steps = f(at)
  if steps > least then at, steps = top - best * step, least end
  return math.exp(at), steps
end

return M
