--- The gradient noise scale tr(Sigma) / |G|^2 with a 95 % interval, from per-example gradient norms
--- of measured steps (core/measure/noise.h).
local additive = require "swale.trainer.additive"
local core = require "swale.core"
local estimate = require "swale.estimate"

---@type swale.MeasurementRow
local M = {
  options = { target = { choice = { "train", "population" }, "train" } },
  along = "norms", estimate = true,
}

--- Why it is not resolved; nil if it is.
local function reason(m, status)
  local s, n = m.state, m.order ~= "independent" and m.epoch_examples or math.huge
  if status == "resolved" then return nil end
  if s.batch_size == 1 then
    return "a batch of 1 example has no noise within it to be measured: 2 are needed"
  elseif s.batch_size >= n then
    return ("a batch of all %d examples is the training set itself: it has no noise"):format(n)
  elseif status == "unresolved" then
    return "the gradient cannot be told from its noise yet: measure over more steps, or larger"
      .. " batches"
  end
  return ("%d measurements at one batch size are needed, of gradients that are finite"):format(
    core.NOISE_MEASUREMENTS)
end

---@param m swale.MeasurementFacts
function M.check(m)
  local asks = "measure: " .. m.name
  if m.uneven then additive.refuse(m.uneven, asks, "leave measure out") end
  m.graph:norms(asks)
end

---For batches drawn with replacement the training set is the population, whatever the target.
---@param m swale.MeasurementFacts
---@param o { target: "train"|"population" }
---@return { noise: swale.Noise, estimate: swale.Estimate } kept
function M.prepare(m, o)
  local noise = m.order == "independent" and core.noise "population"
    or core.noise(o.target, m.epoch_examples)
  return { noise = noise, estimate = estimate.new() }
end

---@param kept table
---@param seen swale.MeasuredStep
function M.take(kept, seen) kept.noise:add(seen.batch, seen.sum_sumsq, seen.grad_sumsq) end

---@param kept table
---@param m swale.MeasurementFacts
---@return swale.Estimate
function M.read(kept, m)
  local status, value, low, high = kept.noise:read()
  return kept.estimate:update(status, value, low, high, reason(m, status))
end

---@param kept table
---@return table saved
function M.save(kept) return kept.noise:save() end

---@param kept table
---@param saved table
function M.load(kept, saved) kept.noise:load(saved) end

return M
