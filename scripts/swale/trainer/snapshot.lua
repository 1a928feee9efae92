--- Snapshots: the state of a training, as a list of parts. A trainer that was made with the same
--- options and restores one continues to the same bits. A checkpoint is the file of one
--- (swale.trainer.checkpoint).
---
--- Not included: settings and hooks, which belong to the trainer; upvalues of functions and random
--- streams that functions keep, which cannot be copied.
local averages = require "swale.trainer.averages"
local copies = require "swale.copies"
local errors = require "swale.errors"
local states = require "swale.trainer.state"

local M = {}

---@class swale.Snapshot      by the names of parts; nil: the part starts again or stays
---@field sampler? table      seed and order of the examples
---@field vectors? table      weights and buffers
---@field loop? table         position, last values, the optimizer's state
---@field rules? table        memories
---@field averages? table
---@field measurements? table
---@field evaluator? table    the best weights
---@field vitals? table       the last update ratios
---@field progress? table     the end of the last fit
---@field journal? table      of the run that is written

-- ------------------------------------------------------------------ parts

local sampler = {}

function sampler.state(engine)
  return { seed = engine.seed, order = engine.fixed.order,
    epoch_examples = engine.state.epoch_examples }
end

--- The position is the loop's count of examples. The order belongs to the trainer and must agree.
function sampler.restore(engine, saved)
  if not saved then return end
  for name, value in pairs(sampler.state(engine)) do
    if saved[name] ~= value then
      errors.misuse("Trainer:restore: %s was %s, this trainer's is %s: it would see other examples",
        name, errors.shown(saved[name]), errors.shown(value))
    end
  end
end

local vectors = {}

function vectors.state(engine)
  return { weights = copies.tensor(engine.weights), buffers = copies.tensor(engine.buffers) }
end

function vectors.restore(engine, saved)
  engine.weights:copy(saved.weights)
  if engine.buffers then engine.buffers:copy(saved.buffers) end
end

local loop = {}

function loop.state(engine)
  local s, found = engine.loop:state {}, { vectors = copies.deep(engine.loop:state_vectors()) }
  for _, name in ipairs(states.SAVED) do found[name] = s[name] end
  if s.step == 0 then found.batch_size = nil end -- there was no update
  if engine.optimizer.step then found.memory = engine.loop:memory() end
  return found
end

function loop.restore(engine, saved)
  engine.loop:restore(saved)
  engine.loop:state(engine.state)
end

local rules = {}

function rules.state(engine)
  local found = {}
  for _, rule in ipairs(engine.rules) do
    found[rule.name] = { mem = copies.deep(rule.mem), held = rule.held }
  end
  return found
end

function rules.restore(engine, saved)
  for _, rule in ipairs(engine.rules) do
    local one = saved and saved[rule.name]
    if one then rule.mem, rule.held = copies.deep(one.mem), one.held end
  end
end

local vitals = {}

--- Of the loop, or those that were restored, until it has others.
function vitals.state(engine)
  local ratios = {}
  if not engine.loop:update_ratios(ratios) then ratios = copies.deep(engine.kept_ratios) end
  return { ratios = ratios }
end

function vitals.restore(engine, saved)
  engine.kept_ratios = saved and copies.deep(saved.ratios) or nil
end

local progress = {}

function progress.state(engine)
  return { goal = copies.deep(engine.goal), last_batch = engine.last_batch,
    stopped = engine.stopped,
    seconds = engine.clock:training(engine.loop) }
end

function progress.restore(engine, saved)
  engine.clock:restore(saved.seconds or 0, engine.loop)
  engine.goal, engine.last_batch = copies.deep(saved.goal), saved.last_batch
end

local journal = {}

function journal.state(engine)
  return engine.journal and engine.journal.run and engine.journal:state() or nil
end

--- A trainer without a record keeps it until its next fit with a run.
function journal.restore(engine, saved)
  engine.journal_state = saved
  if not engine.journal then return end
  if saved then
    engine.journal:restore(saved)
  else
    engine.journal:begin_anew(engine.state.examples)
  end
end

--- A field of the engine that has state and restore itself.
local function own(name)
  return { state = function(engine) return engine[name]:state() end,
    restore = function(engine, saved) engine[name]:restore(saved) end }
end

local PARTS = {
  { "sampler", sampler }, { "vectors", vectors }, { "loop", loop }, { "rules", rules },
  { "averages", { state = function(engine) return averages.state(engine.evaluator.averages) end,
    restore = function(engine, saved)
      averages.restore(engine.evaluator.averages, saved or {})
    end } },
  { "measurements", own "measurements" }, { "evaluator", own "evaluator" },
  { "vitals", vitals }, { "progress", progress }, { "journal", journal },
}

-- ------------------------------------------------------------------ the whole

---@param engine swale.Engine
---@return swale.Snapshot
function M.take(engine)
  local found = {}
  engine:ready()
  for _, part in ipairs(PARTS) do found[part[1]] = part[2].state(engine) end
  return found
end

---Returns a snapshot that shares tensors and tables with the engine: it is valid until the training
---goes on.
---@param engine swale.Engine
---@return swale.Snapshot
function M.borrow(engine) return copies.borrowing(M.take, engine) end

---@param engine swale.Engine
---@param snapshot swale.Snapshot    with vectors, loop and progress
function M.restore(engine, snapshot)
  engine:ready()
  for _, part in ipairs(PARTS) do part[2].restore(engine, snapshot[part[1]]) end
end

return M
