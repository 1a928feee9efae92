--- Checkpoints: files with all parts of a snapshot, from which a training continues to the same
--- bits in another process. Tensors are named as docs/runs.md says, further ones "state.N". The
--- metadata have what readers of weights need, and the rest as one text, `state`
--- (swale.trainer.encode): a list of { name of a part, name within it or "", value }.
local averages = require "swale.trainer.averages"
local core = require "swale.core"
local create = require "swale.create"
local encode = require "swale.trainer.encode"
local errors = require "swale.errors"
local globals = require "swale.experiment.globals"
local hyper = require "swale.trainer.hyper"
local kinds = require("swale.average").KINDS
local marks = require "swale.trainer.marks"
local segments = require "swale.segments"
local snapshot = require "swale.trainer.snapshot"

local M = {}

M.FORMAT = "1"

---What one lacks that is not written between two steps, as where an interrupt ends an evaluation.
M.WITHIN = "it was written while events of this step were under way"

--- Values of the last update that the metadata have.
M.LAST = { "loss", "grad_norm", table.unpack(hyper.NAMES) }

-- ------------------------------------------------------------------ for readers of weights

--- The values of the last update, which rules read, and the end of the fit if it is reached, from
--- which the next one counts.
---@param engine swale.Engine
---@return table<string, string>
function M.metadata(engine)
  local s, goal, graph = engine.state, engine.goal, engine.graph
  local reached = goal and marks.is_reached(goal, s)
  local kept = #graph.buffer_segments > 0
  local data = { format = M.FORMAT, step = tostring(s.step), examples = tostring(s.examples),
    segments = segments.json(graph.segments),
    buffer_segments = kept and segments.json(graph.buffer_segments) or nil,
    goal = reached and ("%s %.17g"):format(goal.scale, goal.at) or nil,
    optimizer = engine.optimizer.kind }
  for _, name in ipairs(M.LAST) do data[name] = ("%.17g"):format(s[name]) end
  return data
end

--- One average is named "average", several "average.NAME"; "average_carry" is what float32 cannot
--- hold of it, "buffers.average" its re-estimated statistics. Of a LastK "average" is the mean; its
--- points are in the state.
local function add_averages(tensors, data, engine, parts)
  local captured = averages.with_captures(engine.evaluator.averages)
  data.average_count = "0"
  for _, entry in ipairs(captured) do
    local part = #captured == 1 and "" or "." .. entry.name
    local one = parts.averages[entry.name]
    local has_points = kinds[entry.average.kind].points
    tensors["average" .. part] = has_points and entry.average:weights() or one.state
    tensors["average_carry" .. part] = one.carry
    local known = parts.evaluator.statistics[entry.name]
    tensors["buffers.average" .. part] = known and known[engine.evaluator.batch_norm]
    data["average_count" .. part] = tostring(entry.average.count)
  end
end

-- ------------------------------------------------------------------ all parts

--- What belongs to the run, not to the trainer: the streams of math.random and of sw.rand, and
--- numbers that hooks have set.
local script = {}

function script.state(engine)
  local found = { random = globals.stream(), rand = create.stream(), settings = {} }
  for name in pairs(engine.changed) do found.settings[name] = engine.settings[name] end
  return found
end

function script.restore(engine, saved)
  if not saved then return end
  local stream = globals.stream()
  if stream and saved.random then stream:load(saved.random:save()) end
  if saved.rand then create.stream():load(saved.rand:save()) end
  for _, name in ipairs(errors.sorted_keys(saved.settings)) do
    engine:set(name, saved.settings[name])
    engine.changed[name] = true
  end
end

--- How reasons name a value; a part is encoded whole, or each of its fields apart.
local APART <const> = {
  rules = function(name) return ("rule %s: mem"):format(name) end,
  measurements = function(name) return "measurements: " .. name end,
  loop = function(name) return name == "memory" and "the optimizer's state" or "loop: " .. name end,
  script = function(name) return "trainer: " .. name end,
}

--- What is named in reasons: of a rule its mem, which has to be all else.
local function flattened(rules)
  local found = {}
  for name, rule in pairs(rules) do found[name], found[name .. ".held"] = rule.mem, rule.held end
  return found
end

local function unflattened(found)
  local rules = {}
  for name, value in pairs(found) do
    local of, field = name:match "^(.*)%.(held)$"
    of, field = of or name, field or "mem"
    rules[of] = rules[of] or {}
    rules[of][field] = value
  end
  return rules
end

---@class swale.Packed
---@field tensors table<string, swale.Tensor>   some are the engine's own: to be written at once
---@field metadata table<string, string>
---@field lacks string[]    what could not be kept, in words

