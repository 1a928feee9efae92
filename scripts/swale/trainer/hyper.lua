--- The numbers a user can set: learning rate, batch size, momentum, weight decay. Fixed values and
--- native schedules are handed to the loop once; Lua functions are asked before each step.
local errors = require "swale.errors"
local schedule = require "swale.schedule"

local M = {}

M.NAMES = { "lr", "batch_size", "momentum", "weight_decay" }

--- A function that is asked before each step.
---@class swale.LiveRule
---@field name swale.Hyper
---@field f fun(s: swale.State, mem: table|nil): number
---@field mem table          its memory, as long as the trainer lasts
---@field initial number|nil   what holds for the first step, without the function
---@field held boolean     the coming step is that one

local function place_of(f)
  local info = debug.getinfo(f, "S")
  if info.linedefined <= 0 then return "a C function" end
  return ("%s:%d"):format(info.short_src, info.linedefined)
end

local LARGEST_BATCH = 2 ^ 31 - 1

---Whether a loop can have this value.
---@param name swale.Hyper
---@param value any
---@return boolean
function M.is_valid(name, value)
  if type(value) ~= "number" or value - value ~= 0 then return false end
  if name == "batch_size" then return value >= 1 and value < LARGEST_BATCH + 1 end
  return value >= 0 and (name ~= "momentum" or value <= 1)
end

local WANTED = { batch_size = "a batch has 1 to 2147483647 examples", momentum = "it is 0 to 1" }

--- Of Adam, momentum is beta1, and 1 - beta1 is divided by.
local function fits(name, value, kind)
  local is_beta = name == "momentum" and (kind == "adam" or kind == "adamw")
  return M.is_valid(name, value) and not (is_beta and value == 1)
end

--- What it would have to be.
local function wanted(name, value, kind)
  if name == "momentum" and value == 1 and fits(name, 0.5, kind) then
    return "of Adam it is beta1, below 1"
  end
  return WANTED[name] or "it must be a finite number that is not negative"
end

---Raises for a value that a schedule will have.
---@param name swale.Hyper
---@param value number
---@param from swale.Schedule
---@param step integer    the update it is for, from 1
---@param kind string     of the optimizer
function M.check_scheduled(name, value, from, step, kind)
  if fits(name, value, kind) then return end
  errors.misuse("Trainer: %s is %g at step %d (%s): %s", name, value, step, tostring(from),
    wanted(name, value, kind))
end

---Raises for a value that no loop can have.
---@param rule swale.LiveRule
---@param value any
---@param s swale.State
function M.refuse(rule, value, s)
  local words = "a batch has 1 to 2147483647 examples"
  if type(value) ~= "number" or value - value ~= 0 then
    words = "a rule returns a finite number"
  elseif rule.name == "momentum" then
    words = "it is 0 to 1"
  elseif rule.name ~= "batch_size" then
    words = "it must not be negative"
  elseif value < 1 then
    words = "a batch has at least 1 example"
  end
  errors.misuse("the %s rule (%s) gave %s for step %d: %s", rule.name, place_of(rule.f),
    errors.shown(value), s.step + 1, words)
end

local function say(rule, s)
  if not rule.held then return (rule.f(s, rule.mem)) end
  rule.held = false
  return rule.initial
end

local function say_from(rules, i, s)
  if i == #rules then return say(rules[i], s) end
  return say(rules[i], s), say_from(rules, i + 1, s)
end

---The function to ask before each step: called with the state and mem it gives what each rule says.
---One rule that is not held is that function itself.
---@param rules swale.LiveRule[]
---@return fun(s: swale.State, mem: table|nil): ... ask, table|nil mem
function M.asker(rules)
  local first = rules[1]
  if not first then return function() end end
  if #rules == 1 and not first.held then return first.f, first.mem end
  return function(s) return say_from(rules, 1, s) end
end

---A function that takes what they say and makes one step.
---@param loop swale.Loop
---@param rules swale.LiveRule[]
---@return fun(...: number): boolean|nil, ...
function M.stepper(loop, rules)
  local names = {}
  for i, rule in ipairs(rules) do names[i] = rule.name end
  return loop:stepper(table.unpack(names))
end

--- What the loop starts from where a function will say what comes: never used.
local PLACEHOLDER = { lr = 0, batch_size = 1, momentum = 0, weight_decay = 0 }

local function check_number(name, value, kind)
  if name == "batch_size" and value < 1 then
    errors.misuse("Trainer: batch_size is %s; a batch has at least 1 example", tostring(value))
  elseif not fits(name, value, kind) then
    errors.misuse("Trainer: %s is %s; %s", name, tostring(value), wanted(name, value, kind))
  end
  return name == "batch_size" and math.floor(value) or value
end

---Checks a setting without a loop.
---@param name swale.Hyper
---@param x swale.Hyperparameter
---@param kind? string    of the optimizer
function M.check(name, x, kind)
  if type(x) == "number" then check_number(name, x, kind) end
  if schedule.is_rule(x) then check_number(name, x.initial, kind) end
end

local function attach(loop, name, x, rules)
  if type(x) == "number" then
    loop:set(name, check_number(name, x))
  elseif schedule.is_rule(x) then
    loop:set(name, check_number(name, x.initial))
    rules[#rules + 1] = { name = name, f = x.f, mem = {}, held = true,
      initial = x.initial }
  elseif type(x) == "function" or x.f then
    loop:set(name, PLACEHOLDER[name])
    rules[#rules + 1] = { name = name, f = type(x) == "function" and x or x.f, mem = {},
      held = false }
  else
    loop:set(name, x.native)
  end
end

---Hands the settings to the loop.
---@param loop swale.Loop
---@param settings table<swale.Hyper, swale.Hyperparameter>
---@return swale.LiveRule[] rules
function M.attach(loop, settings)
  local rules = {}
  for _, name in ipairs(M.NAMES) do attach(loop, name, settings[name], rules) end
  return rules
end

---Hands one setting to the loop; the other rules go on as they are.
---@param loop swale.Loop
---@param settings table<swale.Hyper, swale.Hyperparameter>
---@param rules swale.LiveRule[]
---@param name swale.Hyper
---@return swale.LiveRule[] rules
function M.replace(loop, settings, rules, name)
  local others = {}
  for _, rule in ipairs(rules) do
    if rule.name ~= name then others[#others + 1] = rule end
  end
  attach(loop, name, settings[name], others)
  return others
end

return M
