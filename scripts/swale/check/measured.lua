--- The cost of the measurements of a fit: how often each is made, and the seconds of one.
local errors = require "swale.errors"
local marks = require "swale.trainer.marks"
local progress = require "swale.progress"
local timing = require "swale.check.timing"

local M = {}

--- How often a measurement is due at the marks of its interval; nil if unknown.
local function times(entry, fit)
  local plan, begun, every = fit.plan, fit.begun, entry.times.every
  if not every then return nil end
  local updates, examples = plan.updates or plan.at_initial, plan.examples or plan.examples_wanted
  local ended = { step = updates and begun.step + updates,
    examples = examples and begun.examples + examples }
  if not ended[every.unit == "steps" and "step" or "examples"] then return nil end
  local n = begun.epoch_examples
  return marks.count(every, n, ended) - marks.count(every, n, begun)
end

--- The seconds of one measurement, and its error, if any.
local function once(engine, entry, plan)
  if entry.row.along then return timing.measured_step(engine, math.max(1, plan.smallest)), nil end
  if entry.row.before then engine.measurements:before(entry) end
  local ok, value, seconds = engine.measurements:call(entry, 1)
  return seconds, not ok and errors.failure(value) or nil
end

local function text(entry, n, seconds, fault)
  local line = ("measure: %s: %s"):format(entry.name, tostring(entry.times))
  if n then line = line .. (", %d times%s"):format(n, next(entry.times.at) and " or more" or "") end
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
    local n, seconds, fault = times(entry, fit), nil, nil
    if timed then seconds, fault = once(engine, entry, fit.plan) end
    lines[i] = text(entry, n, seconds, fault)
  end
  return lines
end

return M
