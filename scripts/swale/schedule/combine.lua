--- Schedules made of others. Of native ones the result is native; with a Lua function or a rule
--- among them it is a Lua function, called before each step.
local duration = require "swale.duration"
local errors = require "swale.errors"
local kinds = require "swale.schedule.kinds"
local object = require "swale.schedule.object"
local options = require "swale.options"
local rules = require "swale.schedule.rules"

---@class swale.Combinations
local M = {}

---A number, function, rule or schedule as a schedule.
---@param where string
---@param x swale.Hyperparameter
---@return swale.Schedule
function M.part(where, x)
  if object.is_schedule(x) then return x end
  if type(x) == "number" then return kinds.constant(x) end
  if type(x) == "function" then return object.of_function("of", x) end
  if rules.is_rule(x) then
    local function value_of(s, mem) -- the first call gives the initial value
      if mem.called then return x.f(s, mem.own) end
      mem.called, mem.own = true, {}
      return x.initial
    end
    return object.of_function("rule", value_of, { live = true })
  end
  errors.misuse("%s: needs a schedule, a function or a number, not %s", where, errors.shown(x))
end

local function parts_of(where, list)
  local parts = {}
  for i, x in ipairs(options.value(where, "schedules", list, "list")) do
    parts[i] = M.part(where, x)
  end
  if #parts == 0 then errors.misuse("%s: no schedules", where) end
  return parts
end

local function all_native(parts)
  for _, part in ipairs(parts) do if part.f then return false end end
  return true
end

local function any_live(parts)
  for _, part in ipairs(parts) do if part.live then return true end end
  return false
end

local function natives(parts)
  local list = {}
  for i, part in ipairs(parts) do list[i] = part.native end
  return list
end

--- Examples of the coming update if the state has them: the batch size of the last one; else 1.
local function coming(s)
  local n = rawget(s, "batch_size")
  return n and n == n and math.floor(n) or 1
end

--- The value of a part at the state s; mem holds each part's own memory under its number.
local function part_value(part, i, s, mem)
  if part.native then
    return part.native:at(s.step, s.examples, s.examples + coming(s), s.epoch_examples)
  end
  if mem ~= object.NO_MEMORY then
    mem[i] = mem[i] or {}
    mem = mem[i]
  end
  local value = part.f(s, mem)
  if type(value) ~= "number" then
    errors.misuse("schedule: a part's function must give a number, not %s", errors.shown(value))
  end
  return value
end

local function combined(kind, parts, f, length)
  return object.of_function(kind, f, { live = any_live(parts), length = length, parts = parts })
end

---Its value times a number.
---@param x swale.Hyperparameter
---@param value number
---@return swale.Schedule
function M.scale(x, value)
  local part = M.part("schedule.scale", x)
  value = options.value("schedule.scale", "value", value, "number")
  if part.native then
    return object.native("scale", { schedules = { part.native }, value = value }, part.length,
      { part })
  end
  return combined("scale", { part }, function(s, mem)
    return value * part_value(part, 1, s, mem)
  end, part.length)
end

---Kept between min and max.
---@param x swale.Hyperparameter
---@param o { min?: number, max?: number }
---@return swale.Schedule
function M.clamp(x, o)
  local part = M.part("schedule.clamp", x)
  o = options.check("schedule.clamp", o, { min = "number?", max = "number?" })
  if o.min and o.max and o.min > o.max then
    errors.misuse("schedule.clamp: min %g is above max %g", o.min, o.max)
  end
  if part.native then
    return object.native("clamp", { schedules = { part.native }, min = o.min, max = o.max },
      part.length, { part })
  end
  local low, high = o.min or -math.huge, o.max or math.huge
  return combined("clamp", { part }, function(s, mem)
    return math.max(low, math.min(high, part_value(part, 1, s, mem)))
  end, part.length)
end

