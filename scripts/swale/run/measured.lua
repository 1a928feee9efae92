--- Measures checkpoints of a run afterwards: its script is executed up to its first fit, and the
--- trainer is given the weights of one checkpoint after the other. The values go to measured.jsonl
--- in the run's directory, a line each.
local core = require "swale.core"
local dry = require "swale.check.dry"
local errors = require "swale.errors"
local folders = require "swale.folders"
local format = require "swale.run.format"
local lines = require "swale.run.lines"
local measure = require "swale.measurements"
local training = require "swale.trainer.training"
local values = require "swale.measurements.values"

local M = {}

---@class swale.Kept            a checkpoint with weights of the first trainer
---@field name string
---@field path string
---@field step integer

---@class swale.AskedName
---@field name string
---@field options table<string, any>

-- ------------------------------------------------------------------ which checkpoints

local function read(path)
  local tensors, metadata = core.safetensors_read(path, true)
  local step = tensors and math.tointeger(tonumber(metadata.step))
  if not step or not tensors.weights then return nil end
  local point = core.json_decode(metadata.run or "null")
  if type(point) == "table" and point.trainer ~= 1 then return nil end
  return step
end

---Returns the checkpoints of a run's first trainer by step: one for each, and best.
---@param dir string
---@return swale.Kept[]
function M.checkpoints(dir)
  local list, seen = {}, {}
  for _, name in ipairs(folders.entries(dir .. "/checkpoints")) do
    local path = dir .. "/checkpoints/" .. name
    local base = name:match "^(.*)%.safetensors$"
    local step = base and read(path)
    if step and (base == "best" or not seen[step]) then
      if base ~= "best" then seen[step] = true end
      list[#list + 1] = { name = base, path = path, step = step }
    end
  end
  table.sort(list, function(a, b)
    if a.step ~= b.step then return a.step < b.step end
    return a.name > b.name
  end)
  return list
end

local function steps_of(list)
  local words = {}
  for i, one in ipairs(list) do
    words[i] = one.name == "best" and ("best (%d)"):format(one.step) or tostring(one.step)
  end
  return table.concat(words, ", ")
end

--- Whether a word of --at means a checkpoint; all leaves best out, which is one of the others or
--- has no neighbours.
local function is_meant(word, one, last)
  if word == "best" then return one.name == "best" end
  if one.name == "best" then return false end
  return word == "all" or word == "last" and one.step == last or tonumber(word) == one.step
end

---Returns those that are named: all, last, best, or steps.
---@param list swale.Kept[]
---@param words string[]
---@return swale.Kept[]|nil chosen, string? message
function M.choose(list, words)
  local chosen, last = {}, 0
  for _, one in ipairs(list) do if one.name ~= "best" then last = math.max(last, one.step) end end
  for _, word in ipairs(words) do
    local found = false
    for _, one in ipairs(list) do
      if is_meant(word, one, last) then chosen[#chosen + 1], found = one, true end
    end
    if not found then
      return nil, ("no checkpoint %s; there are %s"):format(word,
        #list > 0 and steps_of(list) or "none of the first trainer")
    end
  end
  return chosen
end

-- ------------------------------------------------------------------ which measurements

local function value_of(text)
  if text == "true" or text == "false" then return text == "true" end
  return math.tointeger(tonumber(text)) or tonumber(text) or text
end

---Parses "hessian_trace=probes:50,sample:500".
---@param word string
---@return swale.AskedName|nil asked, string? message
function M.parse(word)
  local name, rest = word:match "^([%a_][%w_]*)=(.+)$"
  name = name or word
  local asked = { name = name, options = {} }
  for part in (rest or ""):gmatch "[^,]+" do
    local key, value = part:match "^([%a_][%w_]*):(.+)$"
    if not key then
      return nil, ('options of %s are key:value, as in %s=sample:500, not "%s"'):format(name, name,
        part)
    end
    asked.options[key] = value_of(value)
  end
  return asked
end

-- ------------------------------------------------------------------ the trainer

local FOUND = setmetatable({}, { __name = "swale.Found" }) -- ends the script

--- Returns the engine of the script's first fit; nil and what ended the script before.
local function first_engine(o)
  local engine
  local runner = { new_loop = training.new_loop, new_evaluator = training.new_evaluator,
    begin = training.begin,
    fit = function(found)
      engine = engine or found
      error(FOUND, 0)
    end }
  local failure = dry.execute_with(o.experiment, o.params, o.seed, runner)
  if engine then return engine end
  return nil, failure and failure.value or "the script trains nothing with a Trainer"
end

local STATE <const> = { "loss", "grad_norm", "lr", "batch_size", "momentum", "weight_decay" }

--- Gives the trainer weights, running statistics and position of a checkpoint.
local function load_into(engine, kept)
  local tensors, metadata = errors.check(core.safetensors_read(kept.path))
  for _, name in ipairs { "weights", "buffers" } do
    local own, saved = engine[name], tensors[name]
    if (own and own:numel() or 0) ~= (saved and saved:numel() or 0) then
      errors.misuse("%s has %d %s, the model of the script has %d", kept.path,
        saved and saved:numel() or 0, name, own and own:numel() or 0)
    end
    if own then own:copy(saved) end
  end
  local s = engine.state
  s.step, s.examples = kept.step, math.tointeger(tonumber(metadata.examples)) or 0
  s.epoch = s.examples / s.epoch_examples
  for _, name in ipairs(STATE) do s[name] = tonumber(metadata[name]) or core.NAN end
end

--- Measures one name at the present weights. Every call draws the same random numbers, so that
--- differences between checkpoints are not those of the draws.
local function measured(engine, asked, kept)
  local s = engine.state
  local entry = engine.measurements.by_name[asked.name]
  local ok, value, seconds = engine.measurements:call(entry, 1)
  local line = { format = format.VERSION, kind = "measurement", name = asked.name, step = s.step,
    examples = s.examples, epoch = s.epoch, checkpoint = kept.name, options = asked.options,
    seconds = seconds }
  if ok then
    values.add_columns(line, asked.name, value, {})
  else
    line.error = errors.failure(value)
  end
  return line
end

---@class swale.MeasureOptions
---@field dir string
---@field experiment swale.Experiment
---@field params table<string, any>
---@field seed integer
---@field checkpoints swale.Kept[]
---@field asked swale.AskedName[]
---@field on_line fun(line: table)     called with each line that was written

--- Names that the script's trainer measures, of functions of its own, too.
local function known_names(engine)
  local names = {}
  for _, name in ipairs(measure.NAMES) do names[name] = true end
  for _, entry in ipairs(engine.measurements.list) do names[entry.name] = true end
  return names
end

--- Raises for what was typed, without the position of a line in the script.
local function refuse(fmt, ...) errors.environment(fmt:format(...), "EMEASURE") end

--- Asks the trainer for a measurement; one that the script has keeps its options unless some are
--- given.
local function ask(engine, asked)
  local name, entry = asked.name, engine.measurements.by_name[asked.name]
  if not entry and not measure.is_registered(name) then
    local names = known_names(engine)
    refuse("there is no measurement %s%s There are: %s", errors.shown(name),
      errors.suggestion(name, names), table.concat(errors.sorted(names), ", "))
  end
  local row = entry and entry.row or measure.row(name)
  if row.along or row.before then
    refuse("%s is about steps of a training, not about the weights of a checkpoint%s", name,
      name == "noise_scale" and "; noise_at_weights is about these" or "")
  end
  if entry and not next(asked.options) then return end
  local what = { every = { steps = 1 } }
  for key, value in pairs(asked.options) do what[key] = value end
  engine.measurements:ask(name, what)
end

---Measures; raises where the script does not reach a fit or has another model.
---@param o swale.MeasureOptions
function M.run(o)
  local engine, why = first_engine(o)
  if not engine then
    if why == core.INTERRUPTED then error(why, 0) end
    errors.environment(("the script did not reach a fit: %s"):format(tostring(why)), "ESCRIPT")
  end
  engine:ready()
  for _, asked in ipairs(o.asked) do ask(engine, asked) end
  local file, message = lines.open(o.dir .. "/measured.jsonl")
  if not file then errors.environment(message, "EIO") end
  local _ <close> = setmetatable({}, { __close = function() file:close() end })
  for _, kept in ipairs(o.checkpoints) do
    load_into(engine, kept)
    for _, asked in ipairs(o.asked) do
      local line = measured(engine, asked, kept)
      errors.check(file:write(core.json_encode(line) .. "\n"))
      o.on_line(line)
    end
  end
end

-- ------------------------------------------------------------------ results

---Returns the columns of a line that are values, with their intervals, by name.
---@param line table
---@return { name: string, value: number, low: number|nil, high: number|nil, note: string|nil }[]
function M.columns(line)
  local list = {}
  for _, column in ipairs(errors.sorted_keys(line)) do
    if values.is_value_of(line.name, column) then
      local low, high = values.interval(line, column)
      list[#list + 1] = { name = column, value = line[column], low = low, high = high,
        note = line[column .. "_reason"] }
    end
  end
  return list
end

return M
