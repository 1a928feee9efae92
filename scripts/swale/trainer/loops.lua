--- Makes the loop of a training: collects the options of core.loop.
local core = require "swale.core"
local custom = require "swale.trainer.custom"

local M = {}

--- A program of the graph, compiled once: "train" or "measured".
local function program(engine, kind)
  engine.programs[kind] = engine.programs[kind] or engine.graph[kind](engine.graph)
  return engine.programs[kind]
end

--- The options of a loop: programs, data, what was fixed when the trainer was made, the optimizer.
local function options(engine, weights, buffers)
  local measured = engine.measurements:has_along() and program(engine, "measured") or nil
  local o = { program = program(engine, "train"), measured = measured, weights = weights,
    buffers = buffers, source = engine.data.train.source, seed = engine.seed }
  for key, value in pairs(engine.fixed) do o[key] = value end
  if engine.optimizer.row.external then o.segments = nil end -- a Lua function has all the weights
  return engine.optimizer:options(o)
end

---@param engine swale.Engine
---@return swale.Loop|swale.CustomLoop
function M.new(engine)
  local loop, f = core.loop(options(engine, engine.weights, engine.buffers)), engine.optimizer.step
  return f and custom.new(loop, f, engine.weights) or loop
end

local SOME_MOMENTUM = 0.9 -- where it is not 0: each costs the same

---Returns a native loop for timing, on copies of the weights, which do not move: the rate is 0. An
---update in Lua is left out.
---@param engine swale.Engine
---@return swale.Loop
function M.scratch(engine)
  local loop = core.loop(options(engine, engine.weights:clone(),
    engine.buffers and engine.buffers:clone()))
  loop:set("lr", 0)
  loop:set("momentum", engine.settings.momentum == 0 and 0 or SOME_MOMENTUM)
  return loop
end

return M
