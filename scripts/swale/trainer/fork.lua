--- Forks: a copy of a trainer that continues from its position, with other settings where asked.
local averages = require "swale.trainer.averages"
local copies = require "swale.copies"
local engines = require "swale.trainer.engine"
local errors = require "swale.errors"
local faults = require "swale.trainer.faults"
local hyper = require "swale.trainer.hyper"
local micro = require "swale.trainer.micro"
local setup = require "swale.trainer.setup"
local snapshot = require "swale.trainer.snapshot"

local M = {}

local function settings_of(engine, o)
  local settings = {}
  for name, value in pairs(engine.settings) do settings[name] = o[name] or value end
  return setup.check(settings, engine.optimizer)
end

--- The loop's fixed options are those of the original; a batch size must fit its micro-batch.
local function check_batch(engine, batch)
  local size = engine.fixed.micro_batch
  if not (batch and size) then return end
  micro.size({ size = size, couple = true }, engine.graph, batch, engine.eval_graph.uneven)
end

--- An average that both trainers update would be neither's.
local function check_averages(engine, value)
  for _, entry in ipairs(averages.list(value)) do
    for _, own in ipairs(engine.evaluator.averages) do
      if own.average == entry.average then
        errors.misuse("Trainer:fork: average: %s is the original's own; leave average out, and the"
          .. " fork has a copy of it", entry.name)
      end
    end
  end
  return value
end

local function average_of(engine, o)
  if o.average ~= nil then return check_averages(engine, o.average) end
  return averages.anew(engine.evaluator.average)
end

--- The measurements of the original. Those at marks are left out of a fork that one of them makes:
--- in it they would make forks without end.
local function measure_of(engine, o)
  if o.measure then return o.measure end
  local found, from = {}, engine.measurements
  for _, entry in ipairs(from.list) do
    if entry.row.along or not from.running then found[entry.name] = entry.what end
  end
  return found
end

--- What the fork continues with: all parts of the original but its record, and but the state of
--- what was replaced.
local function parts_of(engine, fork, o)
  local parts = snapshot.take(engine)
  parts.journal = nil
  for _, name in ipairs(hyper.NAMES) do if o[name] then parts.rules[name] = nil end end
  if o.seed then parts.sampler = nil end
  if o.average ~= nil then parts.averages = averages.state(fork.evaluator.averages) end
  parts.measurements = fork.measurements:common(engine.measurements)
  return parts
end

---Returns the engine of a fork. Programs, data and functions are shared.
---@param engine swale.Engine
---@param o swale.ForkOptions
---@return swale.Engine
function M.of(engine, o)
  faults.refuse_spoiled(engine.state, "Trainer:fork")
  check_batch(engine, o.batch_size)
  engine:ready()
  local fork = engines.new({
    model = engine.model:clone(), data = engine.data, loss = engine.loss,
    optimizer = engine.optimizer, settings = settings_of(engine, o), graph = engine.graph,
    eval_graph = engine.eval_graph, example = engine.example,
    batch_norm = engine.evaluator.batch_norm, average = average_of(engine, o),
    seed = o.seed or engine.seed, fixed = engine.fixed, eval_batch = engine.eval_batch,
    record = engine.record, programs = engine.programs,
    remembered = copies.deep(engine.remembered),
  }, engine.runner)
  local measure = measure_of(engine, o)
  for _, name in ipairs(errors.sorted_keys(measure)) do fork:measure(name, measure[name]) end
  snapshot.restore(fork, parts_of(engine, fork, o))
  return fork
end

return M
