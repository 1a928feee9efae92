--- What an update costs beside its examples (McCandlish et al. 2018, appendix D).
local core = require "swale.core"
local cost_line = require "swale.measure.cost_line"
local errors = require "swale.errors"
local loops = require "swale.trainer.loops"
local options = require "swale.options"

local M = {}

local function clock() return require("luv").hrtime() / 1e9 end

--- The least time of a few steps of one size, which other processes disturb least.
local STEPS <const> = 5

local function seconds(loop, batch)
  loop:set("batch_size", batch)
  local least = math.huge
  for i = 0, STEPS do
    local begun = clock()
    local why, message, code = loop:advance(1)
    if why == "interrupted" then error(core.INTERRUPTED, 0) end
    if not why then errors.environment(message, code) end
    if i > 0 then least = math.min(least, clock() - begun) end -- the first one plans memory
  end
  return least
end

--- Times by round and batch size, the sizes in turn.
local function measure(engine, sizes, rounds)
  local loop, times = loops.scratch(engine), {}
  for round = 1, rounds do
    times[round] = {}
    for i, batch in ipairs(sizes) do times[round][i] = seconds(loop, batch) end
  end
  return times
end

---@class swale.StepCostOptions
---@field batch_sizes? integer[]   { 16, 32, 64, 128, 256 }, those up to the training set's size
---@field rounds? integer          each times all sizes; 10

local OPTIONS = { batch_sizes = "list?", rounds = { "count", 10 } }

local function sizes_of(o, n)
  local sizes = {}
  for _, batch in ipairs(o.batch_sizes or { 16, 32, 64, 128, 256 }) do
    options.value("measure.step_cost_ratio", "batch_sizes", batch, "count")
    if o.batch_sizes or batch <= n then sizes[#sizes + 1] = batch end
  end
  if #sizes < 2 then
    errors.misuse "measure.step_cost_ratio: needs batch_sizes = { … }, two sizes or more"
  end
  return sizes
end

---What one update costs, in examples: r = c / e, where a step with B examples takes c + e B seconds
---on this machine (McCandlish et al. 2018, appendix D; r of rules.mccandlish). The interval is over
---the rounds; it is about the time of measuring, and other processes add to it. Fields:
---`step_seconds` c, `example_seconds` e, `misfit`, the largest relative distance of a mean time
---from the line, and `batch_sizes`. r is negative where larger batches take more time an example.
---The steps are made on a copy of the weights and change nothing. An optimizer in Lua is left out.
---@param trainer swale.Trainer
---@param o? swale.StepCostOptions
---@return swale.Estimate
function M.step_cost_ratio(trainer, o)
  options.value("measure.step_cost_ratio", "trainer", trainer, "Trainer")
  o = options.check("measure.step_cost_ratio", o, OPTIONS)
  if o.rounds < 2 then errors.misuse "measure.step_cost_ratio: rounds must be 2 or more" end
  local engine = rawget(trainer, "engine")
  local sizes = sizes_of(o, engine.state.epoch_examples)
  return cost_line.of(sizes, measure(engine, sizes, o.rounds))
end

return M
