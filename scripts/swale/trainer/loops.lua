--- Makes the loop of a training: the one place where the options of core.loop are put together.
local core = require "swale.core"

local M = {}

local NATIVE = { "dampening", "nesterov", "beta2", "eps" }

--- A program of the graph, compiled once: "train" or "measured".
local function program(engine, kind)
  engine.programs = engine.programs or {}
  engine.programs[kind] = engine.programs[kind] or engine.graph[kind](engine.graph)
  return engine.programs[kind]
end

--- What every loop is made with.
local function options(engine, weights, buffers)
  local measured = engine.measurements:period() > 0 and program(engine, "measured") or nil
  return { program = program(engine, "train"), measured = measured,
    weights = weights, buffers = buffers, source = engine.data.train.source, seed = engine.seed }
end

local function native(engine, o)
  local optimizer = engine.optimizer
  for key, value in pairs(engine.fixed) do o[key] = value end
  o.optimizer = optimizer.kind
  for _, name in ipairs(NATIVE) do o[name] = optimizer[name] end
  return core.loop(o)
end

--- An optimizer in Lua sits on a loop that does all but the update.
local function custom(engine, o)
  local fixed = engine.fixed
  o.order, o.subset, o.micro_batch = fixed.order, fixed.subset, fixed.micro_batch
  return require("swale.trainer.custom").new(core.loop(o), engine.optimizer.step, {
    weights = o.weights, max_norm = fixed.max_norm, coupling = fixed.coupling,
    reference = fixed.reference_batch, n = engine.state.epoch_examples })
end

---@param engine swale.Engine
---@return swale.Loop|swale.CustomLoop
function M.new(engine)
  local make = engine.optimizer.step and custom or native
  return make(engine, options(engine, engine.weights, engine.buffers))
end

---A native loop on copies of the weights, to time steps by. For an optimizer in Lua it is SGD.
---@param engine swale.Engine
---@return swale.Loop
function M.scratch(engine)
  local o = options(engine, engine.weights:clone(), engine.buffers and engine.buffers:clone())
  if engine.optimizer.step then
    o.micro_batch = engine.fixed.micro_batch
    return core.loop(o)
  end
  return native(engine, o)
end

return M
