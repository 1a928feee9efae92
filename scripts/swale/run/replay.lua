--- The execution of a script up to the point from which its run goes on: fits that had ended are
--- restored, not trained. A run that is resumed writes nothing before that point, because its files
--- have it already; a fork, which is a new run, writes all but the restored fits.
local checkpoint = require "swale.trainer.checkpoint"
local class = require "swale.class"
local core = require "swale.core"
local errors = require "swale.errors"
local folders = require "swale.folders"
local lines = require "swale.run.lines"
local marks = require "swale.trainer.marks"
local points = require "swale.run.point"
local terms = require "swale.trainer.terms"

local M = {}

---@class swale.Replay
---@field dir string           of the run that has the checkpoints
---@field point swale.Point    where it ends
---@field fork boolean         into a new run
---@field reseeded? boolean     a fork with random numbers of its own
---@field inherited? integer    fits before this number are those of the run that was forked
---@field rescale boolean      schedules may change with a length
---@field changed boolean      the script has changed
---@field say fun(fmt: string, ...)
---@field started fun(run: swale.Run)   called at the point, before the run is written on
local Replay = {}
Replay.__index = Replay

---@param o swale.Replay
---@return swale.Replay
function M.new(o) return setmetatable(o, Replay) end

-- ------------------------------------------------------------------ what a fit was asked for

local function refuse_change(change, number)
  errors.misuse("resume: %s of fit %d was %s and is %s now, which is another training; `swale fork`"
    .. " makes a run of it that goes on from a checkpoint", change.name, number, change.from,
    change.to)
end

local function refuse_rescaled(change, number)
  errors.misuse("resume: %s of fit %d would be rescaled: it was %s and is %s now, so that its"
    .. " values jump here; --rescale goes on with it", change.name, number, change.from, change.to)
end

--- Checks that a fit is the one that the point is of.
local function check_fit(self, fit, point)
  if fit.trainer ~= point.trainer then
    errors.misuse("%s: fit %d of the script is one of trainer %d, and was one of trainer %d: the"
      .. " script does other things than before", self:name(), fit.number, fit.trainer,
      point.trainer)
  end
  if self.fork or fit.number < (self.inherited or 0) then return end
  for _, change in ipairs(terms.changes(point.terms, fit.terms)) do
    if self.changed or change.rescaled and self.rescale then
      self.say("%s of fit %d: %s, was %s", change.name, fit.number, change.to, change.from)
    elseif change.rescaled then
      refuse_rescaled(change, fit.number)
    else
      refuse_change(change, fit.number)
    end
  end
end

local function check_length(self, fit, point, engine)
  if self.fork or fit.number < (self.inherited or 0) then return end
  if fit.terms.length == point.terms.length then return end
  if fit.number < self.point.fit then
    errors.misuse("resume: fit %d would take %s instead of %s, but fit %d has begun after it: its"
      .. " record would be lost. `swale fork` makes a new run", fit.number, fit.terms.length,
      point.terms.length, self.point.fit)
  end
  self.say("fit %d takes %s instead of %s", fit.number, fit.terms.length, point.terms.length)
  local functions = terms.functions(engine)
  if #functions > 0 then
    self.say("what Lua functions read is not known; they may change with it: %s",
      table.concat(functions, ", "))
  end
end

---What is done, for messages.
---@return "resume"|"fork"
function Replay:name() return self.fork and "fork" or "resume" end

---Says that the script ended before the point.
---@return string
function Replay:missed()
  return ("%s: the script ended before fit %d, which its checkpoint is of: it does other things"
    .. " than before"):format(self:name(), self.point.fit)
end

--- Whether nothing of the fit that is restored is left to train.
local function is_over(self, fit, point)
  if point ~= self.point then return true end
  return point.ended and not self.fork and fit.terms.length == point.terms.length
end

--- The end of a fit before the point; nil where there is none that can be restored, as where the
--- fit ended by an error that the script caught, or a memory has a function.
local function end_of(self, number)
  local path, point, why = points.fit_path(self.dir, number), nil, nil
  if folders.exists(path) then point, why = points.read(path) end
  if point then return point end
  self.say("fit %d has no checkpoint of its end%s: it is trained again", number,
    why and (" that can be used (%s)"):format(why) or "")
  return nil
end

---Returns the point to restore at the beginning of a fit; nil: the fit is trained.
---@param fit swale.FitOfRun
---@param engine swale.Engine
---@return swale.Point|nil
function Replay:restored(fit, engine)
  local point = self.point
  if fit.number < point.fit then point = end_of(self, fit.number) end
  if not point then return nil end
  check_fit(self, fit, point)
  check_length(self, fit, point, engine)
  point.over = is_over(self, fit, point)
  return point
end

-- ------------------------------------------------------------------ the point

