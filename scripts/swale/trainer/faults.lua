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
local function blame(fit)
  local fault = fit.state.fault
  local text = (fault == "loss" or fault == "gradient") and fit.loop:blame()
  return text and "\n" .. text or ""
end

--- Data that are not finite make a loss that is none.
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

--- What was not finite, and what led there.
local function words(fit)
  local s = fit.state
  local loss, last = number_text(rawget(s, "bad_loss") or 0 / 0), last_step(s)
  local fmt = FAULTS[s.fault]
  if not fmt then return ("step %d: the loss is %s (%s)."):format(s.step + 1, loss, last) end
  return ("step %d: "):format(s.bad_step) .. fmt:format(segment_of(fit), loss, last) .. "."
end

---Whether a fault left weights that are not to be used: only a loss that is not finite is seen
---before anything is changed.
---@param s swale.State
---@return boolean
function M.is_spoiled(s)
  local fault = rawget(s, "fault")
  return fault ~= nil and fault ~= false and fault ~= "loss"
end

---Raises where a fault has left weights that are not to be used.
---@param s swale.State
---@param where string
function M.refuse_spoiled(s, where)
  if not M.is_spoiled(s) then return end
  errors.misuse("%s: the training stopped at step %d, and its last weights are not to be used: the"
    .. " update was not finite, or was made in part. trainer:restore(sw.load(checkpoint)) goes back"
    .. " to a checkpoint; \"best\" and averages are as they were", where, s.bad_step)
end

--- What led there is kept first; weights only where they are whole.
local function diverge(fit)
  fit.journal:step(fit.state, fit.loop)
  if not M.is_spoiled(fit.state) then fit.journal:checkpoint(fit.loop, fit.goal) end
  error(errors.diverged(words(fit) .. blame(fit) .. data_faults(fit)), 0)
end

---Raises for what advance gave instead of a reason to go on.
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

---Looks at the last weights, which hooks and scripts may have written: raises where they are not
---finite.
---@param fit swale.Fit
function M.check(fit)
  local sound, message, code = fit.loop:check()
  if sound then return end
  fit.loop:state(fit.state)
  M.stopped(fit, nil, message, code)
end

---An interrupt ends a training in good order: what there is, is written. The run remembers, so that
---a script which catches the error does not go on to its next training.
---@param fit swale.Fit
---@param fault any
function M.conclude(fit, fault)
  if fault ~= core.INTERRUPTED then error(fault, 0) end
  core.clear_interrupt()
  if fit.journal.run then fit.journal.run.interrupted = true end
  if fit.state.step > 0 then
    fit.loop:state(fit.state)
    fit.journal:step(fit.state, fit.loop)
    fit.journal:checkpoint(fit.loop, fit.goal)
  end
  error(fault, 0)
end

return M
