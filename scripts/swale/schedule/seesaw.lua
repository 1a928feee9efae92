--- Seesaw: of a decaying learning rate one half of each cut is made by a larger batch.
local combine = require "swale.schedule.combine"
local errors = require "swale.errors"
local object = require "swale.schedule.object"
local options = require "swale.options"

---@class swale.Seesaws
local M = {}

---@class swale.SeesawOptions
---@field lr swale.Schedule|fun(s: swale.State): number   a decay that depends on the progress alone
---@field batch integer              at the start
---@field after? swale.DurationLike  where the decay begins; until then lr and batch hold; 0
---@field factor? number             of the cuts; 2
---@field most? integer              largest batch; a tenth of the training set

---@class swale.Seesaw
---@field lr swale.Schedule
---@field batch swale.Schedule

local OPTIONS = { lr = "Schedule|function", batch = "count", after = { "duration", 0 },
  factor = { "positive", 2 }, most = "count?" }

--- The rate at the progress of s, the one where the decay begins, and the cuts between them.
local function cuts(o, base, s)
  local n = s.epoch_examples
  local begins = math.floor(o.after:examples(n) or 0)
  local now = base:at { step = s.step, examples = s.examples, epoch_examples = n }
  if s.examples < begins then return now, now, 0 end
  local first = base:at { examples = begins, epoch_examples = n }
  if now <= 0 then return now, first, math.huge end
  return now, first, math.max(0, math.floor(math.log(first / now, o.factor) + 1e-9))
end

--- The cuts that the batch follows, up to most.
local function batches(o, s, k)
  local most = o.most or math.max(o.batch, s.epoch_examples // 10)
  local possible = math.floor(math.log(most / o.batch, o.factor) + 1e-9)
  return math.min(k, possible)
end

---For Adam (Meterez et al. 2025): where the decay lr has fallen by another factor a, the rate falls
---by sqrt(a) instead and the batch grows a times, which takes fewer updates for about the same
---loss. Give `.lr` and `.batch` to a Trainer. Beyond the largest batch the rate falls as lr does.
---Valid while the batch is below the critical one; for plain SGD the batch alone would take the cut
---(see anneal). Rate and batch are steps; lr's progress counts in examples.
---@param o swale.SeesawOptions
---@return swale.Seesaw
function M.seesaw(o)
  o = options.check("schedule.seesaw", o, OPTIONS)
  if o.factor <= 1 then errors.misuse "schedule.seesaw: factor must be above 1" end
  if o.most and o.most < o.batch then
    errors.misuse("schedule.seesaw: most %d is below batch %d", o.most, o.batch)
  elseif o.after.unit == "steps" then
    errors.misuse "schedule.seesaw: after must be in examples or epochs: the batch grows"
  end
  local base = combine.part("schedule.seesaw", o.lr)
  local function rate(s)
    local now, first, k = cuts(o, base, s)
    if k == math.huge then return now end
    if k == 0 then return first end
    local grown = batches(o, s, k)
    return first * o.factor ^ (-grown / 2 - (k - grown))
  end
  local function batch(s)
    local _, _, k = cuts(o, base, s)
    return math.floor(o.batch * o.factor ^ batches(o, s, k) + 1e-9)
  end
  local parts = { parts = { base } }
  return { lr = object.of_function("seesaw", rate, parts),
    batch = object.of_function("seesaw", batch, parts) }
end

return M
