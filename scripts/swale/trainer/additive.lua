--- Whether a loss function that returns one number for a batch may be computed in parts: the mean
--- over a batch is the mean of the means of its parts; a root of it is not.
local core = require "swale.core"
local errors = require "swale.errors"

local M = {}

local EXAMPLES = 6
local SPREAD = 0.05     -- of the other weights: the model's may be all equal
local TOLERANCE = 1e-9  -- a sum of six losses in float64, in another order

local function loss_of(program, vectors, source, index)
  local x, y = source:gather(core.tensor(index, "int32"))
  return errors.check(program:run { inputs = { x, y }, vectors = vectors }):item()
end

--- The model's weights, and others close to them, in float64.
local function vectors_of(model)
  local weights, buffers = model:weights():to "float64", model:buffers()
  local moved = weights:clone()
  core.random(0, "check/additive"):fill_normal(moved, 0, SPREAD)
  buffers = buffers and buffers:to "float64"
  return { { weights, buffers }, { moved:add(1, weights), buffers } }
end

--- Positions first … last of EXAMPLES that are spread over the source.
local function spread(source, first, last)
  local index = {}
  for i = first, last do
    index[#index + 1] = math.floor((i - 1) * (#source - 1) / (EXAMPLES - 1) + 0.5)
  end
  return index
end

local function differ(a, b) return math.abs(a - b) > TOLERANCE * (math.abs(a) + math.abs(b)) end

--- Refuses a sum. Two examples would not do: 1 - r, r being their correlation, is 0 up to rounding.
local function check_twice(program, vectors, source)
  local index = spread(source, 1, EXAMPLES)
  local once = loss_of(program, vectors, source, index)
  table.move(index, 1, EXAMPLES, EXAMPLES + 1)
  local twice = loss_of(program, vectors, source, index)
  if math.abs(twice - once) > 1e-3 * math.abs(once) then
    errors.misuse("Trainer: a loss function that returns one number must return the mean over the"
      .. " batch: of %d examples this one is %.4g, of the same taken twice %.4g", EXAMPLES, once,
      twice)
  end
end

---@class swale.Uneven     a loss that is not the mean of its parts
---@field whole number     of a batch
---@field parts number     the mean of its parts' losses, by their sizes

---Refuses a loss that is a sum over the batch: its gradient would grow with it. Checks whether it
---is the mean of the losses of parts, by computing it for one batch, whole and in two parts; but
---not where the network couples examples in evaluation, too.
---@param graph swale.CompiledGraph     of mode "eval"
---@param model swale.Model
---@param source swale.Source
---@return swale.Uneven|nil             nil: it is that mean
function M.check(graph, model, source)
  if graph.each or graph.ratio then return nil end
  local program, coupled = graph:evaluation "float64", graph.output:dependence() == "mixed"
  for _, vectors in ipairs(vectors_of(model)) do
    check_twice(program, vectors, source)
    if coupled then return nil end
    local whole = loss_of(program, vectors, source, spread(source, 1, EXAMPLES))
    for cut = 1, EXAMPLES // 2 do
      local parts = (cut * loss_of(program, vectors, source, spread(source, 1, cut)) + (EXAMPLES
        - cut) * loss_of(program, vectors, source, spread(source, cut + 1, EXAMPLES))) / EXAMPLES
      if differ(whole, parts) then return { whole = whole, parts = parts } end
    end
  end
  return nil
end

---Raises the error of an option that would cut a batch.
---@param uneven swale.Uneven
---@param where string     "Trainer: micro_batch = 2"
---@param instead string   the remedy
function M.refuse(uneven, where, instead)
  errors.misuse("%s: the loss is not a mean over examples: of a batch it is %.5g, of its parts %.5g"
    .. " on average. A loss function that returns one value for each example may be cut; else %s",
    where, uneven.whole, uneven.parts, instead)
end

return M
