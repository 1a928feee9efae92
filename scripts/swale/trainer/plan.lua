--- Plans a training: its updates, examples, batch sizes and memory. Exact if the batch size depends
--- on the progress alone.
local class = require "swale.class"
local count = require("swale.schedule.count").count
local duration = require "swale.duration"
local errors = require "swale.errors"
local marks = require "swale.trainer.marks"
local scan = require "swale.trainer.scan"
local options = require "swale.options"
local schedule = require "swale.schedule"

local M = {}

---@class swale.Plan
---@field updates integer|nil       nil where a live rule chooses the batch size
---@field examples integer|nil      likewise
---@field batch_sizes table<integer, integer>   updates by batch size
---@field smallest integer          of the batch sizes
---@field largest integer           likewise; 0: none is known
---@field last_batch integer|nil
---@field live boolean              the batch size depends on the live state
---@field at_initial integer|nil    with a live rule: the updates if the batch size does not change
---@field bytes swale.PlanBytes
---@field steps number|nil          the length: this or examples_wanted
---@field examples_wanted number|nil
---@field memory table|nil          memory of the batch size's function at the end
local Plan = class.new("plan", { fields = {
  "updates", "examples", "last_batch", "at_initial", "steps", "examples_wanted" } })

function Plan:__tostring()
  if self.live then
    return "a live rule chooses the batch size" .. (self.at_initial
      and ("; %d updates if it stays at %d"):format(self.at_initial, self.largest) or "")
  end
  local sizes = self.smallest == self.largest and tostring(self.largest)
    or ("%d to %d"):format(self.smallest, self.largest)
  return ("%d updates, %d examples, batch %s"):format(self.updates, self.examples, sizes)
end

--- An event fires at the update that reaches its mark, rounding aside.
local function updates_of(batch, target)
  if target.steps then return math.max(0, math.ceil(target.steps)) end
  return math.max(0, math.ceil((target.examples - 1e-6) / batch))
end

local function of_constant(plan, batch, target)
  batch = math.floor(batch)
  local n = updates_of(batch, target)
  plan.updates, plan.examples, plan.batch_sizes = n, n * batch, { [batch] = n }
  plan.last_batch = batch
end

--- Plain data, as far as a function's memory is.
local function copied(value)
  if type(value) ~= "table" then return value end
  local copy = {}
  for key, one in pairs(value) do copy[key] = copied(one) end
  return setmetatable(copy, getmetatable(value))
end

--- The memory of the batch size's function: after training, or after fits that were planned.
local function memory(engine)
  if engine.remembered then return copied(engine.remembered) end
  for _, rule in ipairs(engine.rules or {}) do
    if rule.name == "batch_size" then return copied(rule.mem) end
  end
  return {}
end

local function of_schedule(plan, x, target, begun, mem)
  local found = count.follow(x, begun, target, mem)
  if not found then return false end
  plan.updates, plan.examples, plan.last_batch = found.updates, found.examples, found.last_batch
  plan.batch_sizes, plan.memory = found.batch_sizes, mem
  return true
end

--- The plan with the initial batch size of a rule, if it has one.
local function of_rule(plan, x, target)
  plan.live, plan.updates, plan.examples, plan.batch_sizes = true, nil, nil, {}
  if not schedule.is_rule(x) then return end
  of_constant(plan, x.initial, target)
  plan.at_initial, plan.updates, plan.examples = plan.updates, nil, nil
end

local function range(plan)
  for size in pairs(plan.batch_sizes) do
    plan.smallest = math.min(plan.smallest or size, size)
    plan.largest = math.max(plan.largest or size, size)
  end
  plan.smallest, plan.largest = plan.smallest or 0, plan.largest or 0
end

---@param engine swale.Engine
---@return swale.PlanPosition
function M.position(engine)
  local s = engine.state
  return { step = rawget(s, "step") or 0, examples = rawget(s, "examples") or 0,
    epoch_examples = rawget(s, "epoch_examples") or #engine.data.train.source }
end

---@param engine swale.Engine
---@param length swale.Duration
---@return swale.Plan   without bytes
function M.steps(engine, length)
  local x, begun = engine.settings.batch_size, M.position(engine)
  local plan = setmetatable({ live = false }, Plan)
  local goal = marks.goal(begun, engine.goal, duration.check(length, begun.epoch_examples, "fit"))
  scan.fit(engine, begun, goal)
  local left = goal.at - begun[goal.scale]
  local target = { [goal.scale == "step" and "steps" or "examples"] = left }
  plan.steps, plan.examples_wanted = target.steps, target.examples
  if type(x) == "number" then
    of_constant(plan, x, target)
  elseif schedule.is_rule(x) or not of_schedule(plan, x, target, begun, memory(engine)) then
    of_rule(plan, x, target)
  end
  range(plan)
  return plan
end

local PLAN = { epochs = "positive?", steps = "count?", examples = "count?" }

---@param engine swale.Engine
---@param o { epochs?: number, steps?: integer, examples?: integer }
---@return swale.Plan
function M.of(engine, o)
  if type(o) == "number" then o = { epochs = o } end
  o = options.check("Trainer:plan", o, PLAN)
  local length = { epochs = o.epochs, steps = o.steps, examples = o.examples }
  if not next(length) then
    errors.misuse(
      "Trainer:plan: for how long? plan { epochs = 12 }, or steps, or examples")
  end
  local plan = M.steps(engine, duration.of(length, "Trainer:plan"))
  plan.bytes = require("swale.trainer.footprint").of(engine, plan.largest)
  return plan
end

return M
