--- Going on from a checkpoint.
local core = require "swale.core"
local errors = require "swale.errors"

local M = {}

local KEPT = { sgd = { "momentum" }, adam = { "exp_avg", "exp_avg_sq" },
  adamw = { "exp_avg", "exp_avg_sq" } }

local function whole(metadata, name)
  local n = math.tointeger(tonumber(metadata[name] or ""))
  return n or errors.misuse("Trainer:restore: the metadata have no %s: no checkpoint of a training",
    name)
end

local function is_plain(value) return type(value) == "table" and getmetatable(value) == nil end

local function are_tensors(saved)
  for _, value in pairs(saved) do if core.type(value) ~= "tensor" then return false end end
  return true
end

local function check(engine, saved, metadata)
  engine.measurements:refuse "Trainer:restore"
  if engine:is_running() then errors.misuse "Trainer:restore: a fit is running" end
  if not is_plain(saved) or not is_plain(metadata) or not saved.weights or not are_tensors(saved)
  then
    errors.misuse "Trainer:restore: takes what sw.load gives of a checkpoint: tensors and metadata"
  end
  for _, name in ipairs { "weights", "buffers" } do
    local found, wanted = saved[name] and saved[name]:numel() or 0, engine[name]
    wanted = wanted and wanted:numel() or 0
    if found ~= wanted then
      errors.misuse("Trainer:restore: %d %s, the model has %d", found, name, wanted)
    end
  end
end

--- Everything that is none of the trainer's own: the tensors that a Lua optimizer keeps.
local function kept_by_function(saved)
  local found = {}
  for name, value in pairs(saved) do
    local own = name == "weights" or name:find "^buffers" or name:find "^average"
    if not own and core.type(value) == "tensor" then found[name] = value end
  end
  return found
end

local function vectors(engine, saved)
  local names = KEPT[engine.optimizer.kind]
  if not names then return kept_by_function(saved) end
  local found = {}
  for _, name in ipairs(names) do found[name] = saved[name] end
  return found
end

local function restore_averages(engine, saved, metadata)
  for _, entry in ipairs(engine.averages) do
    local part = saved["average." .. entry.name] and "." .. entry.name or ""
    local mean, count = saved["average" .. part], tonumber(metadata["average_count" .. part])
    local named = part ~= "" or #engine.averages == 1
    if named and mean and count and count > 0 and entry.average.kind ~= "last" then
      entry.average:restore(mean, math.tointeger(count), saved["average_carry" .. part])
    else
      entry.average:clear()
    end
  end
end

local function goal_of(metadata)
  local scale, at = (metadata.goal or ""):match "^(%l+) ([%d%.e%+]+)$"
  return scale and { scale = scale, at = tonumber(at) } or nil
end

--- Forgets what was measured of the weights before: measurements, statistics, lines of the record.
local function forget(engine)
  local journal = engine.journal
  engine.measurements:restore(nil)
  engine.last_batch = nil
  engine.statistics = setmetatable({}, { __mode = "k" })
  if journal then
    journal.written, journal.saved, journal.taken = -1, -1, engine.state.examples
    journal.loss_sum, journal.loss_examples = 0, 0
  end
end

---@param engine swale.Engine
---@param saved table<string, swale.Tensor>
---@param metadata table<string, string>
function M.take(engine, saved, metadata)
  check(engine, saved, metadata)
  local loop = engine:ready()
  loop:restore { step = whole(metadata, "step"), examples = whole(metadata, "examples"),
    vectors = vectors(engine, saved) }
  engine.weights:copy(saved.weights)
  if engine.buffers then engine.buffers:copy(saved.buffers) end
  loop:state(engine.state)
  restore_averages(engine, saved, metadata)
  engine.goal = goal_of(metadata)
  forget(engine)
end

return M
