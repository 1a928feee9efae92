--- Annealing: one schedule of the ratio of learning rate and batch size, which sets the noise.
local errors = require "swale.errors"
local combine = require "swale.schedule.combine"
local kinds = require "swale.schedule.kinds"
local options = require "swale.options"

---@class swale.Anneals
local M = {}

---@class swale.AnnealOptions
---@field lr number|swale.Schedule   at the start
---@field batch integer              likewise
---@field at swale.DurationLike[]    marks; bare numbers are epochs
---@field factor number              by which lr / batch falls at each mark
---@field by? "lr"|"batch"|"hybrid"  lr; hybrid: the batch at the first mark, then the rate
---@field cap? integer               the largest batch; Smith et al. hold to a tenth of the data
---@field overflow? "lr"|"none"      beyond the cap the rate falls instead, or nothing does; lr

---@class swale.Anneal
---@field lr swale.Schedule
---@field batch swale.Schedule
---@field temperature swale.Schedule   lr / batch, without what lr does by itself

local OPTIONS = { lr = "positive|Schedule", batch = "count", at = "table", factor = "positive",
  by = { choice = { "lr", "batch", "hybrid" }, "lr" }, cap = "count?",
  overflow = { choice = { "lr", "none" }, "lr" } }

--- Batch sizes between marks: the nearest whole numbers, at most cap.
local function batches(o, n)
  local sizes, wanted = { o.batch }, o.batch
  for k = 1, n do
    if o.by == "batch" or o.by == "hybrid" and k == 1 then wanted = wanted * o.factor end
    sizes[k + 1] = math.max(1, math.min(math.floor(wanted + 0.5), o.cap or math.maxinteger))
  end
  return sizes
end

--- Factors of the rate. With overflow they make up for caps and roundings of the batch.
local function rates(o, sizes)
  local factors, fallen = { 1 }, 1
  for k = 1, #sizes - 1 do
    local by_rate = o.by == "lr" or o.by == "hybrid" and k > 1
    if by_rate then fallen = fallen / o.factor end
    factors[k + 1] = o.overflow == "lr" and sizes[k + 1] / o.batch / o.factor ^ k or fallen
  end
  return factors
end

---The ratio lr / batch falls by factor at each mark: by a smaller rate, a larger batch, or both
---(Smith et al. 2018, section 5). Give `.lr` and `.batch` to a Trainer.
---@param o swale.AnnealOptions
---@return swale.Anneal
function M.anneal(o)
  o = options.check("schedule.anneal", o, OPTIONS)
  if o.cap and o.cap < o.batch then
    errors.misuse("schedule.anneal: cap %d is below batch %d", o.cap, o.batch)
  end
  local sizes = batches(o, #o.at)
  local factors, values, ratios = rates(o, sizes), {}, {}
  local start = type(o.lr) == "number" and o.lr or 1
  for k, factor in ipairs(factors) do
    values[k], ratios[k] = start * factor, start * factor / sizes[k]
  end
  local lr = kinds.piecewise { values = values, at = o.at }
  if type(o.lr) ~= "number" then lr = combine.product { o.lr, lr } end
  return { lr = lr, batch = kinds.piecewise { values = sizes, at = o.at },
    temperature = kinds.piecewise { values = ratios, at = o.at } }
end

return M
