--- Errors that end a training: divergence, lack of memory, interrupts.
local core = require "swale.core"
local errors = require "swale.errors"

local M = {}

local function number_text(x)
  if x ~= x then return "NaN" end
  return x == math.huge and "infinite" or ("%.4g"):format(x)
end

--- The first operation whose result was not finite, if the core finds it. Not after an update,
--- which has changed the weights.
local function first_nan(fit)
  local fault = fit.state.fault
  local text = (fault == "loss" or fault == "gradient") and fit.loop:first_nan()
  return text and "\n" .. text or ""
end

--- Values of the data that are not finite, which may be the cause.
local function data_faults(fit)
  local faults = require("swale.data.look").split(fit.train)
  return faults and "\ndata.train." .. faults or ""
end

local function segment_of(fit)
  local segment = fit.segments[rawget(fit.state, "bad_segment")]
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

--- What was not finite, with the last finite step.
local function words(fit)
  local s = fit.state
  local loss, last = number_text(s.bad_loss), last_step(s)
  local fmt = FAULTS[s.fault]
  if not fmt then return ("step %d: the loss is %s (%s)."):format(s.step + 1, loss, last) end
  return ("step %d: "):format(s.bad_step) .. fmt:format(segment_of(fit), loss, last) .. "."
end

---Whether a fault left weights that must not be used. A loss that is not finite is found before the
---update; any other fault is found after part of it.
---@param s swale.State
---@return boolean
function M.is_spoiled(s)
  local fault = rawget(s, "fault")
  return fault ~= nil and fault ~= false and fault ~= "loss"
end

---Raises if a fault has left weights that must not be used.
---@param s swale.State
---@param where string
function M.refuse_spoiled(s, where)
  if not M.is_spoiled(s) then return end
  errors.misuse("%s: the training stopped at step %d, and its last weights must not be used: the"
    .. " update was not finite, or was made in part. trainer:restore(sw.load(checkpoint)) goes back"
    .. " to a checkpoint; \"best\" and averages are as they were", where, s.bad_step)
end

--- Records the last steps first, and a checkpoint if the weights are whole.
local function diverge(fit)
  fit.journal:step(fit.state, fit.loop)
  if not M.is_spoiled(fit.state) then fit.journal:checkpoint() end
  error(errors.diverged(words(fit) .. first_nan(fit) .. data_faults(fit)), 0)
end

---Raises for the fault or interrupt that advance returned.
---@param fit swale.Fit
---@param why string|nil
---@param message? string
---@param code? string
function M.stopped(fit, why, message, code)
  if why == "interrupted" or code == "EINTERRUPTED" then error(core.INTERRUPTED, 0) end
  if code == "ENAN" then diverge(fit) end
  if code == "ENOMEM" then
    local batch = fit.state.batch_size
    message = ("%s; a batch has %d examples"):format(message, batch)
    if batch > 1 then message = message .. " (micro_batch splits it)" end
  end
  errors.environment(message, code)
end

---Raises if the last weights are not finite, which hooks and scripts may have written.
---@param fit swale.Fit
function M.check(fit)
  local sound, message, code = fit.loop:check()
  if sound then return end
  fit.loop:state(fit.state)
  M.stopped(fit, nil, message, code)
end

--- A fault in what is due at the end of an epoch or fit loses no checkpoint.
local function rescue(fit, fault)
  if not M.is_spoiled(fit.state) then pcall(fit.journal.rescue, fit.journal) end
  error(fault, 0)
end

---Raises what ended a fit. On an interrupt the last steps and a checkpoint are written first, and
---the run is marked, so that a script that catches the error does not start its next training.
---@param fit swale.Fit
---@param fault any
function M.conclude(fit, fault)
  if fault ~= core.INTERRUPTED then rescue(fit, fault) end
  core.clear_interrupt()
  if fit.journal.run then fit.journal.run.interrupted = true end
  if fit.state.step > 0 then
    fit.loop:state(fit.state)
    fit.journal:interrupt(fit.loop)
  end
  error(fault, 0)
end

return M
