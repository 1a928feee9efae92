--- The record of a training: lines of metrics, checkpoints, progress. Without a run it writes
--- nothing.
local averages = require "swale.trainer.averages"
local copies = require "swale.copies"
local hyper = require "swale.trainer.hyper"
local marks = require "swale.trainer.marks"
local process = require "swale.process"
local segments = require "swale.segments"
local statistics = require "swale.trainer.statistics"

local M = {}

--- Values of the last update that a checkpoint's metadata have.
M.LAST = { "loss", "grad_norm", table.unpack(hyper.NAMES) }

---@class swale.Journal
---@field run table|nil
---@field live swale.State
---@field evaluator swale.Evaluator
---@field measurements swale.Measurements
---@field clock swale.Clock
---@field along number       seconds of measured steps that the record has
---@field line table        the next line of steps; one table, reused
---@field history table[]   the records of the epochs
---@field said table        kinds of diagnoses that were printed
---@field written integer   the step of the last line of steps; -1: none
---@field saved integer     the step of the last checkpoint; likewise
---@field taken integer     examples up to the last line
---@field loss_sum number   of the examples since the last epoch's end
---@field loss_examples integer
local Journal = {}
Journal.__index = Journal

---@param o { run: table|nil, graph: swale.CompiledGraph, state: swale.State,
---evaluator: swale.Evaluator, measurements: swale.Measurements, clock: swale.Clock }
---@return swale.Journal
function M.new(o)
  local graph, kept = o.graph, #o.graph.buffer_segments > 0
  return setmetatable({ run = o.run, evaluator = o.evaluator,
    measurements = o.measurements, clock = o.clock, along = 0, live = o.state,
    line = { kind = "step" },
    segments = segments.json(graph.segments),
    buffer_segments = kept and segments.json(graph.buffer_segments) or nil,
    written = -1, saved = -1, taken = 0, loss_sum = 0, loss_examples = 0, said = {},
    history = {} }, Journal)
end

--- Mean loss since the last line; also added to the epoch's sums.
local function take_loss(self, s, loop)
  local mean, n = loop:take_mean(), s.examples - self.taken
  self.taken = s.examples
  if n > 0 then
    self.loss_sum, self.loss_examples = self.loss_sum + n * mean, self.loss_examples + n
  end
  return mean
end

---Returns the mean loss of the examples since the last call.
---@return number
function Journal:epoch_loss()
  local mean = self.loss_sum / self.loss_examples
  self.loss_sum, self.loss_examples = 0, 0
  return mean
end

local function write_step(self, s, loop)
  local line = self.line
  line.step, line.examples, line.epoch = s.step, s.examples, s.epoch
  line.loss, line.grad_norm = take_loss(self, s, loop), s.grad_norm
  for _, name in ipairs(hyper.NAMES) do line[name] = s[name] end
  line.seconds = self.clock:training(loop)
  self.measurements:add_columns(line, s)
  self.run:record(line)
  self.written = s.step
end

---Writes the line of the steps since the last one: their mean loss, and the values of the last
---update. An interrupt waits meanwhile: the end of the fit would write the same step again.
---@param s swale.State
---@param loop swale.Loop
function Journal:step(s, loop)
  if not self.run or self.written == s.step then return end
  local _ <close> = process.deferred_interrupt()
  write_step(self, s, loop)
end

---Writes a line of another kind; step, examples and epoch are added.
---@param kind string
---@param s swale.State
---@param fields table
function Journal:event(kind, s, fields)
  if not self.run then return end
  fields.kind, fields.step, fields.examples, fields.epoch = kind, s.step, s.examples, s.epoch
  self.run:record(fields)
end

---Writes what measured steps took since the last such line. Measurements that are called have their
---seconds in their own lines.
---@param loop swale.Loop|swale.CustomLoop
function Journal:cost(loop)
  local along = self.clock:along(loop)
  if not self.run or along == self.along then return end
  self:event("cost", self.live, { name = self.measurements:names_along(),
    seconds = along - self.along })
  self.along = along
end

---Prints a line, through the run if there is one.
---@param text string
function Journal:say(text)
  if self.run then self.run:print("%s", text) else io.stderr:write(text, "\n") end
