--- The noise scale of a training by gradients of batches alone: of ghosts, where batch norms couple
--- their examples (by = "ghosts"), or of micro-batches (by = "micro"). At each mark the gradients
--- of `units` batches of u of the N examples are computed in training mode; g is their mean and s
--- their variance (units - 1 in its denominator). |g|^2 - s/units is the mean product of two.
---
--- target "train": the batches are drawn independently of each other, each without replacement.
---     tr(Sigma) = s / (1/u - 1/N)        |G|^2 = |g|^2 - s/units
--- On the average over draws that is of the N examples, with N - 1 in Sigma's denominator.
--- target "population": no two batches share an example, so they are independent draws of what the
--- training set is a sample of.
---     tr(Sigma) = u s                    |G|^2 = |g|^2 - s/units
--- For micro-batches the latter is |G_N|^2 - tr(Sigma)/N on the average over draws from the N.
---
--- G is the expected gradient of a batch of u, which under batch norm depends on u.
--- Costs a gradient of units * u examples.
local compiled = require "swale.compiled"
local core = require "swale.core"
local errors = require "swale.errors"
local noise_scale = require "swale.measurements.noise_scale"
local tree = require "swale.nn.tree"

---@type swale.MeasurementRow
local M = { options = noise_scale.options, estimate = true }

local UNITS <const> = 16
local NAMES <const> = { ghosts = "ghosts", micro = "micro-batches" }

local function size_of(m, o)
  local where, ghost = "measure: " .. m.name, tree.coupled(m.graph.layer)
  if o.by == "ghosts" and math.type(ghost) ~= "integer" then
    errors.misuse('%s: by = "ghosts" needs ghost batch norms, nn.GhostBatchNorm(32), and none of'
      .. " whole batches", where)
  elseif o.by == "micro" and ghost then
    errors.misuse('%s: by = "micro" needs independent examples, but a batch norm couples them:'
      .. ' by = "ghosts", with nn.GhostBatchNorm(32)', where)
  elseif o.by == "micro" and not o.batch_size then
    errors.misuse('%s: by = "micro" needs batch_size, the examples of a micro-batch', where)
  elseif o.by == "ghosts" and o.batch_size and o.batch_size ~= ghost then
    errors.misuse("%s: batch_size is %d, but the ghosts of the network have %d examples", where,
      o.batch_size, ghost)
  end
  return o.by == "ghosts" and ghost or o.batch_size
end

--- How many batches: by default 16, and at most all without common examples.
local function units_of(m, o, size)
  local most = o.target == "population" and m.epoch_examples // size or UNITS
  return o.units or math.min(UNITS, most)
end

---@param m swale.MeasurementFacts
---@param o { by: string, batch_size?: integer, units?: integer, target: string }
function M.check(m, o)
  local where, size = "measure: " .. m.name, size_of(m, o)
  local units = units_of(m, o, size)
  if size >= m.epoch_examples then
    errors.misuse("%s: a batch of %d examples is all of the training set", where, size)
  elseif units < 2 then
    errors.misuse("%s: 2 batches of %d at least have noise: units must be 2 or more%s", where, size,
      o.target == "population" and ", without common examples" or "")
  elseif o.target == "population" and units * size > m.epoch_examples then
    errors.misuse('%s: target = "population" needs batches without common examples, and %d of %d'
      .. " are more than the training set's %d: units = %d, or fewer", where, units, size,
      m.epoch_examples, m.epoch_examples // size)
  end
  noise_scale.window_of(m, o)
  noise_scale.check_objective(m, o)
end

---@class swale.KeptBatchNoise: swale.KeptNoise
---@field size integer
---@field units integer
---@field apart boolean           no two batches of a mark share an example
---@field segments swale.LoopSegment[]|nil   with factors of weight decay, if it is regularised

---@param m swale.MeasurementFacts
---@param o { by: string, batch_size?: integer, units?: integer, target: string, objective: string }
---@return swale.KeptBatchNoise
function M.prepare(m, o)
  local size, apart = size_of(m, o), o.target == "population"
  local means = ("the window's mean tr(Sigma) over its mean |G|^2, by %s of %d, of the "):format(
    NAMES[o.by], size)
  local regularised = o.objective == "regularised"
  return { size = size, units = units_of(m, o, size), apart = apart,
    scale = apart and size or 1 / (1 / size - 1 / m.epoch_examples),
    target = noise_scale.target(means, o), estimate = noise_scale.blank(o),
    segments = regularised and m.segments or nil,
    noise = core.noise { independent = true, window = noise_scale.window_of(m, o),
      regularised = regularised } }
end

--- A batch of `size` different examples, none of which is in `seen`; adds them to it.
local function draw(m, size, seen)
  local list = {}
  while #list < size do
    local i = m.random:integer(#m.train) - 1
    if not seen[i] then seen[i], list[#list + 1] = true, i end
  end
  local x, y = m.train:gather(core.tensor(list, "int32"))
  return { x = x, y = y, shape = m.train.shape, step = m.state.step, position = 0 }
end

--- |g + decay w|^2, with the decay of the last update; frozen weights have none.
local function regularised_sumsq(kept, m, gradient)
  if not kept.segments then return nil end
  local both = gradient:clone()
  for _, s in ipairs(kept.segments) do
    if not s.frozen then
      both:narrow(1, s.first, s.length):add(m.state.weight_decay * s.weight_decay_factor,
        m.weights:narrow(1, s.first, s.length):to "float64")
    end
  end
  return both:dot(both)
end

---@param kept swale.KeptBatchNoise
---@param m swale.Measuring
---@return swale.Estimate
function M.read(kept, m)
  local f = compiled.compile(m.loss, m.model, { mode = "train" })
  local sum, squares, seen = core.zeros({ #m.weights }, "float64"), 0, {}
  for _ = 1, kept.units do
    local _, gradient = f:value_and_gradient(m.weights,
      draw(m, kept.size, kept.apart and seen or {}))
    sum:add(1, gradient:to "float64")
    squares = squares + gradient:dot(gradient)
  end
  local s, mean = m.state, sum * (1 / kept.units)
  kept.noise:add(s.step, s.examples, kept.units, s.momentum or 0, squares, mean:dot(mean),
    regularised_sumsq(kept, m, mean))
  return noise_scale.read(kept, m)
end

M.save, M.load = noise_scale.save, noise_scale.load

return M
