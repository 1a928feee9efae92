--- What a training writes down: lines of metrics, checkpoints, progress. Without a run, nothing.
local averages = require "swale.trainer.averages"
local copies = require "swale.copies"
local marks = require "swale.trainer.marks"
local segments = require "swale.segments"
local statistics = require "swale.trainer.statistics"

local M = {}

---@class swale.Journal
---@field run table|nil
---@field live swale.State
---@field evaluator swale.Evaluator
---@field measurements swale.Measurements
---@field line table        the line that is written next: one table, so that recording makes none
---@field history table[]   the records of the epochs
---@field said table        what a diagnosis has said already
---@field written integer   the step of the last line of steps; -1: none
---@field saved integer     the step of the last checkpoint; likewise
---@field taken integer     examples up to the last line
---@field loss_sum number   of the examples since the last epoch's end
---@field loss_examples integer
local Journal = {}
Journal.__index = Journal

---@param o { run: table|nil, graph: swale.CompiledGraph, state: swale.State,
---evaluator: swale.Evaluator, measurements: swale.Measurements }
---@return swale.Journal
function M.new(o)
  local graph, kept = o.graph, #o.graph.buffer_segments > 0
  return setmetatable({ run = o.run, evaluator = o.evaluator,
    measurements = o.measurements, live = o.state, line = { kind = "step" },
    segments = segments.json(graph.segments),
    buffer_segments = kept and segments.json(graph.buffer_segments) or nil,
    written = -1, saved = -1, taken = 0, loss_sum = 0, loss_examples = 0, said = {},
    history = {} }, Journal)
end

--- Mean loss since the last line; it goes into the epoch's mean as well.
local function take_loss(self, s, loop)
  local mean, n = loop:take_mean(), s.examples - self.taken
  self.taken = s.examples
  if n > 0 then
    self.loss_sum, self.loss_examples = self.loss_sum + n * mean, self.loss_examples + n
  end
  return mean
end

---Mean loss of the examples since the last call.
---@return number
function Journal:epoch_loss()
  local mean = self.loss_sum / self.loss_examples
  self.loss_sum, self.loss_examples = 0, 0
  return mean
end

---The line of some steps: mean loss since the last one, and what the last update used.
---@param s swale.State
---@param loop swale.Loop
function Journal:step(s, loop)
  if not self.run or self.written == s.step then return end
  local line = self.line
  line.step, line.examples, line.epoch = s.step, s.examples, s.epoch
  line.loss, line.grad_norm = take_loss(self, s, loop), s.grad_norm
  line.lr, line.batch_size = s.lr, s.batch_size
  line.momentum, line.weight_decay = s.momentum, s.weight_decay
  self.measurements:add_columns(line, s)
  self.run:record(line)
  self.written = s.step
end

---A line of another kind; step and examples are added.
---@param kind string
---@param s swale.State
---@param fields table
function Journal:event(kind, s, fields)
  if not self.run then return end
  fields.kind, fields.step, fields.examples, fields.epoch = kind, s.step, s.examples, s.epoch
  self.run:record(fields)
end

---Prints a line, through the run if there is one.
---@param text string
function Journal:say(text)
  if self.run then self.run:print("%s", text) else io.stderr:write(text, "\n") end
end

---@param s swale.State
---@param target swale.Mark
function Journal:progress(s, target)
  if not self.run or not self.run:wants_progress() then return end
  local text = ("epoch %.1f  loss %.4f  lr %.4g  batch %d"):format(s.epoch, s.loss, s.lr,
    s.batch_size)
  self.run:progress { done = s[target.scale], total = math.ceil(target.at - 1e-6), text = text }
end

---Keeps the record of an epoch, for the diagnosis at the end.
---@param line table
function Journal:remember(line) self.history[#self.history + 1] = line end

-- ------------------------------------------------------------------ checkpoints

--- One average stands under "average", several under "average.NAME"; what is below its last digit
--- under "average_carry", statistics that were re-estimated for it under "buffers.average".
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

--- With the end of the fit, where it is reached: the next one begins there.
local function metadata(self, goal)
  local s = self.live
  local reached = goal and marks.is_reached(goal, s)
  return { step = tostring(s.step), examples = tostring(s.examples), segments = self.segments,
    buffer_segments = self.buffer_segments,
    goal = reached and ("%s %.17g"):format(goal.scale, goal.at) or nil }
end

---The checkpoint that a training ends with: averages have the statistics that go with them in it.
---It is there before the pass over the data that these may take.
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

---Keeps the best weights on valid so far, as checkpoints/best.safetensors.
---@param goal swale.Goal
function Journal:best(goal)
  if not self.run then return end
  local best = self.evaluator.best
  self.run:checkpoint("best", { weights = best.weights, buffers = best.buffers },
    metadata(self, goal), { keep = true })
end

-- ------------------------------------------------------------------ state

local KEPT = { "written", "saved", "taken", "loss_sum", "loss_examples" }

---Plain data from which a journal goes on: sums of what was not written yet, what was said.
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

---Begins anew after as many examples: nothing before them is in the coming lines.
---@param examples integer
function Journal:begin_anew(examples)
  self.written, self.saved, self.taken = -1, -1, examples
  self.loss_sum, self.loss_examples = 0, 0
end

return M
