--- The gradient noise at frozen weights (McCandlish et al. 2018): signal |G|^2, noise tr(Sigma),
--- and the batch sizes and learning rates that follow.
local core = require "swale.core"
local errors = require "swale.errors"
local estimate = require "swale.estimate"
local hessians = require "swale.measure.noise_hessian"
local layers = require "swale.measure.noise_layers"
local options = require "swale.options"
local result = require "swale.measure.noise_result"
local statistics = require "swale.measure.noise_statistics"
local subjects = require "swale.measure.subject"
local tree = require "swale.nn.tree"
local units = require "swale.measure.noise_units"

local M = {}

local WHERE = "measure.noise"
local FEWEST = 8 -- units, for an interval

local OPTIONS = subjects.spec { by = { choice = { "examples", "two_batches", "micro", "ghosts" } },
  batch_size = "count?", chunk = { "count", 1024 }, of = "count?",
  replacement = { "boolean", false }, hessian = { "boolean", false },
  layers = { "boolean", false }, probes = { "count", 1 },
  target = { choice = { "train", "population" }, "train" },
  objective = { choice = { "data", "regularised" } } }

-- ------------------------------------------------------------------ options

local function refuse_coupled(by)
  errors.misuse('%s: by = "%s" needs independent examples, but a batch norm in training mode, or a'
    .. ' loss that is no mean over examples, couples them; by = "ghosts" takes batches of one size'
    .. ' as the unit, mode = "eval" uses running statistics', WHERE, by)
end

--- How the sample is cut: the size of a unit.
local function unit_size(o, subject)
  local by = o.by or subject.whole and "ghosts" or "examples"
  if by == "ghosts" then
    if not subject.whole then
      errors.misuse('%s: by = "ghosts" is for networks whose examples are coupled, as by'
        .. ' nn.GhostBatchNorm with mode = "train"; here by = "examples" tells more', WHERE)
    end
    local coupled = tree.coupled(subject.model.layer)
    return by, o.batch_size or math.tointeger(coupled) or errors.misuse("%s: by = \"ghosts\": the"
      .. " whole batch is normalised together: batch_size = 32 says how large it is", WHERE)
  elseif subject.whole then
    refuse_coupled(by)
  elseif by == "examples" then
    if o.batch_size then
      errors.misuse('%s: batch_size is the unit of by = "micro", "two_batches" and "ghosts"; how'
        .. " many examples are computed at a time is chunk", WHERE)
    end
    return by, 1
  end
  return by, o.batch_size or errors.misuse('%s: by = "%s" needs batch_size', WHERE, by)
end

local function check_objective(o)
  if o.objective == "data" then
    o.weight_decay = 0
  elseif o.objective == "regularised" and o.weight_decay == 0 then
    errors.misuse('%s: objective = "regularised" needs weight_decay', WHERE)
  end
  o.objective = o.weight_decay == 0 and "data" or "regularised"
end

--- The examples that the sample was drawn from.
local function drawn_from(o, subject, sample)
  local of = o.of or sample.drawn_from or subject.n
  if of < subject.n and not o.replacement then
    errors.misuse("%s: of = %d, the number of examples that the sample was drawn from, is less"
      .. " than its %d", WHERE, of, subject.n)
  elseif o.replacement and not o.of then
    errors.misuse("%s: replacement needs of, the number of examples that were drawn from", WHERE)
  end
  return of
end

--- Coupled units of given examples, each drawn by itself: the mean product of two is |G|^2. Of a
--- partition it is less, by the part of the variance that single examples have, which is not known.
local function drawn_by_units(o, n)
  return { size = o.size / (1 - o.size / n), n = n, of = n, replacement = true, target = "train",
    by_examples = false, exact = false }
end

local function target_text(o, drawn)
  local about = ("%s, %s objective, %s mode"):format(
    o.size == 1 and "an example" or ("a batch of %d"):format(o.size), o.objective, o.mode)
  if drawn.exact or o.independent then
    return ("the %d examples given (%s)"):format(drawn.n, about)
  end
  return o.target == "train"
    and ("the %d examples that %d were drawn from (%s)"):format(drawn.of, drawn.n, about)
    or ("the population that %d examples were drawn from (%s)"):format(drawn.n, about)
end

-- ------------------------------------------------------------------ measuring

local function drawn_as(o, n, of)
  return { size = o.size, n = n, of = of, replacement = o.replacement, target = o.target,
    by_examples = o.by == "examples",
    exact = o.target == "train" and not o.replacement and n == of }
