--- The memory that a training takes, in bytes, before it takes it.
local core = require "swale.core"
local sets = require "swale.data.set"

local M = {}

---@class swale.PlanBytes
---@field weights integer
---@field gradient integer
---@field optimizer integer     what the optimizer keeps of its own
---@field average integer       the averages; captured weights that are kept are not counted
---@field workspace integer     of a training step with the largest batch
---@field evaluation integer    of an evaluation's batch
---@field data integer          tensors of all splits, some of which may be mapped files
---@field total integer

local SMALL = 32 -- examples; a workspace's size is measured with so many and twice as many

--- The bytes of a program's workspace for n rows of the training set.
local function measured(program, engine, n)
  local x, y = engine.data.train.source:gather(core.zeros({ n }, "int32"))
  local out = core.zeros { engine.weights:numel() }
  require("swale.errors").check(program:run { inputs = { x, y }, out = out,
    vectors = { engine.weights, engine.buffers },
    state = engine.buffers and engine.buffers:clone() })
  return program:bytes()
end

--- Buffers are as long as the batch or independent of it, so that two sizes tell all.
local function workspace(program, engine, batch)
  if batch <= 2 * SMALL then return measured(program, engine, math.max(1, batch)) end
  local one, two = measured(program, engine, SMALL), measured(program, engine, 2 * SMALL)
  return math.floor(one + (two - one) / SMALL * (batch - SMALL))
end

local function bytes_of(t) return t:numel() * (t:dtype() == "uint8" and 1 or 4) end

local function data_bytes(data)
  local n = 0
  for _, name in ipairs(sets.SPLITS) do
    local split = data[name]
    for _, t in ipairs { split and split.x or nil, split and split.y or nil } do
      n = n + bytes_of(t)
    end
  end
  return n
end

--- Vectors of the weights' size that the optimizer keeps; unknown of one written in Lua.
local function vectors_kept(engine)
  local row = engine.optimizer.row
  local momentum = engine.settings.momentum
  return core.optimizer_moments(row.name, type(momentum) == "number" and momentum or 1)
end

---The averages that a trainer keeps.
---@param engine swale.Engine
---@return swale.Averaging[]
function M.averages(engine)
  local list = {}
  for i, entry in ipairs(engine.evaluator.averages) do list[i] = entry.average end
  return list
end

--- Each has a mean and what is below its last digit; LastK keeps its points besides.
local function vectors_averaged(engine)
  local n = 0
  for _, average in ipairs(M.averages(engine)) do n = n + 2 + (average.k or 0) end
  return n
end

---@param engine swale.Engine
---@param batch integer   the largest
---@return swale.PlanBytes
function M.of(engine, batch)
  local vector, micro = bytes_of(engine.weights), (engine.fixed or {}).micro_batch
  local bytes = {
    weights = vector, gradient = vector, optimizer = vector * vectors_kept(engine),
    average = vector * vectors_averaged(engine), data = data_bytes(engine.data),
    workspace = workspace(engine.graph:train(), engine, math.min(batch, micro or batch)),
    evaluation = workspace(engine.eval_graph:evaluation(), engine,
      math.min(engine.eval_batch, #engine.data.train.source)),
  }
  local total = 0
  for _, n in pairs(bytes) do total = total + n end
  bytes.total = total
  return bytes
end

return M
