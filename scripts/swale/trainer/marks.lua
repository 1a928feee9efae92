--- Events: marks in steps or in examples. An event fires after the first update that reaches or
--- crosses its mark; one update that crosses several of its marks fires it once.
local M = {}

---@class swale.Mark
---@field scale "step"|"examples"
---@field every number      between marks; infinite: there is only one
---@field at number         the next one
---@field count integer     its number: at = count * every
---@field fire fun(at: number)

---@class swale.Goal
---@field scale "step"|"examples"
---@field at number

---Returns marks at every, 2 every, …, those after the state's position.
---@param every swale.Duration
---@param epoch_examples integer
---@param s swale.State
---@param fire fun(at: number)
---@return swale.Mark
function M.repeating(every, epoch_examples, s, fire)
  local scale = every.unit == "steps" and "step" or "examples"
  local length = every:examples(epoch_examples) or every.amount
  local count = math.floor(s[scale] / length + 1e-9) + 1
  return { scale = scale, every = length, count = count, at = count * length, fire = fire }
end

---Returns a single mark.
---@param scale "step"|"examples"
---@param at number
---@param fire fun(at: number)
---@return swale.Mark
function M.once(scale, at, fire)
  return { scale = scale, every = math.huge, count = 1, at = at, fire = fire }
end

---Returns where a fit ends. Its length counts from the end of the fit before if that was reached,
---else from the trainer's position: ten fits of an epoch are one of ten epochs, although batches
---cross the ends.
---@param s { step: integer, examples: integer, epoch_examples: integer }
---@param before swale.Goal|nil   of the fit before
---@param length swale.Duration
---@return swale.Goal
function M.goal(s, before, length)
  local scale = length.unit == "steps" and "step" or "examples"
  local from = before and before.scale == scale and M.is_reached(before, s) and before.at
  return { scale = scale,
    at = (from or s[scale]) + (length:examples(s.epoch_examples) or length.amount) }
end

---@param goal swale.Goal
---@param s { step: integer, examples: integer }
---@return boolean
function M.is_reached(goal, s) return s[goal.scale] >= goal.at - 1e-6 end

local function move_on(mark, s)
  if mark.every == math.huge then
    mark.at = math.huge
  else
    mark.count = math.max(mark.count, math.floor(s[mark.scale] / mark.every + 1e-9)) + 1
    mark.at = mark.count * mark.every
  end
end

---Fires the marks that are due, in the order of the list.
---@param marks swale.Mark[]
---@param s swale.State
---@return boolean      some were
function M.fire(marks, s)
  local fired = false
  for _, mark in ipairs(marks) do
    if M.is_reached(mark, s) then -- rounding of count * every must not move it by one example
      local at = mark.at
      move_on(mark, s)
      mark.fire(at)
      fired = true
    end
  end
  return fired
end

---Returns the nearest mark on a scale, as a whole number.
---@param marks swale.Mark[]
---@param scale "step"|"examples"
---@return integer
function M.nearest(marks, scale)
  local least = math.huge
  for _, mark in ipairs(marks) do
    if mark.scale == scale and mark.at < least then least = mark.at end
  end
  return least < 2 ^ 52 and math.ceil(least - 1e-6) or math.maxinteger
end

return M
