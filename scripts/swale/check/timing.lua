--- Estimates the time of a training from a few steps and an evaluation on a copy of the weights.
local loops = require "swale.trainer.loops"
local metrics = require "swale.trainer.metrics"

local M = {}

local EACH = 0.2          -- seconds for one size of batch
local MOST_STEPS = 200
local EVALUATED = 2000    -- examples that are evaluated, at most

local function clock() return require "luv".hrtime() / 1e9 end

--- The seconds of a step, and the number of timed steps.
local function step_time(loop, batch)
  loop:set("batch_size", batch)
  assert(loop:advance(1))
  local begun, steps, best = clock(), 0, math.huge
  while steps < 3 or steps < MOST_STEPS and clock() - begun < EACH do
    local before = clock()
    assert(loop:advance(1))
    best, steps = math.min(best, clock() - before), steps + 1
  end
  return (best + (clock() - begun) / steps) / 2, steps
end

--- A line through the times of the smallest and the largest batch.
local function steps_seconds(engine, plan)
  local loop = loops.scratch(engine)
  local small, timed = step_time(loop, plan.smallest)
  local large, more = small, 0
  if plan.largest > plan.smallest then large, more = step_time(loop, plan.largest) end
  local slope = (large - small) / math.max(1, plan.largest - plan.smallest)
  local total = 0
  for batch, n in pairs(plan.batch_sizes) do
    total = total + n * (small + slope * (batch - plan.smallest))
  end
  return total, timed + more, small, large
end

local function evaluation_seconds(engine)
  local valid = engine.data.valid
  if not valid then return 0 end
  local part = #valid > EVALUATED and valid.sample and valid:sample(EVALUATED) or valid
  local begun = clock()
  metrics.evaluate(engine.eval_graph, engine.weights, engine.buffers, part.source,
    engine.eval_batch, "valid")
  return (clock() - begun) * #valid / #part
end

---Returns the seconds that measuring norms adds to a step.
---@param engine swale.Engine
---@param batch integer
---@return number seconds
function M.measured_step(engine, batch)
  local loop = loops.scratch(engine)
  local plain = step_time(loop, batch)
  loop:measure(1)
  return math.max(0, step_time(loop, batch) - plain)
end

---@class swale.TimeEstimate
---@field seconds number        of the whole fit
---@field steps integer         that were timed
---@field smallest number       seconds of a step with the smallest batch
---@field largest number        with the largest
---@field evaluations number    seconds of them all, included

---@param engine swale.Engine
---@param plan swale.Plan        with a batch size
---@return swale.TimeEstimate
function M.of(engine, plan)
  local seconds, steps, smallest, largest = steps_seconds(engine, plan)
  local examples = 0
  for batch, n in pairs(plan.batch_sizes) do examples = examples + batch * n end
  local evaluations = evaluation_seconds(engine) * (examples // #engine.data.train.source)
  return { seconds = seconds + evaluations, steps = steps, smallest = smallest, largest = largest,
    evaluations = evaluations }
end

return M
