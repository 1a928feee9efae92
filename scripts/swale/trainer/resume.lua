--- Restores a checkpoint in a trainer, which keeps its own seed, order, settings and record.
local checkpoint = require "swale.trainer.checkpoint"
local core = require "swale.core"
local custom = require "swale.trainer.custom"
local errors = require "swale.errors"
local kinds = require("swale.average").KINDS

local M = {}

--- A whole number of the metadata, at least so much.
local function whole(metadata, name, least)
  local text = metadata[name]
  local n = math.tointeger(tonumber(text or ""))
  if not text then
    errors.misuse("Trainer:restore: the metadata have no %s: no checkpoint of a training", name)
  elseif not n or n < least then
    errors.misuse("Trainer:restore: the metadata's %s must be a whole number from %d, not %s", name,
      least, errors.shown(text))
  end
  return n
end

local function is_plain(value) return type(value) == "table" and getmetatable(value) == nil end

local function are_tensors(saved)
  for _, value in pairs(saved) do if core.type(value) ~= "tensor" then return false end end
  return true
end

--- Two models have weights in the same places if their segments have the same shapes, whatever
--- their names.
local function check_segments(engine, metadata)
  local ok, list = pcall(core.json_decode, metadata.segments or "")
  if not ok or type(list) ~= "table" then return end
  for i, own in ipairs(engine.graph.segments) do
    local theirs = list[i]
    local shape = theirs and type(theirs.shape) == "table" and table.concat(theirs.shape, ", ")
    if shape ~= table.concat(own.shape, ", ") then
      errors.misuse("Trainer:restore: the checkpoint is of another model: where this one has %s"
        .. " (%s), it has %s", own.path, table.concat(own.shape, ", "),
        theirs and ("%s (%s)"):format(theirs.path, shape) or "nothing")
    end
  end
end

local function check_vector(engine, saved, name)
  local found, own = saved[name], engine[name]
  local n, wanted = found and found:numel() or 0, own and own:numel() or 0
  if n ~= wanted then
    errors.misuse("Trainer:restore: %d %s, the model has %d", n, name, wanted)
  elseif found and own and found:dtype() ~= own:dtype() then
    errors.misuse("Trainer:restore: %s are %s, those of the model %s", name, found:dtype(),
      own:dtype())
  end
end

local function check(engine, saved, metadata)
  engine.measurements:refuse "Trainer:restore"
  if engine:is_running() then errors.misuse "Trainer:restore: a fit is running" end
  if not is_plain(saved) or not is_plain(metadata) or not saved.weights or not are_tensors(saved)
  then
    errors.misuse "Trainer:restore: takes what sw.load gives of a checkpoint: tensors and metadata"
  end
  local kind = engine.optimizer.kind
  if metadata.optimizer and metadata.optimizer ~= kind then
    errors.misuse("Trainer:restore: the checkpoint's optimizer is %s, this trainer's %s",
      metadata.optimizer, kind)
  end
  for _, name in ipairs { "weights", "buffers" } do check_vector(engine, saved, name) end
  check_segments(engine, metadata)
end

--- The tensors that an optimizer in Lua kept: all that the trainer did not write itself.
local function kept_by_function(saved)
  local found = {}
  for name, value in pairs(saved) do
    if not custom.is_reserved(name) and core.type(value) == "tensor" then found[name] = value end
  end
  return found
end

local function vectors(engine, saved)
  local row, found = engine.optimizer.row, {}
  if row.external then return kept_by_function(saved) end
  for _, name in ipairs(row.moments) do found[name] = saved[name] end
  return found
end

local function check_average(engine, name, mean)
  local weights = engine.weights
  if mean:numel() ~= weights:numel() or mean:dtype() ~= weights:dtype() then
    errors.misuse("Trainer:restore: the average %s has %d %s weights, the model has %d %s", name,
      mean:numel(), mean:dtype(), weights:numel(), weights:dtype())
  end
end

local function check_averages(engine, found)
  for _, entry in ipairs(engine.evaluator.averages) do
    local one = found and found[entry.name]
    local state = one and one.count > 0 and one.state
    local points = kinds[entry.average.kind].points
    if state then check_average(engine, entry.name, points and state:select(1, 1) or state) end
  end
end

--- Averages by name. A LastK starts again: the file does not contain its points.
local function averages_of(engine, saved, metadata)
  local found, list = {}, engine.evaluator.averages
  for _, entry in ipairs(list) do
    local part = saved["average." .. entry.name] and "." .. entry.name or ""
    local mean, key = saved["average" .. part], "average_count" .. part
    local named = part ~= "" or #list == 1
    if named and mean and metadata[key] and not kinds[entry.average.kind].points then
      check_average(engine, entry.name, mean)
      found[entry.name] = { state = mean, count = whole(metadata, key, 1),
        carry = saved["average_carry" .. part] }
    end
  end
  return found
end

local function goal_of(metadata)
  local scale, at = (metadata.goal or ""):match "^(%l+) ([%d%.e%+]+)$"
  return scale and { scale = scale, at = tonumber(at) } or nil
end

--- Position, last values and vectors. Checkpoints of older versions have no last values.
local function loop_of(engine, saved, metadata)
  local found = { step = whole(metadata, "step", 0), examples = whole(metadata, "examples", 0),
    vectors = vectors(engine, saved) }
  for _, name in ipairs(checkpoint.LAST) do
    local value = tonumber(metadata[name])
    found[name] = math.tointeger(value) or value
  end
  return found
end

--- After the first step no rule returns its initial value.
local function rules_of(engine, metadata)
  local found = {}
  for _, rule in ipairs(engine.rules) do
    found[rule.name] = { mem = rule.mem, held = rule.held and whole(metadata, "step", 0) == 0 }
  end
  return found
end

--- The parts of a file without a state: of an older version, or by another program.
local function parts_of_vectors(engine, saved, metadata)
  return {
    vectors = { weights = saved.weights, buffers = saved.buffers },
    loop = loop_of(engine, saved, metadata), rules = rules_of(engine, metadata),
    averages = averages_of(engine, saved, metadata),
    progress = { goal = goal_of(metadata) },
  }
end

--- A script may give the weights alone, or others in their place.
local OPTIONAL <const> = { averages = true, evaluator = true, measurements = true, vectors = true,
  ["loop.vectors"] = true }

--- All parts of a file but those that belong to its run or were made by the trainer's own options.
--- The vectors are those that were given, which may be others than the file's.
local function parts_of_state(engine, saved, metadata)
  local parts, message = checkpoint.unpack(saved, metadata, OPTIONAL)
  if not parts then errors.misuse("Trainer:restore: %s", message) end
  check_averages(engine, parts.averages)
  parts.sampler, parts.journal, parts.script = nil, nil, nil
  parts.vectors = { weights = saved.weights, buffers = saved.buffers }
  if parts.loop and not parts.loop.memory then parts.loop.vectors = vectors(engine, saved) end
  return parts
end

---@param engine swale.Engine
---@param saved table<string, swale.Tensor>
---@param metadata table<string, string>
function M.take(engine, saved, metadata)
  check(engine, saved, metadata)
  engine:ready()
  local parts_of = metadata.state and parts_of_state or parts_of_vectors
  checkpoint.try(engine, parts_of(engine, saved, metadata))
end

return M
