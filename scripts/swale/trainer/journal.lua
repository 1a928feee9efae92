--- What a training writes down: lines of metrics, checkpoints, progress. Without a run, nothing.
local averages = require "swale.trainer.averages"
local core = require "swale.core"

local M = {}

---@class swale.Journal
---@field run table|nil
---@field line table        the line that is written next: one table, so that recording makes none
---@field loss_sum number   of the examples since the last epoch's end
---@field said table        what a diagnosis has said already
local Journal = {}
Journal.__index = Journal

---@param run table|nil
---@param segments swale.Segment[]
---@return swale.Journal
function M.new(run, segments)
  local map = {}
  for i, s in ipairs(segments) do
    map[i] = { path = s.path, offset = s.offset, shape = s.shape }
  end
  return setmetatable({ run = run, line = { kind = "step" }, segments = core.json_encode(map),
    written = -1, saved = -1, taken = 0, loss_sum = 0, loss_examples = 0, said = {} }, Journal)
end

local function add_noise(line, noise)
  if not noise then return end
  line.noise_scale, line.noise_scale_low = noise.value, noise.low
  line.noise_scale_high, line.noise_scale_status = noise.high, noise.status
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
  add_noise(line, rawget(s, "noise_scale"))
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

---@param s swale.State
---@param target swale.Mark
function Journal:progress(s, target)
  if not self.run or not self.run:wants_progress() then return end
  local text = ("epoch %.1f  loss %.4f  lr %.4g  batch %d"):format(s.epoch, s.loss, s.lr,
    s.batch_size)
  self.run:progress { done = s[target.scale], total = math.ceil(target.at - 1e-6), text = text }
end

--- One average stands under "average", several under "average.NAME".
local function tensors_of(weights, loop, captured)
  local tensors = loop:state_vectors()
  tensors.weights = weights
  for _, entry in ipairs(captured) do
    local name = #captured == 1 and "average" or "average." .. entry.name
    tensors[name] = entry.average:weights()
  end
  return tensors
end

local function metadata(self, s, captured)
  local data = { step = tostring(s.step), examples = tostring(s.examples),
    segments = self.segments, average_count = "0" }
  for _, entry in ipairs(captured) do
    local name = #captured == 1 and "average_count" or ("average_count.%s"):format(entry.name)
    data[name] = tostring(entry.average.count)
  end
  return data
end

---@param s swale.State
---@param weights swale.Tensor
---@param loop swale.Loop
---@param list swale.NamedAverage[]
function Journal:checkpoint(s, weights, loop, list)
  if not self.run or self.saved == s.step then return end
  local captured = averages.with_captures(list)
  self.run:checkpoint(("step-%08d"):format(s.step), tensors_of(weights, loop, captured),
    metadata(self, s, captured))
  self.saved = s.step
end

---Keeps the best weights on valid so far, as checkpoints/best.safetensors.
---@param s swale.State
---@param weights swale.Tensor
function Journal:best(s, weights)
  if not self.run then return end
  self.run:checkpoint("best", { weights = weights }, { step = tostring(s.step),
    examples = tostring(s.examples), segments = self.segments }, { keep = true })
end

return M
