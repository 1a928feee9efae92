--- Events: marks in steps or in examples. An event fires after the first update that reaches or
--- crosses its mark; one update that crosses several of its marks fires it once.
local M = {}

---@class swale.Mark
---@field scale "step"|"examples"
---@field every number      between marks; infinite: there is but one
---@field at number         the next one
---@field count integer     which it is: at = count * every
---@field fire fun(at: number)

---Marks at every, 2 every, …, beginning after the state's position.
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

---One mark.
---@param scale "step"|"examples"
---@param at number
---@param fire fun(at: number)
---@return swale.Mark
function M.once(scale, at, fire)
  return { scale = scale, every = math.huge, count = 1, at = at, fire = fire }
end

--- Rounding of count * every must not put a mark one example further.
local function reached(mark, s) return s[mark.scale] >= mark.at - 1e-6 end

local function move_on(mark, s)
  if mark.every == math.huge then
    mark.at = math.huge
  else
    mark.count = math.max(mark.count, math.floor(s[mark.scale] / mark.every + 1e-9)) + 1
    mark.at = mark.count * mark.every
  end
end

---Fires what is due, in the order of the list.
---@param marks swale.Mark[]
---@param s swale.State
function M.fire(marks, s)
  for _, mark in ipairs(marks) do
    if reached(mark, s) then
      local at = mark.at
      move_on(mark, s)
      mark.fire(at)
    end
  end
end

---The nearest mark on a scale, as a whole number.
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
