--- The gradient noise scale tr(Sigma) / |G|^2 of a training with a 95 % interval, from per-example
--- gradient norms of measured steps (core/measure/noise.h). The interval is about the means of
--- tr(Sigma) and |G|^2 over a window of the last steps, each step with its number of pairs as its
--- weight; it survives changes of the batch size. At one point: sw.measure.noise.
local additive = require "swale.trainer.additive"
local core = require "swale.core"
local errors = require "swale.errors"
local estimate = require "swale.estimate"
local tree = require "swale.nn.tree"

---@type swale.MeasurementRow
local M = {
  options = { target = { choice = { "train", "population" }, "train" },
    window = { "duration", { epochs = 1 } },
    by = { choice = { "examples", "ghosts", "micro" } }, batch_size = "count?", units = "count?",
    objective = { choice = { "data", "regularised" }, "data" } },
  along = "norms", estimate = true,
}

--- Measured steps also find the norm of the gradient with weight decay.
local REGULARISED <const> = setmetatable({ along = "regularised norms" }, { __index = M })

---Where batches are the unit, nothing is measured along the steps. Ghosts are, without `by`, where
---ghost batch norms leave no other.
---@param o { by?: string, batch_size?: integer, units?: integer, objective: string }
---@param m swale.MeasurementFacts
---@return swale.MeasurementRow
function M.variant(o, m)
  o.by = o.by or math.tointeger(tree.coupled(m.graph.layer)) and "ghosts" or "examples"
  if o.by ~= "examples" then return require "swale.measurements.noise_of_batches" end
  if o.batch_size or o.units then
    errors.misuse('measure: noise_scale: batch_size and units are of by = "ghosts" and "micro"')
  end
  return o.objective == "regularised" and REGULARISED or M
end

local MEANS <const> = "the window's mean tr(Sigma) over its mean |G|^2, weighted by pairs, of the "
local TARGETS <const> = { train = "training set", population = "population" }

---What an estimate is about: `means` and the target.
---@param means string
---@param o { target: "train"|"population", objective: "data"|"regularised" }
---@return string
function M.target(means, o)
  return means .. TARGETS[o.target]
    .. (o.objective == "regularised" and ", regularised objective" or "")
end

---@class swale.KeptNoise
---@field noise swale.NoiseWindow
---@field estimate swale.Estimate   with first and last, the steps of its window, how many
---measurements and blocks it has, the means noise, of tr(Sigma), and signal, of |G|^2, and sure,
---the lower end that rules act on
---@field target string             of the estimate, once there is one
---@field scale number              of tr(Sigma): examples of a unit

--- Why it is not resolved; nil if it is.
local function reason(m, status, measurements, blocks, span)
  if status == "resolved" then return nil end
  if m.state.batch_size == 1 then
    return "a batch of 1 example has no noise within it: its norm is that of its example; 2 are"
      .. " needed"
  elseif status == "unresolved" then
    return "the gradient cannot be told from its noise yet: measure over more steps, or larger"
      .. " batches"
  end
  local needs = ("%d of %d blocks of %g updates or more"):format(blocks, core.NOISE_BLOCKS,
    math.ceil(span))
  if measurements >= core.NOISE_MEASUREMENTS then return needs end
  return ("%d of %d measurements with finite gradients, %s"):format(measurements,
    core.NOISE_MEASUREMENTS, needs)
end

---Examples of the window.
---@param m swale.MeasurementFacts
---@param o { window: swale.Duration }
---@return integer
function M.window_of(m, o)
  local examples = o.window:examples(m.epoch_examples)
  if not examples then
    errors.misuse("measure: %s: window must be in examples or epochs, not %s: the batch size may"
      .. " change", m.name, o.window)
  end
  return math.max(1, math.floor(examples))
end

---Raises where steps are of no regularised objective: the decay is apart from the gradient.
---@param m swale.MeasurementFacts
---@param o { objective: "data"|"regularised" }
function M.check_objective(m, o)
  local optimizer = m.optimizer
  if o.objective ~= "regularised" or optimizer.row.decay_in_gradient then return end
  errors.misuse('measure: %s: objective = "regularised" is of optimizers that add weight decay to'
    .. " the gradient, SGD and Adam; the decay of %s is apart from it, and its steps are of no"
    .. " such objective", m.name, optimizer.title)
end

---@param m swale.MeasurementFacts
---@param o { window: swale.Duration, objective: "data"|"regularised" }
function M.check(m, o)
  M.check_objective(m, o)
  local asks = "measure: " .. m.name
  if m.uneven then additive.refuse(m.uneven, asks, "leave measure out") end
  m.graph:norms(asks)
  M.window_of(m, o)
end

---A pending estimate, with what is known of its window. Weight decay adds to the gradient, not to
---its noise.
---@param o { objective: "data"|"regularised" }
---@return swale.Estimate
function M.blank(o)
  return estimate.new { first = 0, last = 0, measurements = 0, blocks = 0, sure = 0,
    objective = o.objective }
end

---@param m swale.MeasurementFacts
---@param o { target: "train"|"population", window: swale.Duration, objective: string }
---@return swale.KeptNoise
function M.prepare(m, o)
  return { estimate = M.blank(o),
    target = M.target(MEANS, o), scale = 1,
    noise = core.noise { target = o.target, independent = m.order == "independent",
      n = m.epoch_examples, window = M.window_of(m, o),
      regularised = o.objective == "regularised" } }
end

---@param kept swale.KeptNoise
---@param seen swale.MeasuredStep
function M.take(kept, seen)
  kept.noise:add(seen.step, seen.examples, seen.batch, seen.momentum, seen.sum_sumsq,
    seen.grad_sumsq, seen.regularised_sumsq)
end

---@param kept swale.KeptNoise
---@param m { state: swale.State }
---@return swale.Estimate
function M.read(kept, m)
  local e, span = kept.estimate
  local status, value, low, high, sure = kept.noise:read()
  local noise, signal = kept.noise:parts()
  e.noise, e.signal, e.sure = kept.scale * noise, signal, kept.scale * sure
  e.first, e.last, e.measurements, e.blocks, span = kept.noise:window()
  e.target = status ~= "pending" and kept.target or nil
  return e:update(status, kept.scale * value, kept.scale * low, kept.scale * high,
    reason(m, status, e.measurements, e.blocks, span))
end

---@param kept swale.KeptNoise
---@return table saved
function M.save(kept) return kept.noise:save() end

---@param kept swale.KeptNoise
---@param saved table
function M.load(kept, saved) kept.noise:load(saved) end

return M
