--- The noise scale of a training by gradients of batches alone: of ghosts, where batch norms couple
--- their examples (by = "ghosts"), or of micro-batches (by = "micro"). At each mark `units` batches
--- of u examples are drawn independently of each other from the N of the training set, each without
--- replacement, and their gradients computed in training mode. With s their variance
---
---     tr(Sigma) = s / (1/u - 1/N)
---
--- and |G|^2 is that of the expected gradient of a batch of u, which under batch norm depends on u.
--- Costs a gradient of units * u examples.
local compiled = require "swale.compiled"
local core = require "swale.core"
local errors = require "swale.errors"
local noise_scale = require "swale.measurements.noise_scale"
local tree = require "swale.nn.tree"

---@type swale.MeasurementRow
local M = { options = noise_scale.options, estimate = true }

local UNITS <const> = 16

--- Examples of a ghost: batch norms of one size; "batch": the whole batch is one.
local function ghost_of(layer)
  local found
  tree.each(layer, function(one)
    local size = one:couples()
    if size and found and found ~= size then found = "batch" else found = size or found end
  end)
  return found
end

local function size_of(m, o)
  local where, ghost = "measure: " .. m.name, ghost_of(m.graph.layer)
  if o.by == "ghosts" and math.type(ghost) ~= "integer" then
    errors.misuse('%s: by = "ghosts" needs batch norms of one ghost size: nn.GhostBatchNorm(32)',
      where)
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

---@param m swale.MeasurementFacts
---@param o { by: string, batch_size?: integer, units?: integer, target: string }
function M.check(m, o)
  local where, size = "measure: " .. m.name, size_of(m, o)
  if o.target == "population" then
    errors.misuse('%s: by = "%s" has the target "train" alone', where, o.by)
  elseif size >= m.epoch_examples then
    errors.misuse("%s: a batch of %d examples is all of the training set", where, size)
  elseif o.units and o.units < 2 then
    errors.misuse("%s: units: 2 batches at least have noise", where)
  end
  noise_scale.window_of(m, o)
end

---@class swale.KeptBatchNoise: swale.KeptNoise
---@field size integer
---@field units integer

---@param m swale.MeasurementFacts
---@param o { by: string, batch_size?: integer, units?: integer }
---@return swale.KeptBatchNoise
function M.prepare(m, o)
  local size = size_of(m, o)
  return { size = size, units = o.units or UNITS, scale = 1 / (1 / size - 1 / m.epoch_examples),
    target = ("the window's mean tr(Sigma) over its mean |G|^2, by batches of %d, of the training"
      .. " set"):format(size),
    estimate = noise_scale.blank(),
    noise = core.noise { independent = true, window = noise_scale.window_of(m, o) } }
end

--- A batch of `size` different examples.
local function draw(m, size)
  local seen, list = {}, {}
  while #list < size do
    local i = m.random:integer(#m.train) - 1
    if not seen[i] then seen[i], list[#list + 1] = true, i end
  end
  local x, y = m.train:gather(core.tensor(list, "int32"))
  return { x = x, y = y, shape = m.train.shape, step = m.state.step, position = 0 }
end

---@param kept swale.KeptBatchNoise
---@param m swale.Measuring
---@return swale.Estimate
function M.read(kept, m)
  local f = compiled.compile(m.loss, m.model, { mode = "train" })
  local sum, squares = core.zeros({ #m.weights }, "float64"), 0
  for _ = 1, kept.units do
    local _, gradient = f:value_and_gradient(m.weights, draw(m, kept.size))
    sum:add(1, gradient:to "float64")
    squares = squares + gradient:dot(gradient)
  end
  local s = m.state
  kept.noise:add(s.step, s.examples, kept.units, s.momentum or 0, squares,
    sum:dot(sum) / kept.units ^ 2)
  return noise_scale.read(kept, m)
end

M.save, M.load = noise_scale.save, noise_scale.load

return M
