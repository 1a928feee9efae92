--- The cost of the measurements of a fit: how often each is made, and the seconds of one.
local errors = require "swale.errors"
local progress = require "swale.progress"
local timing = require "swale.check.timing"

local M = {}

--- How often a measurement is due in a plan; nil if unknown.
local function times(entry, plan, epoch_examples)
  local updates, examples = plan.updates or plan.at_initial, plan.examples or plan.examples_wanted
  local length = entry.every:examples(epoch_examples)
  if not length then return updates and updates // entry.every.amount end
  return examples and examples // length
end

--- The seconds of one measurement, and its error, if any.
local function once(engine, entry, plan)
  if entry.row.along then return timing.measured_step(engine, math.max(1, plan.smallest)), nil end
  local ok, value, seconds = engine.measurements:call(entry, 1)
  return seconds, not ok and errors.failure(value) or nil
end

local function text(entry, n, seconds, fault)
  local line = ("measure: %s: every %s"):format(entry.name, entry.every)
  if n then line = line .. (", %d times"):format(n) end
  if fault then return ("%s; it raises: %s"):format(line, fault) end
  if seconds then line = line .. (", about %.3g ms each"):format(seconds * 1e3) end
  if seconds and n then line = ("%s, %s in all"):format(line, progress.seconds(n * seconds)) end
  return line
end

---Returns a line for each measurement.
---@param fit swale.DryFit
---@param timed boolean    makes each of them once
---@return string[]
function M.lines(fit, timed)
  local lines, engine = {}, fit.engine
  for i, entry in ipairs(engine.measurements.list) do
    local n, seconds, fault = times(entry, fit.plan, fit.begun.epoch_examples), nil, nil
    if timed then seconds, fault = once(engine, entry, fit.plan) end
    lines[i] = text(entry, n and math.floor(n), seconds, fault)
  end
  return lines
end

return M
