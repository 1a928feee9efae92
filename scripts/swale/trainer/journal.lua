--- The record of a training: lines of metrics, checkpoints, progress. Without a run it writes
--- nothing.
local checkpoint = require "swale.trainer.checkpoint"
local copies = require "swale.copies"
local core = require "swale.core"
local diagnosis = require "swale.trainer.diagnosis"
local hyper = require "swale.trainer.hyper"
local process = require "swale.process"
local savings = require "swale.trainer.saving"
local statistics = require "swale.trainer.statistics"
local upvalues = require "swale.trainer.upvalues"

local M = {}

---@class swale.Journal
---@field run table|nil
---@field engine swale.Engine
---@field live swale.State
---@field evaluator swale.Evaluator
---@field measurements swale.Measurements
---@field clock swale.Clock
---@field along number       seconds of measured steps that the record has
---@field line table        the next line of steps; one table, reused
---@field measured integer   measured steps of the loop that the record has the seconds of
---@field seen swale.Seen    what diagnoses need of the epochs
---@field said table        kinds of diagnoses that were printed
---@field written integer   the step of the last line of steps; -1: none
---@field saved integer     the step of the last whole checkpoint; likewise
---@field due boolean       a checkpoint is to be written
---@field stays boolean     and it stays
---@field is_best boolean   the weights are the best on valid so far, and no checkpoint has them
---@field saving swale.Saving|nil   when else; of a run
---@field upvalues table    of the functions of the present fit; of a run
---@field between boolean   the training is between two steps and nothing is due: it can be resumed
---from a checkpoint that is written now
---@field ended boolean     the fit is over
---@field watch integer     steps between two measurements of update ratios
---@field taken integer     examples up to the last line
---@field loss_sum number   of the examples since the last epoch's end
---@field loss_examples integer
local Journal = {}
Journal.__index = Journal

---@param engine swale.Engine
---@param run table|nil
---@return swale.Journal
function M.new(engine, run)
  return setmetatable({ run = run, engine = engine, evaluator = engine.evaluator,
    measurements = engine.measurements, clock = engine.clock, along = 0, measured = 0,
    live = engine.state, line = { kind = "step" }, written = -1, saved = -1, taken = 0,
    loss_sum = 0, loss_examples = 0, said = {}, seen = {}, due = false, stays = false,
    is_best = false, between = false, ended = false, watch = 0 }, Journal)
end

---Begins a fit of a run.
function Journal:begin_fit()
  if not self.run then return end
  self.saving = savings.new(self.engine.checkpoints or {}, self.run)
  self.upvalues = upvalues.watch(self.engine)
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

---Notes where the fit ends at the latest. Lines of steps have it, so readers know what is left.
---@param goal swale.Goal
---@param s swale.State
function Journal:aim(goal, s)
  local in_steps = goal.scale == "step"
  self.line.until_step = in_steps and goal.at or nil
  self.line.until_epoch = not in_steps and goal.at / s.epoch_examples or nil
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
  local made = loop:state({}).measurements
  if not self.run or made == self.measured then return end
  local along = self.clock:along(loop)
  self:event("cost", self.live, { name = self.measurements:names_along(),
    seconds = math.max(0, along - self.along) })
  self.along, self.measured = along, made
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
  local text = ("epoch %.1f  loss %.4f  lr %.4g  batch %d  %s"):format(s.epoch, s.loss, s.lr,
    s.batch_size, require("swale.progress").rate(self.clock:rate(s.step, loop)))
  self.run:progress { done = s[target.scale], total = math.ceil(target.at - 1e-6), text = text }
end

---Keeps what the diagnosis at the end needs of the line of an epoch.
---@param line table
function Journal:remember(line)
  diagnosis.add(self.seen, { epoch = line.epoch, loss = line.loss, valid_loss = line.valid_loss,
    dead_units = line.dead_units, update_ratio = line.update_ratio })
end

---Prints the diagnosis, each kind once in a run.
function Journal:diagnose()
  if not self.run then return end
  diagnosis.give(self.seen, function(kind, fmt, ...)
    if not self.said[kind] then self.run:print(fmt, ...) end
    self.said[kind] = true
  end)
end

-- ------------------------------------------------------------------ checkpoints