end

---@param s swale.State
---@param target swale.Mark
---@param loop swale.Loop|swale.CustomLoop
function Journal:progress(s, target, loop)
  if not self.run or not self.run:wants_progress() then return end
  local text = ("epoch %.1f  loss %.4f  lr %.4g  batch %d  %.4g steps/s"):format(s.epoch, s.loss,
    s.lr, s.batch_size, self.clock:rate(s.step, loop))
  self.run:progress { done = s[target.scale], total = math.ceil(target.at - 1e-6), text = text }
end

---Keeps the line of an epoch for the diagnosis at the end.
---@param line table
function Journal:remember(line) self.history[#self.history + 1] = line end

-- ------------------------------------------------------------------ checkpoints

--- One average is named "average", several "average.NAME"; "average_carry" is what float32 cannot
--- hold of it, "buffers.average" its re-estimated statistics.
local function add_averages(tensors, data, evaluator)
  local captured = averages.with_captures(evaluator.averages)
  for _, entry in ipairs(captured) do
    local part = #captured == 1 and "" or "." .. entry.name
    tensors["average" .. part] = entry.average:weights()
    tensors["average_carry" .. part] = entry.average:carry()
    tensors["buffers.average" .. part] = statistics.known(evaluator, entry.average)
    data["average_count" .. part] = tostring(entry.average.count)
  end
end

--- The values of the last update, which rules read, and the end of the fit if it is reached, from
--- which the next one counts.
local function metadata(self, goal)
  local s = self.live
  local reached = goal and marks.is_reached(goal, s)
  local data = { step = tostring(s.step), examples = tostring(s.examples), segments = self.segments,
    buffer_segments = self.buffer_segments,
    goal = reached and ("%s %.17g"):format(goal.scale, goal.at) or nil }
  for _, name in ipairs(M.LAST) do data[name] = ("%.17g"):format(s[name]) end
  return data
end

---Writes the last checkpoint of a fit, then once more with the re-estimated statistics of averages,
---which may take a pass over the data.
---@param loop swale.Loop|swale.CustomLoop
---@param goal swale.Goal
function Journal:conclude(loop, goal)
  if not self.run then return end
  self:checkpoint(loop, goal)
  if statistics.complete(self.evaluator, self.evaluator.averages) then
    self.saved = -1
    self:checkpoint(loop, goal)
  end
end

---@param loop swale.Loop|swale.CustomLoop
---@param goal swale.Goal
function Journal:checkpoint(loop, goal)
  local s, evaluator = self.live, self.evaluator
  if not self.run or self.saved == s.step then return end
  local tensors, data = loop:state_vectors(), metadata(self, goal)
  tensors.weights, tensors.buffers = evaluator.weights, evaluator.buffers
  data.average_count = "0"
  add_averages(tensors, data, evaluator)
  self.run:checkpoint(("step-%08d"):format(s.step), tensors, data)
  self.saved = s.step
end

---Writes the best weights on valid to checkpoints/best.safetensors.
---@param goal swale.Goal
function Journal:best(goal)
  if not self.run then return end
  local best = self.evaluator.best
  self.run:checkpoint("best", { weights = best.weights, buffers = best.buffers },
    metadata(self, goal), { keep = true })
end

-- ------------------------------------------------------------------ state

local KEPT = { "written", "saved", "taken", "loss_sum", "loss_examples" }

---Returns plain data for restore: sums of what is not written yet, what was printed.
---@return table
function Journal:state()
  local found = { said = copies.deep(self.said), history = copies.deep(self.history) }
  for _, name in ipairs(KEPT) do found[name] = self[name] end
  return found
end

---@param saved table
function Journal:restore(saved)
  for _, name in ipairs(KEPT) do self[name] = saved[name] end
  self.said, self.history = copies.deep(saved.said), copies.deep(saved.history)
end

---Starts again after so many examples: coming lines count from there.
---@param examples integer
function Journal:begin_anew(examples)
  self.written, self.saved, self.taken = -1, -1, examples
  self.loss_sum, self.loss_examples = 0, 0
end

return M
