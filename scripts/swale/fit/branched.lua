--- The critical batch size from branches of one training (Merrill et al. 2025).
local class = require "swale.class"
local errors = require "swale.errors"
local estimate = require "swale.estimate"
local figure = require "swale.plot.figure"
local location = require "swale.stats.location"
local options = require "swale.options"

local M = {}

---@class swale.BranchedBatch
---@field b_crit swale.Estimate     the largest batch size whose loss is still as low
---@field points swale.BranchPoint[]   one a factor
---@field batch number              of the training
---@field lr number
---@field tolerance number
---@field scaling string            how the rate grew: "linear", "sqrt", "a function"
local BranchedBatch = class.new("branched_batch", { name = "swale.BranchedBatch", fields = {
  "b_crit", "points", "batch", "lr", "tolerance", "scaling" } })

---@class swale.BranchPoint
---@field factor integer
---@field batch integer
---@field lr number
---@field losses number[]           one a repeat; infinite where the branch diverged
---@field loss number               their mean
---@field holds "yes"|"no"|"unresolved"   the loss is within tolerance of those of all smaller ones

function BranchedBatch:__tostring()
  local lines = { ("B_crit %s"):format(self.b_crit) }
  for _, p in ipairs(self.points) do
    lines[#lines + 1] = ("batch %d, lr %.4g: loss %.5g, within tolerance: %s"):format(p.batch, p.lr,
      p.loss, p.holds)
  end
  return table.concat(lines, "\n")
end

