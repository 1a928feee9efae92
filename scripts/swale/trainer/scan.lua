--- Checks the values of native schedules in advance, so that a momentum of 2 at step 40,000 is
--- refused at the start: over their own lengths when a trainer is made, over each fit when it
--- starts.
local hyper = require "swale.trainer.hyper"
local object = require "swale.schedule.object"

local M = {}

local POINTS = 4096 -- checked in a fit, at most

local function natives(settings)
  local list = {}
  for _, name in ipairs(hyper.NAMES) do
    local x = settings[name]
    if object.is_schedule(x) and x.native then list[#list + 1] = { name = name, schedule = x } end
  end
  return list
end

--- Checks update step + 1, after so many examples.
local function check_at(entry, optimizer, step, examples, batch, n)
  local value = entry.schedule.native:at(step, examples, examples + batch, n)
  hyper.check_scheduled(entry.name, value, entry.schedule, step + 1, optimizer)
end

local function batch_of(settings)
  local batch = settings.batch_size
  return type(batch) == "number" and math.max(1, math.floor(batch)) or 1
end

--- The ends of a schedule's parts, in updates.
local function ends(schedule, batch, n)
  local list = { 0 }
  object.each_duration(schedule, function(d)
    list[#list + 1] = math.floor((d:examples(n) or d.amount * batch) / batch)
  end)
  table.sort(list)
  return list
end

---Checks a schedule at the ends of its parts and between them.
---@param name swale.Hyper
---@param x swale.Hyperparameter
---@param settings table<swale.Hyper, swale.Hyperparameter>
---@param optimizer swale.Optimizer
---@param n integer      examples in an epoch
function M.setting(name, x, settings, optimizer, n)
  if not (object.is_schedule(x) and x.native) then return end
  local batch, entry = batch_of(settings), { name = name, schedule = x }
  local list = ends(x, batch, n)
  for i, at in ipairs(list) do
    local before = list[i - 1] or at
    for k = 0, 8 do
      local step = before + (at - before) * k // 8
      check_at(entry, optimizer, step, step * batch, batch, n)
    end
    if at > 0 then check_at(entry, optimizer, at - 1, (at - 1) * batch, batch, n) end
  end
end

---Checks the updates of a fit, all of them or POINTS spread evenly.
---@param engine swale.Engine
---@param s { step: integer, examples: integer, epoch_examples: integer }
---@param goal swale.Goal
function M.fit(engine, s, goal)
  local batch = batch_of(engine.settings)
  local left = goal.at - s[goal.scale]
  local updates = math.ceil(goal.scale == "step" and left or left / batch)
  local points = math.min(POINTS, updates)
  for _, entry in ipairs(updates > 0 and natives(engine.settings) or {}) do
    for i = 0, points - 1 do
      local k = points > 1 and i * (updates - 1) // (points - 1) or 0
      check_at(entry, engine.optimizer, s.step + k, s.examples + k * batch, batch,
        s.epoch_examples)
    end
  end
end

return M