---The product of several, all by one clock.
---@param list swale.Hyperparameter[]
---@return swale.Schedule
function M.product(list)
  local parts = parts_of("schedule.product", list)
  if all_native(parts) then
    return object.native("product", { schedules = natives(parts) }, nil, parts)
  end
  return combined("product", parts, function(s, mem)
    local value = 1
    for i, part in ipairs(parts) do value = value * part_value(part, i, s, mem) end
    return value
  end)
end

-- ------------------------------------------------------------------ one after another

local UNITS = { epochs = true, steps = true, examples = true }

--- { schedule, epochs = 3 } gives the length of a part; a schedule with an end has its own.
local function link(where, i, entry)
  if type(entry) ~= "table" or getmetatable(entry) then
    local part = M.part(where, entry)
    return part, part.length
  end
  local part, length = M.part(where, entry[1]), {}
  for key, value in pairs(entry) do
    if key ~= 1 and not UNITS[key] then
      errors.misuse("%s: part %d: unknown option %s%s It is { schedule, epochs = 3 }", where, i,
        errors.shown(key), errors.suggestion(key, UNITS))
    end
    if key ~= 1 then length[key] = value end
  end
  length = next(length) and duration.of(length, where) or part.length
  if length and length.amount == 0 then
    errors.misuse("%s: part %d (%s) lasts 0 %s: leave it out", where, i, tostring(part),
      length.unit)
  end
  return part, length
end

local function links(where, list)
  local parts, lengths, total = {}, {}, nil
  for i, entry in ipairs(options.value(where, "schedules", list, "list")) do
    parts[i], lengths[i] = link(where, i, entry)
  end
  if #parts == 0 then errors.misuse("%s: no schedules", where) end
  for i = 1, #parts do
    if i < #parts and not lengths[i] then
      errors.misuse("%s: how long does part %d (%s) last? write { %s, epochs = 3 }", where, i,
        tostring(parts[i]), tostring(parts[i]))
    end
    local same = i == 1 or total and lengths[i] and lengths[i].unit == total.unit
    total = same and lengths[i] and duration.of { [lengths[i].unit] =
      lengths[i].amount + (total and total.amount or 0) } or nil
  end
  lengths[#parts] = nil
  return parts, lengths, total
end

--- How far s is on the chain's clock, and where the part that is due began.
local function find(lengths, s)
  local start = 0
  for i, length in ipairs(lengths) do
    local steps = length.unit == "steps"
    local own = steps and length.amount or length:examples(s.epoch_examples)
    if (steps and s.step or s.examples) < start + own - 1e-6 then return i, start end
    start = start + own
  end
  return #lengths + 1, start
end

--- The state with a clock that began when its part did. Steps are counted where lengths are.
local function since(s, start, in_steps)
  local step = in_steps and s.step - math.floor(start + 0.5) or s.step
  local examples = in_steps and s.examples or s.examples - math.floor(start + 0.5)
  return setmetatable({ step = step, examples = examples, epoch = examples / s.epoch_examples,
    batch_size = rawget(s, "batch_size"), epoch_examples = s.epoch_examples }, { __index = s })
end

---One after another, each one's clock from 0; the last goes on. How long a part lasts is known
---from its own length, or said: `chain { linear { from = 0, to = 1, epochs = 1 }, { 0.1, epochs = 5
---}, cosine { … } }`.
---@param list table
---@return swale.Schedule
function M.chain(list)
  local where = "schedule.chain"
  local parts, lengths, total = links(where, list)
  if #parts == 1 then return parts[1] end
  if all_native(parts) then
    return object.native("chain", { schedules = natives(parts), durations = lengths }, total,
      parts)
  end
  local in_steps = lengths[1].unit == "steps"
  for _, length in ipairs(lengths) do
    if (length.unit == "steps") ~= in_steps then
      errors.misuse("%s: all durations in steps, or none, not %s and %s", where, lengths[1], length)
    end
  end
  local chain = combined("chain", parts, function(s, mem)
    local i, start = find(lengths, s)
    return part_value(parts[i], i, i > 1 and since(s, start, in_steps) or s, mem)
  end, total)
  chain.durations = lengths
  return chain
end

return M