local function write(self, packed)
  local s, lacks = self.live, packed.lacks
  for _, what in ipairs(lacks) do
    if not self.said[what] then
      self.said[what] = true
      self:say(("%s: checkpoints lack it, and this run cannot be resumed"):format(what))
    end
  end
  if not self.between then lacks[#lacks + 1] = checkpoint.WITHIN end
  packed.metadata.lacks = #lacks > 0 and table.concat(lacks, "; ") or nil
  local path = self.run:checkpoint(self.run.fits:step_name(s.step), packed.tensors, packed.metadata,
    { keep = self.stays })
  if self.is_best then self.run.fits:keep_best(path) end
  self.stays, self.is_best = false, self.is_best and not self.between
  if self.between then self.saved = s.step end
  if self.saving then self.saving:written() end
  return path
end

local function say_changes(self)
  for _, sentence in ipairs(self.upvalues and upvalues.changes(self.upvalues) or {}) do
    if not self.said[sentence] then self:say(sentence) end
    self.said[sentence] = true
  end
end

--- The state of a checkpoint has the step of its own as that of the last one.
local function pack(self)
  local before = self.saved
  say_changes(self)
  self.saved, self.due = self.between and self.live.step or before, false
  local ok, packed = pcall(checkpoint.pack, self.engine)
  self.saved = before
  if not ok then error(packed, 0) end
  if self.between then
    local point = self.run.fits:point(self.live.step, self.ended, self.engine.fired)
    if point then point.stays, point.best = self.stays or nil, self.is_best or nil end
    packed.metadata.run = point and core.json_encode(point) or nil
  end
  return packed
end

---Writes a checkpoint, unless the last one has this step.
function Journal:checkpoint()
  if not self.run or self.saved == self.live.step then return end
  return write(self, pack(self))
end

---Whether a checkpoint is to be written at this mark.
---@return boolean
function Journal:is_due()
  return self.due or self.stays or self.saving ~= nil and self.saving:is_due()
end

---Writes one between two steps, from which the training can be resumed.
---@return string|nil path
function Journal:checkpoint_between()
  self.between = true
  local path = self:checkpoint()
  self.between = false
  return path
end

---Writes the checkpoint of the end of a fit, which the run keeps.
---@param fit swale.FitOfRun|nil
function Journal:finish(fit)
  if not self.run then return end
  self.ended, self.saved = true, -1
  local path = self:checkpoint_between()
  self.ended = false
  self.run.fits:keep(fit, path)
end

---Writes a checkpoint if one is due, before an error ends the fit.
function Journal:rescue() if self.due then self:checkpoint() end end

---Writes the line of the last steps, and a checkpoint. Its state is that before the line, which a
---training that is not interrupted does not have.
---@param loop swale.Loop|swale.CustomLoop
function Journal:interrupt(loop)
  if not self.run then return end
  local packed = self.saved ~= self.live.step and pack(self)
  self:step(self.live, loop)
  if packed then write(self, packed) end
end

---Before the end of a fit: where the statistics of averages are not known yet, which may take a
---pass over the data, writes a checkpoint first.
function Journal:conclude()
  if not self.run then return end
  self.due = true
  if not statistics.are_complete(self.evaluator) then
    self:checkpoint()
    self.due = true
    statistics.complete(self.evaluator)
  end
end

---Writes the best weights on valid to checkpoints/best.safetensors: their checkpoint, with all
---parts, gets this name, too, when it is written.
function Journal:best()
  if not self.run then return end
  local best = self.evaluator.best
  self.run:checkpoint("best", { weights = best.weights, buffers = best.buffers },
    checkpoint.metadata(self.engine), { keep = true })
  self.is_best = true
end

-- ------------------------------------------------------------------ state

local KEPT = { "written", "saved", "taken", "loss_sum", "loss_examples", "watch" }

---Returns plain data for restore: sums of what is not written yet, what was printed, and how long
---the files of the run are.
---@return table
function Journal:state()
  local loop, run = self.engine.loop, self.run
  local found = { said = copies.deep(self.said), seen = copies.deep(self.seen),
    told = copies.deep(self.measurements.told),
    along = self.clock:along(loop) - self.along,
    measured = loop:state({}).measurements - self.measured,
    offsets = run and run.fits:offsets() or nil }
  for _, name in ipairs(KEPT) do found[name] = self[name] end
  return found
end

---@param saved table
function Journal:restore(saved)
  local loop = self.engine.loop
  for _, name in ipairs(KEPT) do self[name] = saved[name] end
  self.said, self.seen = copies.deep(saved.said), copies.deep(saved.seen)
  self.measurements.told = copies.deep(saved.told)
  self.along = self.clock:along(loop) - saved.along
  self.measured = loop:state({}).measurements - saved.measured
  loop:watch_updates(self.run and self.watch or 0)
end

---Starts again after so many examples: coming lines count from there.
---@param examples integer
function Journal:begin_anew(examples)
  self.written, self.saved, self.taken = -1, -1, examples
  self.loss_sum, self.loss_examples = 0, 0
end

return M
