--- Counts the updates that a batch size takes, without training.
local combine = require "swale.schedule.combine"
local errors = require "swale.errors"
local object = require "swale.schedule.object"
local options = require "swale.options"
local rules = require "swale.schedule.rules"

---@class swale.Counts
local M = {}

---@class swale.PlanPosition
---@field step integer
---@field examples integer
---@field next_examples? integer    examples, once the coming update is made
---@field epoch_examples integer

--- A function that reads more than the progress is live.
local function ask(x, p, mem)
  local at = type(x) == "function" and object.of_function("of", x) or x
  local ok, value
  if mem then
    ok, value = pcall(at.follow, at, p, mem)
  else
    ok, value = pcall(at.at, at, { step = p.step, examples = p.examples,
      epoch_examples = p.epoch_examples })
  end
  if ok then return value end
  if errors.code(value) == "ELIVE" then return nil end
  error(value, 0)
end

local count = {} -- for modules of the library

---Returns the value of a setting for the coming update; nil if it depends on the live state. A rule
---has its initial value before the first update.
---@param x swale.Hyperparameter
---@param p swale.PlanPosition
---@param mem? table    where every update is gone through: a function's memory
---@return number|nil
function count.value(x, p, mem)
  if type(x) == "number" then return x end
  if type(x) == "function" then return ask(x, p, mem) end
  if rules.is_rule(x) then return p.step == 0 and x.initial or nil end
  if x.f then return ask(x, p, mem) end
  return x.native:at(p.step, p.examples, p.next_examples or p.examples, p.epoch_examples)
end

local function batch_at(x, p, mem)
  local value = count.value(x, p, mem)
  return value and math.max(1, math.floor(value))
end

---@class swale.UpdateCount
---@field updates integer
---@field examples integer
---@field batch_sizes table<integer, integer>   updates by batch size
---@field last_batch integer|nil

---Goes through the updates of a batch size one by one; nil where it depends on the live state.
---@param x swale.Hyperparameter
---@param begun swale.PlanPosition
---@param target { steps?: number, examples?: number }   from there
---@param mem table             memory of the batch size's function, which it writes
---@param early? boolean        the update that crosses a change has the new size already
---@param most? integer         updates; beyond them it raises
---@return swale.UpdateCount|nil
function count.follow(x, begun, target, mem, early, most)
  local sizes, last = {}, nil
  local p = { step = begun.step, examples = begun.examples, epoch_examples = begun.epoch_examples }
  local end_step, end_examples = begun.step + (target.steps or math.huge),
    begun.examples + (target.examples or math.huge) - 1e-6
  while p.step < end_step and p.examples < end_examples do
    local batch = batch_at(x, p, mem)
    if batch and early then
      batch = batch_at(x, { step = p.step, examples = p.examples + batch - 1,
        epoch_examples = p.epoch_examples })
    end
    if not batch then return nil end
    sizes[batch], last = (sizes[batch] or 0) + 1, batch
    p.step, p.examples = p.step + 1, p.examples + batch
    if most and p.step - begun.step > most then
      errors.misuse("schedule.updates: more than %d updates are not counted one by one", most)
    end
  end
  return { updates = p.step - begun.step, examples = p.examples - begun.examples,
    batch_sizes = sizes, last_batch = last }
end

M.count = count

---@class swale.UpdatesOptions
---@field epochs? number               how far; or steps, or examples
---@field steps? integer
---@field examples? integer
---@field epoch_examples? integer      size of the training set; 50000
---@field crossing? "after"|"before"   the update that crosses a change of the batch size has the
---size before it, as in a Trainer ("after" it the size changes; the default), or behind it

local UPDATES = { epochs = "positive?", steps = "count?", examples = "positive?",
  epoch_examples = { "count", 50000 }, crossing = { choice = { "after", "before" }, "after" } }

local MOST <const> = 10000000 -- updates: some seconds

---Counts the updates that a batch size takes, without a model:
---    sw.schedule.updates(sw.schedule.anneal({ lr = 0.1, batch = 128, at = { 60, 120, 160 },
---      factor = 5, by = "batch", cap = 5120 }).batch, { epochs = 200 })
---Raises for a batch size that depends on the live state. `trainer:plan` counts from where a
---training is.
---@param batch_size swale.Hyperparameter
---@param o swale.UpdatesOptions
---@return swale.UpdateCount
function M.updates(batch_size, o)
  local where = "schedule.updates"
  local schedule = combine.part(where, batch_size)
  o = options.check(where, o, UPDATES)
  local given = (o.epochs and 1 or 0) + (o.steps and 1 or 0) + (o.examples and 1 or 0)
  if given ~= 1 then errors.misuse("%s: how far? one of epochs, steps, examples", where) end
  local found = count.follow(schedule, { step = 0, examples = 0,
    epoch_examples = o.epoch_examples },
    { steps = o.steps, examples = o.examples or o.epochs and o.epochs * o.epoch_examples }, {},
    o.crossing == "before", MOST)
  if found then return found end
  errors.misuse("%s: the batch size depends on the live state: its updates cannot be counted"
    .. " beforehand", where)
end

return M
