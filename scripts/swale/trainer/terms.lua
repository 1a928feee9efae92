--- What a fit was asked for, as texts: its length, the hyperparameters, the optimizer, the
--- averages. A run that goes on compares them with those of its checkpoint.
local duration = require "swale.duration"
local errors = require "swale.errors"
local exact = require("swale.store.shown").exact
local hyper = require "swale.trainer.hyper"
local rules = require "swale.schedule.rules"
local schedules = require "swale.schedule.object"

local M = {}

---@alias swale.Terms table<string, string>

local function place_of(f)
  local info = debug.getinfo(f, "S")
  return ("function at %s:%d"):format(info.short_src, info.linedefined)
end

local of -- value to text

local function of_list(list)
  local words = {}
  for i, value in ipairs(list) do words[i] = of(value) end
  return "[" .. table.concat(words, ", ") .. "]"
end

local HIDDEN <const> = { kind = true, native = true, f = true, parts = true, length = true }

local function of_schedule(x)
  local words = { x.f and place_of(x.f) or nil }
  for _, key in ipairs(errors.sorted_keys(x)) do
    if not HIDDEN[key] then words[#words + 1] = ("%s = %s"):format(key, of(x[key])) end
  end
  return ("%s { %s }"):format(x.kind, table.concat(words, ", "))
end

function of(x)
  if type(x) == "function" then return place_of(x) end
  if math.type(x) == "float" then return exact(x) end
  if rules.is_rule(x) then return ("rule from %s, %s"):format(exact(x.initial), place_of(x.f)) end
  if schedules.is_schedule(x) then return of_schedule(x) end
  if duration.is_duration(x) then return ("%s %s"):format(exact(x.amount), x.unit) end
  return type(x) == "table" and of_list(x) or tostring(x)
end

---Returns the terms of the fit that begins.
---@param engine swale.Engine
---@param length swale.Duration
---@return swale.Terms
function M.of(engine, length)
  local terms = { length = of(length), optimizer = engine.optimizer.title }
  for _, name in ipairs(hyper.NAMES) do terms[name] = of(engine.settings[name]) end
  for _, entry in ipairs(engine.evaluator.averages) do
    local average = entry.average
    terms["average " .. entry.name] = ("%s { start = %s, every = %s }"):format(average:title(),
      of(average.start), of(average.every))
  end
  return terms
end

---@class swale.ChangedTerm
---@field name string
---@field from string
---@field to string
---@field rescaled boolean   durations alone differ

local function without_durations(text)
  local kept = text
  for _, unit in ipairs { "epochs", "steps", "examples" } do
    kept = kept:gsub("[%d%.e%+%-]+ " .. unit, unit)
  end
  return kept
end

---Returns what differs but for the length, by name.
---@param before swale.Terms
---@param now swale.Terms
---@return swale.ChangedTerm[]
function M.changes(before, now)
  local names, list = {}, {}
  for name in pairs(before) do names[name] = true end
  for name in pairs(now) do names[name] = true end
  names.length = nil
  for _, name in ipairs(errors.sorted(names)) do
    local from, to = before[name] or "none", now[name] or "none"
    if from ~= to then
      list[#list + 1] = { name = name, from = from, to = to,
        rescaled = without_durations(from) == without_durations(to) }
    end
  end
  return list
end

---Names of the hyperparameters that Lua functions compute: what they read is not known.
---@param engine swale.Engine
---@return string[]
function M.functions(engine)
  local list = {}
  for _, name in ipairs(hyper.NAMES) do
    local x = engine.settings[name]
    local f = type(x) == "function" and x or type(x) == "table" and x.f
    if f then list[#list + 1] = ("%s (%s)"):format(name, place_of(f)) end
  end
  return list
end

return M
