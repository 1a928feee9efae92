--- Events of a training: captures, measurements, lines of the record, ends of epochs.
local averages = require "swale.trainer.averages"
local averaging = require "swale.average"
local duration = require "swale.duration"
local faults = require "swale.trainer.faults"
local hooks = require "swale.trainer.hooks"
local marks = require "swale.trainer.marks"
local savings = require "swale.trainer.saving"

local M = {}

local function end_epoch(fit)
  local s, journal = fit.state, fit.journal
  faults.check(fit)
  journal:step(s, fit.loop)
  local line = { lr = s.lr, batch_size = s.batch_size, seconds = fit.clock:training(fit.loop) }
  if journal.run then line.loss = journal:epoch_loss() end
  if fit.evaluator:validate(line, s.epoch) then journal:best() end
  if journal.run then fit.look(line) end
  journal:event("epoch", s, line)
  if journal.run then journal:remember(line) end
  journal.due = true
  hooks.call(fit.hooks.epoch, s, fit.trainer, line)
end

--- Records the value or the error of a measurement; the first error is printed, too.
local function measure(fit, entry, change)
  local line = fit.measurements:make(entry, change)
  if not line then return end
  fit.journal:event("measurement", fit.state, line)
  if not line.error or entry.failed then return end
  entry.failed = true
  fit.journal:say(("measurement %s at step %d: %s; the training goes on"):format(entry.name,
    fit.state.step, line.error))
end

---Makes the measurements that follow a change; those along measured steps take the coming one.
---@param fit swale.Fit
---@param change string
function M.changed(fit, change)
  for _, entry in ipairs(fit.measurements.list) do
    local follows = entry.times.at[change]
    if follows and entry.row.along then
      fit.measurements:want(entry, fit.loop)
    elseif follows then
      measure(fit, entry, change)
    end
  end
end

--- Whether a mark is after an average's start. If their scales differ, the position decides.
local function is_after_start(average, at, s)
  local start, n = average.start, s.epoch_examples
  if (start.unit == "steps") == (average.every.unit == "steps") then
    return at > (start:examples(n) or start.amount) + 1e-6
  end
  local position = start.unit == "steps" and s.step or s.examples
  return position > (start:examples(n) or start.amount)
end

--- Captures of an average every few steps are not recorded.
local function is_recorded(average)
  return average.every.unit == "epochs" or averaging.KINDS[average.kind].recorded
end

local function capture(fit, entry, at)
  local average, s, evaluator = entry.average, fit.state, fit.evaluator
  if averages.find(evaluator.averages, entry.name) ~= average then return end -- was replaced
  if not is_after_start(average, at, s) then return end
  average:update(evaluator.weights)
  local line = { n = average.count }
  if entry.name ~= averaging.UNNAMED then line.average = entry.name end
  if is_recorded(average) then fit.journal:event("capture", s, line) end
  if average.count == 1 then M.changed(fit, "average") end
  hooks.call(fit.hooks.capture, s, fit.trainer, line)
end

local function record(fit)
  fit.journal:step(fit.state, fit.loop)
  fit.journal:progress(fit.state, fit.target, fit.loop)
end

local function wants_epochs(fit)
  return fit.journal.run or fit.evaluator.data.valid or #fit.hooks.epoch > 0
end

--- Adds the marks of a measurement. Along measured steps the loop follows even distances by itself,
--- and is asked for a mark with a factor by the step before it.
local function add_measurement(fit, entry, add)
  local every, along = entry.times.every, entry.row.along
  if along and every and every.factor then
    add(every, function() fit.measurements:want(entry, fit.loop) end, 1)
  elseif every and not along then
    add(every, function() measure(fit, entry) end)
  end
  if entry.row.before then add(every, function() fit.measurements:before(entry) end, 1) end
end

---Returns the marks of a fit, in the order in which they fire at one position: captures and
---measurements before the end of the epoch, which evaluates and records them.
---@param fit swale.Fit
---@param from { step: integer, examples: integer }   marks up to there have fired
---@return swale.Mark[]
function M.plan(fit, from)
  local n, list = fit.state.epoch_examples, {}
  local function add(every, f, ahead)
    list[#list + 1] = marks.repeating(every, n, from, f, ahead)
  end
  for _, entry in ipairs(fit.evaluator.averages) do
    add(entry.average.every, function(at) capture(fit, entry, at) end)
  end
  for _, entry in ipairs(fit.measurements.list) do add_measurement(fit, entry, add) end
  local epoch = duration.of { epochs = 1 }
  if fit.measurements:follows "epoch" then add(epoch, function() M.changed(fit, "epoch") end) end
  if fit.journal.run then add(fit.record, function() record(fit) end) end
  if wants_epochs(fit) then add(epoch, function() end_epoch(fit) end) end
  local function stay() fit.journal.stays = true end
  if fit.journal.run then
    local kept = savings.marks(fit.journal.engine.checkpoints, n, from, stay)
    table.move(kept, 1, #kept, #list + 1, list)
  end
  list[#list + 1] = fit.target
  return list
end

---Records that the batch size of the last step differs from the one before, and measures.
---@param fit swale.Fit
---@param from integer
function M.batch_changed(fit, from)
  local s = fit.state
  local line = { from = from, to = s.batch_size }
  fit.journal:step(s, fit.loop)
  fit.journal:event("batch_size", s, line)
  M.changed(fit, "batch_size")
  hooks.call(fit.hooks.batch_size, s, fit.trainer, line)
end

return M
