--- Events: marks in steps or in examples. An event fires after the first update that reaches or
--- crosses its mark; one update that crosses several of its marks fires it once.
local M = {}

---@class swale.Mark
---@field scale "step"|"examples"
---@field every number      the first one, and between marks; infinite: there is only one
---@field factor number|nil   each mark is so many times the one before: every factor^(count - 1)
---@field ahead integer      fires so many steps before the mark
---@field at number         where it fires next
---@field count integer     the number of that mark, from 1
---@field fire fun(at: number)

---@class swale.Goal
---@field scale "step"|"examples"
---@field at number

--- Marks up to a position.
local function passed(mark, x)
  if not mark.factor then return math.floor(x / mark.every + 1e-9) end
  if x < mark.every * (1 - 1e-9) then return 0 end
  return math.floor(math.log(x / mark.every) / math.log(mark.factor) + 1e-9) + 1
end

local function position_of(mark, count)
  local at = mark.factor and mark.every * mark.factor ^ (count - 1) or count * mark.every
  return mark.ahead > 0 and math.ceil(at - 1e-6) - mark.ahead or at
end

local function of(every, epoch_examples)
  return { scale = every.unit == "steps" and "step" or "examples", factor = every.factor,
    every = every:examples(epoch_examples) or every.amount, ahead = 0 }
end

--- The first mark that fires after the state's position.
local function find_next(mark, s)
  local x = s[mark.scale]
  mark.count = math.max(mark.count or 0, passed(mark, x + mark.ahead)) + 1
  mark.at = position_of(mark, mark.count)
  while mark.at <= x do -- growing by less than a step
    mark.count = mark.count + 1
    mark.at = position_of(mark, mark.count)
  end
end

---Returns marks at every, 2 every, …, those after the state's position; with a factor at every,
---every factor, every factor^2, …
---@param every swale.Duration
---@param epoch_examples integer
---@param s swale.State
---@param fire fun(at: number)
---@param ahead? integer     fires so many steps before each mark, which is in steps; 0
---@return swale.Mark
function M.repeating(every, epoch_examples, s, fire, ahead)
  local mark = of(every, epoch_examples)
  mark.ahead, mark.fire = ahead or 0, fire
  find_next(mark, s)
  return mark
end

---Returns how many marks are passed at a position.
---@param every swale.Duration
---@param epoch_examples integer
---@param s { step: integer, examples: integer }
---@return integer
function M.count(every, epoch_examples, s)
  local mark = of(every, epoch_examples)
  return passed(mark, s[mark.scale])
end

---Returns a single mark.
---@param scale "step"|"examples"
---@param at number
---@param fire fun(at: number)
---@return swale.Mark
function M.once(scale, at, fire)
  return { scale = scale, every = math.huge, ahead = 0, count = 1, at = at, fire = fire }
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
    find_next(mark, s)
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