end

local function pending(why)
  local function one(signed) return estimate.new { signed = signed, reason = why } end
  return result.new { b_simple = one(), signal = one(true), noise = one() }
end

local function counted(count, size)
  return size == 1 and ("%d examples"):format(count) or ("%d units of %d examples"):format(count,
    size)
end

local function too_few(o, subject)
  local count = subject.n // o.size
  if subject.n == 1 then
    return "one example has no noise within it to be measured: 2 are needed"
  elseif count < FEWEST then
    return ("%s: at least %d are needed"):format(counted(count, o.size), FEWEST)
  end
end

--- G_N'H_N G_N of all examples.
local function exact_curvature(subject, read)
  local g = core.zeros({ subject.selected }, "float64")
  for k = 1, #read.blocks do g:add(1 / (read.n // read.size), read.sums:select(1, k)) end
  return g:dot(subject:operator()(g))
end

local function curvature_of(o, subject, read, drawn, noise)
  local count = read.n // read.size
  if count < hessians.FEWEST then
    return nil, ("the curvature is not measured of %s: %d are needed"):format(
      counted(count, read.size), hessians.FEWEST)
  end
  local exact = drawn.exact and not subject.whole and exact_curvature(subject, read) or nil
  return hessians.estimates(read, hessians.read(subject, read, { most = o.chunk,
    probes = o.probes }), drawn, noise.signal.value, exact, noise.few)
end

---@class swale.NoiseOptions: swale.SubjectOptions
---@field by? "examples"|"two_batches"|"micro"|"ghosts"   the unit: an example ("examples", the
---default), or a batch of batch_size examples
---@field batch_size? integer     examples of a unit; of ghosts, by default the layers'
---@field of? integer             examples that the sample was drawn from, without replacement; a
---split:sample knows; else those given
---@field replacement? boolean    false; it was drawn with replacement
---@field target? "train"|"population"   "train": the mean over those `of` examples. "population":
---the expectation over fresh ones
---@field objective? "data"|"regularised"   "regularised": with weight_decay, which it is then
---@field hessian? boolean        false; also B_noise, eps_max, eps_opt(B) and progress(B)
---@field layers? boolean         false; also of each layer, and of normalisation layers alone
---@field probes? integer         random signs of each example for tr(H Sigma); 1
---@field chunk? integer          most examples computed at a time, by = "examples"; 1024

---The noise of the gradient at these weights: B_simple = tr(Sigma) / |G|^2, its parts, and their
---intervals:
---    local noise = sw.measure.noise(model, data.train:sample(500), { target = "population" })
---    print(noise.b_simple)
---Every pair of examples counts: the standard error of |G|^2 is that of the whole sample, for any
---batch size. The whole training set gives its |G|^2 exactly. by = "micro" and "two_batches" are
---one estimator, from gradients of batches alone (eq. A.1, batch_size being the small batch and the
---sample the large one); under batch norm in training mode the gradient itself depends on the
---batch's size, and "ghosts" measures that of a batch of batch_size: of batches drawn from the
---examples given, whatever they were drawn from, or of the population.
---A pass over the sample costs a gradient of each example; norms add a few per cent.
---@param model swale.Model
---@param sample swale.Split|swale.Batch
---@param o? swale.NoiseOptions
---@return swale.Noise
function M.noise(model, sample, o)
  o = options.check(WHERE, o, OPTIONS)
  check_objective(o)
  local subject = subjects.of(WHERE, model, sample, o)
  o.by, o.size = unit_size(o, subject)
  local why = too_few(o, subject)
  if why then return pending(why) end
  local of = drawn_from(o, subject, sample)
  o.independent = subject.whole and o.target == "train"
  local read = units.read(subject, { size = o.size, by_examples = o.by == "examples",
    independent = o.independent, each = o.layers, most = o.chunk })
  local fault = units.fault(subject, read)
  if fault then return pending(fault) end
  local drawn = o.independent and drawn_by_units(o, subject.n) or drawn_as(o, read.n, of)
  local noise = statistics.estimates({ gram = statistics.gram(read.sums), units = read.units,
    squares = read.squares, weights = subject.selected }, drawn, target_text(o, drawn))
  noise.examples, noise.by = read.n, o.by
  if o.hessian then
    noise.second, noise.needs = curvature_of(o, subject, read, drawn, noise)
  end
  if o.layers then layers.add(noise, subject, read, drawn) end
  return result.new(noise)
end

return M