--- What a fork takes from a checkpoint: what other terms do not replace.
local function parts_of_fork(self, parts, fit, point)
  for _, change in ipairs(terms.changes(point.terms, fit.terms)) do
    local name = change.name
    if name == "optimizer" then
      errors.misuse("fork: the optimizer was %s and is %s now, which has another state",
        change.from, change.to)
    end
    if parts.rules then parts.rules[name] = nil end
    if parts.script then parts.script.settings[name] = nil end
    if parts.averages then parts.averages[name:gsub("^average ", "")] = nil end
  end
  if self.reseeded then
    parts.sampler, parts.script.random, parts.script.rand = nil, nil, nil
  end
  return parts
end

local function words_of(segment)
  return segment and ("%s %s"):format(segment.path, errors.shape_text(segment.shape)) or "nothing"
end

--- Refuses a model of other weights, by the first that differ.
local function check_model(self, engine, metadata)
  for name, text in pairs { segments = metadata.segments,
    buffer_segments = metadata.buffer_segments or "[]" } do
    local saved, own = core.json_decode(text) or {}, engine.graph[name]
    for i = 1, math.max(#saved, #own) do
      local before, now = words_of(saved[i]), words_of(own[i])
      if before ~= now then
        errors.misuse("%s: the checkpoint has %s where the model of the script has %s: it goes on"
          .. " with the same model alone", self:name(), before, now)
      end
    end
  end
end

---Restores the training of a point.
---@param engine swale.Engine
---@param fit swale.Fit
---@param point swale.Point
function Replay:restore(engine, fit, point)
  local parts, metadata, code = checkpoint.read(point.path)
  if not parts then errors.environment(metadata, code) end
  check_model(self, engine, metadata)
  if self.fork then
    parts = parts_of_fork(self, parts, fit.of_run, point)
    parts.journal = nil
  end
  checkpoint.restore(engine, parts)
  if point.over or not marks.is_reached(fit.goal, engine.state) then return end
  if fit.of_run.terms.length ~= point.terms.length then
    errors.misuse("%s: fit %d is at step %d already, which is behind the end of %s", self:name(),
      point.fit, point.step, fit.of_run.terms.length)
  elseif self.fork and not folders.exists(points.fit_path(self.dir, point.fit + 1)) then
    self.say("fit %d ended at step %d, so the fork does not train in it: that takes a longer fit,"
      .. " such as epochs=20, or an earlier checkpoint (--at)", point.fit, point.step)
  end
end

---Goes on from a point that was restored: from the last one the run is written.
---@param run swale.Run
---@param point swale.Point
function Replay:arrive(run, point)
  if point ~= self.point then return end
  self.started(run) -- if it fails before the run speaks, the record is as it was
  run.replay = nil
end

-- ------------------------------------------------------------------ a run that writes nothing

--- Makes the class of runs that write nothing. In run:summary { loss = train() } the method is
--- looked up before the training that makes the run write again.
local function silent_class(Run)
  local Silent = class.new("run",
    { parent = Run, fields = { "dir", "seed", "status", "resuming" } })
  for name, method in next, Run do
    if type(method) == "function" and name ~= "seconds" and not name:find "^__" then
      Silent[name] = function(run, ...)
        if getmetatable(run) ~= Silent then return method(run, ...) end
      end
    end
  end
  local function instead(name, f)
    Silent[name] = function(run, ...)
      return (getmetatable(run) == Silent and f or Run[name])(run, ...)
    end
  end
  instead("checkpoint", function(run, name)
    return ("%s/checkpoints/%s.safetensors"):format(run.dir, name)
  end)
  instead("plot", function(run)
    local path = run.dir .. "/plots/training.svg"
    return folders.exists(path) and path or nil
  end)
  return Silent
end

local Silent

---Makes a run write nothing until speak.
---@param run swale.Run
function M.silence(run)
  local Run = getmetatable(run)
  Silent = Silent or silent_class(Run)
  run.resuming = true
  setmetatable(run, Silent)
end

---Makes it write on: metrics and log are cut to so many bytes.
---@param run swale.Run
---@param Run table          its class
---@param metrics integer
---@param log integer
function M.speak(run, Run, metrics, log)
  setmetatable(run, Run)
  run.resuming, run.replay = nil, nil
  for name, bytes in pairs { metrics = metrics, log = log } do
    local path = ("%s/%s"):format(run.dir, name == "log" and "log.txt" or "metrics.jsonl")
    local file, message = lines.open(path, bytes)
    if not file then errors.environment(message, "EIO") end
    run[name] = file
  end
end

--- The step lines of metrics.jsonl behind so many bytes, as updates after a step.
---@param dir string
---@param bytes integer
---@param step integer
---@return integer
function M.repeated_steps(dir, bytes, step)
  local file, total = io.open(dir .. "/metrics.jsonl"), 0
  if not file then return 0 end
  file:seek("set", bytes)
  for line in file:lines() do
    local record = core.json_decode(line)
    local at = type(record) == "table" and record.kind == "step" and math.tointeger(record.step)
    if at then
      total = total + at - (at > step and step or 0) -- another trainer counts from 0
      step = at
    end
  end
  file:close()
  return total
end

return M
