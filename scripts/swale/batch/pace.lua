--- How fast a run that is under way advances, from its lines of steps.
local M = {}

local WINDOW = 5 -- seconds over which steps are counted

---@class swale.Pace
---@field begun number    when the run began; late: it was under way at the first look
local Pace = {}
Pace.__index = Pace

---@param begun number
---@param late? boolean
---@return swale.Pace
function M.new(begun, late)
  return setmetatable({ begun = begun, late = late, marks = {} }, Pace)
end

---Steps a second over the last seconds; nil before they are known.
---@param step integer
---@param now number
---@return number|nil
function Pace:rate(step, now)
  local marks = self.marks
  local last = marks[#marks]
  if not last or step ~= last.step then marks[#marks + 1] = { step = step, at = now } end
  while #marks > 2 and now - marks[2].at > WINDOW do table.remove(marks, 1) end
  local first, newest = marks[1], marks[#marks]
  if newest.at - first.at < 0.1 then return nil end
  return (newest.step - first.step) / (newest.at - first.at)
end

---The part of the fit that is done, and where it is, in words.
---@param line table   of steps
---@return number|nil fraction, string where   nil: its length is not known
function M.fraction(line)
  local epochs, steps = tonumber(line.until_epoch), tonumber(line.until_step)
  if epochs and epochs > 0 then
    return math.min(line.epoch / epochs, 1), ("epoch %.1f of %.4g"):format(line.epoch, epochs)
  elseif steps and steps > 0 then
    return math.min(line.step / steps, 1), ("step %d of %.10g"):format(line.step, steps)
  end
  return nil, ("epoch %.1f"):format(line.epoch)
end

---Seconds to the end of the fit, at the pace since its beginning or the first look.
---@param fraction number
---@param now number
---@return number|nil
function Pace:left(fraction, now)
  self.first = self.first or { fraction = self.late and fraction or 0,
    at = self.late and now or self.begun }
  local gained = fraction - self.first.fraction
  if gained <= 0 then return nil end
  return (now - self.first.at) * (1 - fraction) / gained
end

return M
