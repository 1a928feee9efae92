--- The numbers a user can set: learning rate, batch size, momentum, weight decay. Fixed values and
--- native schedules are handed to the loop once; Lua functions are asked before each step.
local errors = require "swale.errors"
local schedule = require "swale.schedule"

local M = {}

--- In place of a value: equal to nothing a rule can say.
M.UNSPOKEN = {}

M.NAMES = { "lr", "batch_size", "momentum", "weight_decay" }

--- A function that is asked before each step.
---@class swale.LiveRule
---@field name swale.Hyper
---@field f fun(s: swale.State, mem: table|nil): number
---@field mem table          its memory, as long as the trainer lasts
---@field held boolean     the coming step keeps what is set: the rule's initial value
---@field value any        what it said last; UNSPOKEN before that

local function place_of(f)
  local info = debug.getinfo(f, "S")
  if info.linedefined <= 0 then return "a C function" end
  return ("%s:%d"):format(info.short_src, info.linedefined)
end

local function refuse(rule, value, s, wanted)
  errors.misuse("the %s rule (%s) gave %s for step %d: %s", rule.name, place_of(rule.f),
    errors.shown(value), s.step + 1, wanted)
end

local type = type -- a local: it is asked for each step

local function checked(rule, value, s)
  if type(value) ~= "number" or value - value ~= 0 then
    refuse(rule, value, s, "a rule returns a finite number")
  elseif rule.name ~= "batch_size" then
    return value >= 0 and value or refuse(rule, value, s, "it must not be negative")
  elseif value < 1 then
    refuse(rule, value, s, "a batch has at least 1 example")
  end
  return math.floor(value)
end

---Asks the rules for the coming step.
---@param rules swale.LiveRule[]
---@param s swale.State
---@param loop swale.Loop
function M.ask(rules, s, loop)
  local set = loop.set
  for i = 1, #rules do
    local rule = rules[i]
    if rule.held then
      rule.held = false
    else
      local value = rule.f(s, rule.mem)
      if value ~= rule.value then
        set(loop, rule.name, checked(rule, value, s))
        rule.value = value
      end
    end
  end
end

--- What the loop starts from where a function will say what comes: never used.
local PLACEHOLDER = { lr = 0, batch_size = 1, momentum = 0, weight_decay = 0 }

local function check_number(name, value)
  if name == "batch_size" and value < 1 then
    errors.misuse("Trainer: batch_size is %s; a batch has at least 1 example", tostring(value))
  elseif value < 0 or value - value ~= 0 then
    errors.misuse("Trainer: %s is %s; it must be a finite number that is not negative", name,
      tostring(value))
  end
  return name == "batch_size" and math.floor(value) or value
end

---Checks a setting without a loop.
---@param name swale.Hyper
---@param x swale.Hyperparameter
function M.check(name, x)
  if type(x) == "number" then check_number(name, x) end
  if schedule.is_rule(x) then check_number(name, x.initial) end
end

local function attach(loop, name, x, rules)
  if type(x) == "number" then
    loop:set(name, check_number(name, x))
  elseif schedule.is_rule(x) then
    loop:set(name, check_number(name, x.initial))
    rules[#rules + 1] = { name = name, f = x.f, mem = {}, held = true, value = x.initial }
  elseif type(x) == "function" or x.f then
    loop:set(name, PLACEHOLDER[name])
    rules[#rules + 1] = { name = name, f = type(x) == "function" and x or x.f, mem = {},
      held = false, value = M.UNSPOKEN }
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