local function add(packed, list, encoder, part, name, value)
  local words = APART[part] and APART[part](name) or part
  local encoded, reason = encode.value(encoder, value, words)
  if reason then
    packed.lacks[#packed.lacks + 1] = reason
  else
    list[#list + 1] = { part, name, encoded }
  end
end

---Returns what the file of a checkpoint contains.
---@param engine swale.Engine
---@return swale.Packed
function M.pack(engine)
  local parts, list = snapshot.borrow(engine), {}
  local packed = { tensors = { weights = engine.weights, buffers = engine.buffers },
    metadata = M.metadata(engine), lacks = {} }
  for name, vector in pairs(parts.loop.vectors) do packed.tensors[name] = vector end
  add_averages(packed.tensors, packed.metadata, engine, parts)
  parts.script, parts.rules = script.state(engine), flattened(parts.rules)
  local encoder = encode.encoder(packed.tensors)
  for _, part in ipairs(errors.sorted_keys(parts)) do
    if not APART[part] then
      add(packed, list, encoder, part, "", parts[part])
    else
      for _, name in ipairs(errors.sorted_keys(parts[part])) do
        add(packed, list, encoder, part, name, parts[part][name])
      end
    end
  end
  packed.metadata.state = core.json_encode(list)
  return packed
end

---Writes a checkpoint.
---@param engine swale.Engine
---@param path string
---@return true|nil ok, string? message, string? code
function M.write(engine, path)
  local packed = M.pack(engine)
  if #packed.lacks > 0 then packed.metadata.lacks = table.concat(packed.lacks, "; ") end
  return core.safetensors_write(path, packed.tensors, packed.metadata)
end

-- ------------------------------------------------------------------ reading

local function put(parts, part, name, value)
  if name == "" then
    parts[part] = value
  else
    parts[part] = parts[part] or {}
    parts[part][name] = value
  end
end

---Returns the snapshot that a file contains, or what is wrong with it.
---@param tensors table<string, swale.Tensor>
---@param metadata table<string, string>
---@param optional? table<string, boolean>   parts ("loop") and fields of them ("loop.vectors") that
---are left out if a tensor of theirs is missing
---@return swale.Snapshot|nil snapshot, string? message, string? code
function M.unpack(tensors, metadata, optional)
  if metadata.format ~= M.FORMAT then
    return nil, ("the checkpoint has format %s, this version of Swale reads format %s"):format(
      metadata.format or "0", M.FORMAT), "EUNSUPPORTED"
  end
  if not metadata.state then
    return nil, "the file has weights, not the state of a training", "EUNSUPPORTED"
  end
  local list, parts = core.json_decode(metadata.state), {}
  if type(list) ~= "table" then return nil, "its state is damaged: it is not JSON", "ECORRUPT" end
  local decoder = encode.decoder(tensors)
  for _, item in ipairs(list) do
    if type(item) ~= "table" or type(item[1]) ~= "string" or type(item[2]) ~= "string" then
      return nil, "its state is damaged: a part has no name", "ECORRUPT"
    end
    if item[2] ~= "" and type(parts[item[1]] or {}) ~= "table" then
      return nil, "its state is damaged: a part is there twice", "ECORRUPT"
    end
    local ok, value, missing = encode.read(decoder, item[3])
    local is_left_out = missing and optional and (optional[item[1]]
      or optional[item[1] .. "." .. item[2]])
    if not ok and not is_left_out then return nil, value, "ECORRUPT" end
    if ok then put(parts, item[1], item[2], value) end
  end
  parts.rules, parts.lacks = unflattened(parts.rules or {}), metadata.lacks
  return parts
end

---Reads a checkpoint.
---@param path string
---@return swale.Snapshot|nil snapshot, table<string, string>|string metadata_or_message
---@return string? code
function M.read(path)
  local tensors, metadata, code = core.safetensors_read(path)
  if not tensors then return nil, metadata, code end
  local parts, message, fault = M.unpack(tensors, metadata)
  if parts then return parts, metadata end
  return nil, ("%s: %s"):format(path, message), fault
end

---Restores all parts of a snapshot that was read, with those of the run; or none. Raises where it
---does not fit the trainer.
---@param engine swale.Engine
---@param parts swale.Snapshot
function M.restore(engine, parts)
  if parts.lacks then errors.misuse("the checkpoint cannot be resumed: %s", parts.lacks) end
  if not (parts.vectors and parts.loop and parts.progress) then
    errors.environment("the checkpoint's state is damaged: parts are missing", "ECORRUPT")
  end
  M.try(engine, parts)
  script.restore(engine, parts.script)
  engine.stopped = parts.progress.stopped
end

---Restores parts of a snapshot, or none of them.
---@param engine swale.Engine
---@param parts swale.Snapshot
function M.try(engine, parts)
  local before = snapshot.take(engine)
  local ok, fault = pcall(snapshot.restore, engine, parts)
  if ok then return end
  snapshot.restore(engine, before)
  error(fault, 0)
end

return M
