--- How a training ends that does not reach its target.
local core = require "swale.core"
local errors = require "swale.errors"

local M = {}

local function number_text(x)
  if x ~= x then return "NaN" end
  return x == math.huge and "infinite" or ("%.4g"):format(x)
end

--- The first operation that gave what is not finite, if the core can tell.
local function blame(loop)
  local text = loop.blame and loop:blame()
  return text and "\n" .. text or ""
end

--- Data that are not finite make a loss that is none.
local function data_faults(self)
  local faults = require("swale.data.look").split(self.data.train)
  return faults and "\ndata.train." .. faults or ""
end

--- The words for a loss that is not finite; what led there is kept first.
local function diverge(self)
  local s = self.state
  local last = s.step > 0 and ("last finite %.4g at step %d; lr %.4g, gradient norm %.2g"):format(
    s.loss, s.step, s.lr, s.grad_norm) or ("at the first step; lr %.4g"):format(s.lr)
  self.journal:step(s, self.loop)
  self.journal:checkpoint(self)
  error(errors.diverged(("step %d: the loss is %s (%s).%s"):format(s.step + 1,
    number_text(rawget(s, "bad_loss") or 0 / 0), last, blame(self.loop) .. data_faults(self))), 0)
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
