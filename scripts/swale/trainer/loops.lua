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

---Returns a native loop on copies of the weights, for timing. An update in Lua is left out.
---@param engine swale.Engine
---@return swale.Loop
function M.scratch(engine)
  return core.loop(options(engine, engine.weights:clone(),
    engine.buffers and engine.buffers:clone()))
end

return M