---Draws the losses of all branches over their batch sizes.
---@param file string               .svg, .png or .pdf
---@return string file
function BranchedBatch:plot(file)
  local means, each = { x = {}, y = {} }, { x = {}, y = {} }
  for i, p in ipairs(self.points) do
    means.x[i], means.y[i] = p.batch, p.loss
    for _, loss in ipairs(p.losses) do
      each.x[#each.x + 1], each.y[#each.y + 1] = p.batch, loss
    end
  end
  return figure.draw("branched_batch:plot", { file = file, x_log = true, x_label = "batch size",
    y_label = "loss after the branch", legend = "top left",
    { x = each.x, y = each.y, as = "points", mark = 1, point_size = 0.5, colour = "sky",
      label = "a branch" },
    { x = means.x, y = means.y, as = "both", mark = 1, label = "mean" },
    { x = { self.b_crit.value }, as = "vertical", colour = "grey", dash = "dashed",
      label = "largest within tolerance" } })
end

-- ------------------------------------------------------------------ branches

local SCALINGS = { none = function() return 1 end, linear = function(k) return k end,
  sqrt = math.sqrt }

--- Loss of a branch; infinite if it diverged.
local function branch(trainer, point, repeat_number, o)
  local fork = trainer:fork { lr = point.lr, batch_size = point.batch, average = {}, measure = {},
    seed = repeat_number > 1 and o.seed + repeat_number or nil }
  local ok, why = pcall(fork.fit, fork, o.length)
  if ok then
    local loss = fork:evaluate("last", { on = o.on }).loss
    return loss == loss and loss or math.huge
  elseif type(why) == "table" and why.kind == "diverged" then
    return math.huge
  end
  error(why, 0)
end

local function mean_of(list)
  local sum = 0
  for _, x in ipairs(list) do sum = sum + x end
  return sum / #list
end

local function run_points(trainer, o)
  local points, scale = {}, o.scale
  for i, k in ipairs(o.factors) do
    local p = { factor = k, batch = k * o.batch_size, lr = o.lr * scale(k), losses = {} }
    for r = 1, o.repeats do p.losses[r] = branch(trainer, p, r, o) end
    p.loss = mean_of(p.losses)
    points[i] = p
  end
  return points
end

-- ------------------------------------------------------------------ verdicts

--- L_k - L_j over repeats as a location; nil where a loss is infinite.
local function difference(p, q)
  local d = {}
  for r, loss in ipairs(p.losses) do
    d[r] = loss - q.losses[r]
    if d[r] - d[r] ~= 0 then return nil end
  end
  return location.of_mean(d)
end

local function all_diverged(p)
  for _, loss in ipairs(p.losses) do if loss < math.huge then return false end end
  return true
end

--- p-values of "L_k is above some smaller one by the tolerance or more", and of the opposite. The
--- first is the largest over the smaller ones, the second the least, times their number.
local function tests(points, k, tolerance)
  if k == 1 then return all_diverged(points[1]) and 1 or 0, 1 end
  if all_diverged(points[k]) then return 1, 0 end
  local within, beyond = 0, 1
  for j = 1, k - 1 do
    local d = difference(points[k], points[j])
    within = math.max(within, d and d:below(tolerance) or 1)
    beyond = math.min(beyond, d and (k - 1) * d:above(tolerance) or 1)
  end
  return within, beyond
end

--- Whether the means are within tolerance, whatever their spread.
local function is_within(points, k, tolerance)
  for j = 1, k - 1 do
    if points[k].loss > points[j].loss + tolerance then return false end
  end
  return points[k].loss < math.huge
end

local ALPHA = 0.025 -- for each end of the interval

--- Sets what holds, and returns the interval: low is the largest batch size that surely holds (by
--- Bonferroni over the factors), high the least one from which on none holds (tested from the
--- largest down, so that no correction is needed).
local function judge(points, tolerance)
  local value, low, high, falls = 0, 0, math.huge, true
  for k = #points, 1, -1 do
    local p = points[k]
    local within, beyond = tests(points, k, tolerance)
    local held = within <= ALPHA / #points
    if held and low == 0 then low = p.batch end
    if value == 0 and is_within(points, k, tolerance) then value = p.batch end
    falls = falls and beyond <= ALPHA
    if falls then high = p.batch end
    p.holds = held and "yes" or beyond <= ALPHA and "no" or "unresolved"
  end
  return value, low, high
end

local function interval(points, o)
  local value, low, high = judge(points, o.tolerance)
  local reason
  if o.repeats == 1 then
    low, high, reason = 0, math.huge, "one repeat has no spread"
  elseif high == math.huge then
    reason = value == points[#points].batch and "the largest batch size is within tolerance"
      or "no batch size is surely beyond it"
  end
  return estimate.new { value = value, low = math.min(low, value), high = math.max(high, value),
    reason = reason, target = ("branches of %s"):format(o.length_text) }
end

-- ------------------------------------------------------------------ options

local SPEC = { factors = { "list", { 1, 2, 4, 8, 16 } }, epochs = "positive?", steps = "count?",
  examples = "count?", tolerance = { "positive", 0.01 }, repeats = { "count", 4 },
  scaling = "string|function?", on = { "any", "train" }, lr = "positive?", batch_size = "count?",
  seed = { "integer", 1000 } }

local function check_factors(factors)
  for i, k in ipairs(factors) do
    options.value("fit.branched_batch", ("factors[%d]"):format(i), k, "count")
    if i > 1 and k <= factors[i - 1] then
      errors.misuse "fit.branched_batch: factors must increase"
    end
  end
  if #factors < 2 then errors.misuse "fit.branched_batch: needs 2 factors or more" end
end

--- The rule by which the rate grows: linear for SGD, the root for Adam.
local function scaling_of(trainer, asked)
  if type(asked) == "function" then
    return function(k)
      return options.value("fit.branched_batch", "scaling(k)", asked(k), "positive")
    end, "a function"
  end
  local name = asked or (trainer.engine.optimizer.kind:find "^adam" and "sqrt" or "linear")
  if not SCALINGS[name] then
    errors.misuse('fit.branched_batch: scaling must be a function, "linear", "sqrt" or "none",'
      .. " not %s", errors.shown(name))
  end
  return SCALINGS[name], name
end

--- A number that the trainer has, as it is or as it was at the last step.
local function present(trainer, name, asked)
  if asked then return asked end
  local value = trainer[name]
  if type(value) ~= "number" then value = trainer:state()[name] end
  if type(value) ~= "number" or value ~= value or value <= 0 then
    errors.misuse("fit.branched_batch: %s has no value before the first step; give one: %s = …",
      name, name)
  end
  return value
end

---@class swale.BranchedBatchOptions
---@field epochs? number        length of a branch, the same for all: epochs, examples, or
---@field examples? integer
---@field steps? integer        steps of the training's batch size
---@field factors? integer[]    batch sizes, in units of the training's; { 1, 2, 4, 8, 16 }
---@field tolerance? number     0.01
---@field repeats? integer      branches of each size, on other batches from the second on; 4
---@field scaling? "linear"|"sqrt"|"none"|fun(k: number): number   of the rate; linear for SGD,
---sqrt for Adam
---@field on? "train"|"valid"|"test"|swale.Split   where the loss is evaluated; "train"
---@field lr? number            of factor 1; the trainer's at this moment
---@field batch_size? integer   likewise
---@field seed? integer         1000

---Branches of a training from where it stands, with k times the batch size and a rate that grows
---with k, over the same number of examples (Merrill et al. 2025). B_crit is the largest k B with
---    L_k <= L_j + tolerance   for all j < k
---With repeats on other batches, which all sizes share, its interval says which sizes are surely
---within the tolerance (low) and from which on none is (high, itself beyond). The trainer stays as
---it is. Branches have no averages and no measurements; one that diverges has an infinite loss.
---Cost: repeats times factors branches.
---@param trainer swale.Trainer
---@param o swale.BranchedBatchOptions
---@return swale.BranchedBatch
function M.branched_batch(trainer, o)
  options.value("fit.branched_batch", "trainer", trainer, "Trainer")
  o = options.check("fit.branched_batch", o, SPEC)
  check_factors(o.factors)
  o.lr, o.batch_size = present(trainer, "lr", o.lr), present(trainer, "batch_size", o.batch_size)
  if o.steps then o.examples, o.steps = o.steps * o.batch_size, nil end
  o.length = { epochs = o.epochs, examples = o.examples }
  if not next(o.length) then
    errors.misuse "fit.branched_batch: how long is a branch? epochs, examples or steps"
  end
  o.length_text = o.epochs and ("%g epochs"):format(o.epochs) or ("%d examples"):format(o.examples)
  local name
  o.scale, name = scaling_of(trainer, o.scaling)
  local points = run_points(trainer, o)
  return setmetatable({ b_crit = interval(points, o), points = points, batch = o.batch_size,
    lr = o.lr, tolerance = o.tolerance, scaling = name }, BranchedBatch)
end

return M
