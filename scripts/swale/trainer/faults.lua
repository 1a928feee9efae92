--- How a training ends that does not reach its target.
local core = require "swale.core"
local errors = require "swale.errors"

local M = {}

local function number_text(x)
  if x ~= x then return "NaN" end
  return x == math.huge and "infinite" or ("%.4g"):format(x)
end

--- The first operation that gave what is not finite, if the core can tell. Not after an update:
--- what is computed again from other weights is another thing.
local function blame(self)
  local fault = self.state.fault
  local text = (fault == "loss" or fault == "gradient") and self.loop:blame()
  return text and "\n" .. text or ""
end

--- Data that are not finite make a loss that is none.
local function data_faults(self)
  local faults = require("swale.data.look").split(self.data.train)
  return faults and "\ndata.train." .. faults or ""
end

local function segment_of(self)
  local segment = self.graph.segments[rawget(self.state, "bad_segment")]
  return segment and (' of "%s"'):format(segment.path) or ""
end

local function last_step(s)
  if s.step == 0 then return "at the first step; lr " .. number_text(s.lr) end
  return ("last finite %s at step %d; lr %.4g, gradient norm %.2g"):format(number_text(s.loss),
    s.step, s.lr, s.grad_norm)
end

local FAULTS = {
  gradient = "the gradient%s is not finite; the loss is %s (%s)",
  weights = "the update made weights%s that are not finite; the loss is %s (%s)",
  buffers = "the running statistics%s are not finite; the loss is %s (%s)",
}

--- What was not finite, and what led there.
local function words(self)
  local s = self.state
  local loss, last = number_text(rawget(s, "bad_loss") or 0 / 0), last_step(s)
  local fmt = FAULTS[s.fault]
  if not fmt then return ("step %d: the loss is %s (%s)."):format(s.step + 1, loss, last) end
  return ("step %d: "):format(s.bad_step) .. fmt:format(segment_of(self), loss, last) .. "."
end

---Whether a fault left weights that are not to be used: only a loss that is not finite is seen
---before anything is changed.
---@param self swale.Engine
---@return boolean
function M.is_spoiled(self)
  local fault = rawget(self.state, "fault")
  return fault ~= nil and fault ~= false and fault ~= "loss"
end

---Raises where a fault has left weights that are not to be used.
---@param self swale.Engine
---@param where string
function M.refuse_spoiled(self, where)
  if not M.is_spoiled(self) then return end
  errors.misuse("%s: the training stopped at step %d, and its last weights are not to be used: the"
    .. " update was not finite, or was made in part. trainer:restore(sw.load(checkpoint)) goes back"
    .. " to a checkpoint; \"best\" and averages are as they were", where, self.state.bad_step)
end

--- What led there is kept first; weights only where they are whole.
local function diverge(self)
  local s = self.state
  self.journal:step(s, self.loop)
  if not M.is_spoiled(self) then self.journal:checkpoint(self) end
  error(errors.diverged(words(self) .. blame(self) .. data_faults(self)), 0)
end

---Raises for what advance gave instead of a reason to go on.
---@param self swale.Engine
---@param why string|nil
---@param message? string
---@param code? string
function M.stopped(self, why, message, code)
  if why == "interrupted" or code == "EINTERRUPTED" then error(core.INTERRUPTED, 0) end
  if code == "ENAN" then diverge(self) end
  if code == "ENOMEM" then
    message = ("%s; a batch has %d examples"):format(message, self.state.batch_size)
    if self.state.batch_size > 1 then message = message .. " (micro_batch splits it)" end
  end
  errors.environment(message, code)
end

---Looks at the last weights, which hooks and scripts may have written: raises where they are not
---finite.
---@param self swale.Engine
function M.check(self)
  local sound, message, code = self.loop:check()
  if sound then return end
  self.loop:state(self.state)
  M.stopped(self, nil, message, code)
end

---An interrupt ends a training in good order: what there is, is written. The run remembers, so that
---a script which catches the error does not go on to its next training.
---@param self swale.Engine
---@param fault any
function M.conclude(self, fault)
  if fault ~= core.INTERRUPTED then error(fault, 0) end
  core.clear_interrupt()
  if self.journal.run then self.journal.run.interrupted = true end
  if self.loop and self.state.step > 0 then
    self.loop:state(self.state)
    self.journal:step(self.state, self.loop)
    self.journal:checkpoint(self)
  end
  error(fault, 0)
end

return M
