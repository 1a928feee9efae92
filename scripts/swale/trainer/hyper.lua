--- The hyperparameters, numbers that a user can set: core.hyperparameters. Fixed values and
--- native schedules are handed to the loop once; Lua functions are asked before each step.
local core = require "swale.core"
local errors = require "swale.errors"
local schedule = require "swale.schedule"

local M = {}

M.NAMES = {}

local ROWS <const> = {}
for i, row in ipairs(core.hyperparameters()) do M.NAMES[i], ROWS[row.name] = row.name, row end

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

---@param name any
---@return boolean
function M.is_name(name) return ROWS[name] ~= nil end

--- As the loop takes it: a batch size is a whole number.
local function taken(name, value) return ROWS[name].whole and math.floor(value) or value end

local function is_within(range, value)
  return value >= range.least and (value < range.most or value == range.most and not range.open)
end

local function is_finite(value) return type(value) == "number" and value - value == 0 end

--- The range in an optimizer's row, which has one for momentum and may narrow it; nil: it has none.
local function narrowed(name, optimizer) return optimizer.row[name] end

local function fits(name, value, optimizer)
  local own = narrowed(name, optimizer)
  return is_finite(value) and is_within(ROWS[name], taken(name, value))
    and (not own or is_within(own, value))
end

--- A number of the range in words: all digits of a whole one.
local function shown(x) return math.type(x) == "float" and ("%.10g"):format(x) or tostring(x) end

local function interval_words(range)
  local from, to = shown(range.least), shown(range.most)
  if range.open then return ("%s or more and below %s"):format(from, to) end
  return ("%s to %s"):format(from, to)
end

local function range_words(row, value)
  if row.whole and value < row.least then return "a batch has at least 1 example" end
  if row.whole then return ("a batch has %s examples"):format(interval_words(row)) end
  if row.most < math.huge then return "it is " .. interval_words(row) end
  return is_finite(value) and "it must not be negative"
    or "it must be a finite number that is not negative"
end

--- The allowed values, in words: where only the optimizer refuses the value, those of its row.
local function wanted(name, value, optimizer)
  local row, own = ROWS[name], narrowed(name, optimizer)
  if own and is_within(row, value) then
    local called = optimizer.momentum_name
    return ("of %s it is %s%s"):format(optimizer.title, called and called .. ", " or "",
      interval_words(own))
  end
  return range_words(row, value)
end

---Raises for a value that a schedule will have.
---@param name swale.Hyper
---@param value number
---@param from swale.Schedule
---@param step integer    the update it is for, from 1
---@param optimizer swale.Optimizer
function M.check_scheduled(name, value, from, step, optimizer)
  if fits(name, value, optimizer) then return end
  errors.misuse("Trainer: %s is %g at step %d (%s): %s", name, value, step, tostring(from),
    wanted(name, value, optimizer))
end

---Raises for a value that no loop can have.
---@param rule swale.LiveRule
---@param value any
---@param s swale.State
function M.refuse(rule, value, s)
  local words = is_finite(value) and range_words(ROWS[rule.name], value)
    or "a rule returns a finite number"
  errors.misuse("the %s rule (%s) gave %s for step %d: %s", rule.name, place_of(rule.f),
    errors.shown(value), s.step + 1, words)
end

local function value_of(rule, s)
  if not rule.held then return (rule.f(s, rule.mem)) end
  rule.held = false
  return rule.initial
end

local function values_from(rules, i, s)
  if i == #rules then return value_of(rules[i], s) end
  return value_of(rules[i], s), values_from(rules, i + 1, s)
end

---The function to call before each step: with the state and mem it returns each rule's value.
---One rule that is not held is that function itself.
---@param rules swale.LiveRule[]
---@return fun(s: swale.State, mem: table|nil): ... ask, table|nil mem
function M.asker(rules)
  local first = rules[1]
  if not first then return function() end end
  if #rules == 1 and not first.held then return first.f, first.mem end
  return function(s) return values_from(rules, 1, s) end
end

---A function that takes their values and makes one step.
---@param loop swale.Loop
---@param rules swale.LiveRule[]
---@return fun(...: number): boolean|nil, ...
function M.stepper(loop, rules)
  local names = {}
  for i, rule in ipairs(rules) do names[i] = rule.name end
  return loop:stepper(table.unpack(names))
end

local function check_number(name, value, optimizer)
  if fits(name, value, optimizer) then return end
  errors.misuse("Trainer: %s is %s; %s", name, tostring(value), wanted(name, value, optimizer))
end

---Checks a setting without a loop.
---@param name swale.Hyper
---@param x swale.Hyperparameter
---@param optimizer swale.Optimizer
function M.check(name, x, optimizer)
  if type(x) == "number" then check_number(name, x, optimizer) end
  if schedule.is_rule(x) then check_number(name, x.initial, optimizer) end
end

local function attach(loop, name, x, rules)
  if type(x) == "number" then
    loop:set(name, taken(name, x))
  elseif schedule.is_rule(x) then
    loop:set(name, taken(name, x.initial))
    rules[#rules + 1] = { name = name, f = x.f, mem = {}, held = true,
      initial = x.initial }
  elseif type(x) == "function" or x.f then
    loop:set(name, ROWS[name].least) -- never used: the function is asked before the first step
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
