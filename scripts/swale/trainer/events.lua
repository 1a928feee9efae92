--- What is due as a training goes: captures, lines of the record, the ends of epochs.
local averages = require "swale.trainer.averages"
local duration = require "swale.duration"
local faults = require "swale.trainer.faults"
local hooks = require "swale.trainer.hooks"
local marks = require "swale.trainer.marks"
local metrics = require "swale.trainer.metrics"
local statistics = require "swale.trainer.statistics"
local vitals = require "swale.trainer.vitals"

local M = {}

local function evaluate(self, weights, buffers, on)
  return self:evaluate(weights, buffers, self.data[on].source, on)
end

--- Into the copy that is there, or a new one; nil of nothing.
local function copied(from, into)
  return from and (into and into:copy(from) or from:clone())
end

local function keep_best(self, found)
  self.valid_is_nan = found.loss ~= found.loss
  if not metrics.is_better(found, self.best and self.best.metrics) then return end
  local before = self.best or {}
  self.best = { weights = copied(self.weights, before.weights), metrics = found,
    buffers = copied(self.buffers, before.buffers), epoch = self.state.epoch }
  self.journal:best(self)
end

--- The last weights and every average, side by side.
local function evaluate_all(self, line)
  if not self.data.valid then return end
  local found = evaluate(self, self.weights, self.buffers, "valid")
  line.valid_loss, line.valid_accuracy = found.loss, found.accuracy
  keep_best(self, found)
  for _, entry in ipairs(averages.with_captures(self.averages)) do
    local weights = entry.average:weights()
    found = evaluate(self, weights, statistics.of_average(self, entry.average, weights), "valid")
    line[entry.name .. "_valid_loss"] = found.loss
    line[entry.name .. "_valid_accuracy"] = found.accuracy
  end
end

local function look(self, line)
  self.vitals = self.vitals or vitals.new(self)
  self.vitals:look(line)
  self.history[#self.history + 1] = line
end

local function end_epoch(self)
  local s, journal = self.state, self.journal
  faults.check(self)
  journal:step(s, self.loop)
  local line = { lr = s.lr, batch_size = s.batch_size }
  if journal.run then line.loss = journal:epoch_loss() end
  evaluate_all(self, line)
  if journal.run then look(self, line) end
  journal:event("epoch", s, line)
  journal:checkpoint(self)
  hooks.call(self.hooks.epoch, s, self.trainer, line)
end

--- Marks that lie after the start capture; on another scale than the start's, positions do.
local function is_after_start(average, at, s)
  local start, n = average.start, s.epoch_examples
  if (start.unit == "steps") == (average.every.unit == "steps") then
    return at > (start:examples(n) or start.amount) + 1e-6
  end
  local position = start.unit == "steps" and s.step or s.examples
  return position > (start:examples(n) or start.amount)
end

--- An average that captures every few steps is not worth a line each time.
local function is_recorded(average)
  return average.every.unit == "epochs" or average.kind == "swa"
end

local function capture(self, entry, at)
  local average, s = entry.average, self.state
  if averages.find(self.averages, entry.name) ~= average then return end -- taken away meanwhile
  if not is_after_start(average, at, s) then return end
  average:update(self.weights)
  local line = { n = average.count }
  if entry.name ~= "swa" then line.average = entry.name end
  if is_recorded(average) then self.journal:event("capture", s, line) end
  hooks.call(self.hooks.capture, s, self.trainer, line)
end

--- A value goes into the record; an error in it, which is printed once, too.
local function measure(self, entry)
  local line, fault = self.measurements:make(entry)
  self.journal:event("measurement", self.state, line)
  if not fault or entry.failed then return end
  entry.failed = true
  self.journal:say(("measurement %s at step %d: %s; the training goes on"):format(entry.name,
    self.state.step, line.error))
end

local function record(self)
  self.journal:step(self.state, self.loop)
  self.journal:progress(self.state, self.target)
end

local function wants_epochs(self)
  return self.journal.run or self.data.valid or #self.hooks.epoch > 0
end

---The marks of a training, in the order in which they fire at one position: a capture comes before
---the epoch's end tells of it.
---@param self swale.Engine
---@return swale.Mark[]
function M.plan(self)
  local s, list = self.state, {}
  local function add(every, f)
    list[#list + 1] = marks.repeating(every, s.epoch_examples, s, f)
  end
  for _, entry in ipairs(self.averages) do
    add(entry.average.every, function(at) capture(self, entry, at) end)
  end
  for _, entry in ipairs(self.measurements:called()) do
    add(entry.every, function() measure(self, entry) end)
  end
  if self.journal.run then add(self.record, function() record(self) end) end
  if wants_epochs(self) then add(duration.of { epochs = 1 }, function() end_epoch(self) end) end
  list[#list + 1] = self.target
  return list
end

---@param self swale.Engine
---@param s swale.State
function M.note_batch(self, s)
  local from = self.last_batch
  self.last_batch = s.batch_size
  if not from then return end
  local line = { from = from, to = s.batch_size }
  self.journal:step(s, self.loop)
  self.journal:event("batch_size", s, line)
  hooks.call(self.hooks.batch_size, s, self.trainer, line)
end

return M
