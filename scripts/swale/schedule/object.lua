--- The schedule itself: native, or a Lua function of progress.
local class = require "swale.class"
local core = require "swale.core"
local duration = require "swale.duration"
local errors = require "swale.errors"
local options = require "swale.options"

local M = {}

---@class swale.Progress
---@field step? integer             updates made
---@field examples? integer         examples seen by them
---@field epochs? number            instead of examples
---@field batch_size? integer       of the coming update; 1
---@field epoch_examples? integer   size of the training set; 50000

---@class swale.Schedule
---@field kind string
---@field native swale.NativeSchedule|false   one of these two: false is found faster than nothing
---@field f false|fun(s: swale.State, mem: table): number
---@field live? boolean             a rule is part of it: it follows the live state
---@field parts? swale.Schedule[]   what it is made of
---@field length? swale.Duration    after which it holds or is over; nil if it has no end
---@operator mul(swale.Schedule|number): swale.Schedule
local Schedule = class.new("schedule", { fields = { "kind", "length", "live" } })

function Schedule:__tostring() return "schedule." .. self.kind end

function Schedule.__mul(a, b)
  local combine = require "swale.schedule.combine"
  if type(a) == "number" then a, b = b, a end
  return type(b) == "number" and combine.scale(a, b) or combine.product { a, b }
end

local FARTHEST = 2 ^ 53 -- examples that the core counts

local PROGRESS = { step = "integer?", examples = "nonnegative?", epochs = "nonnegative?",
  batch_size = { "count", 1 }, epoch_examples = { "count", 50000 } }

--- The state that a function gets when there is no training: progress alone.
local preview = {}

function preview.__index(_, key)
  errors.coded("ELIVE", "this schedule reads s.%s, the live state: it can be neither plotted nor"
    .. " tabulated beforehand", tostring(key))
end

--- Stands for a function's memory where none is kept from step to step.
M.NO_MEMORY = setmetatable({}, { __index = function()
  errors.coded("ELIVE", "a function with a memory reads the live state: it can be neither plotted"
    .. " nor tabulated beforehand; trainer:plan asks it step by step")
end })
getmetatable(M.NO_MEMORY).__newindex = getmetatable(M.NO_MEMORY).__index

local function at_function(self, p)
  if self.live then
    errors.coded("ELIVE", "a rule with a memory reads the live state: %s can be neither plotted nor"
      .. " tabulated beforehand", tostring(self))
  end
  local state = { step = p.step, examples = p.examples, epoch = p.examples / p.epoch_examples,
    epoch_examples = p.epoch_examples }
  return self.f(setmetatable(state, preview), p.mem or M.NO_MEMORY)
end

---What it is for the next of the updates that are gone through one by one.
---@param p swale.PlanPosition
---@param mem table    its memory, kept by the caller
---@return number
function Schedule:follow(p, mem)
  return at_function(self, { step = p.step, examples = p.examples,
    epoch_examples = p.epoch_examples, mem = mem })
end

---Its value for the update that follows: `schedule:at { epochs = 1.5, epoch_examples = 55000 }`.
---@param progress swale.Progress|number   a number: epochs
---@return number
function Schedule:at(progress)
  if type(progress) == "number" then progress = { epochs = progress } end
  local p = options.check("schedule:at", progress, PROGRESS)
  if p.epochs and p.examples then errors.misuse("schedule:at: examples or epochs, not both") end
  p.examples = math.floor(p.examples or (p.epochs or 0) * p.epoch_examples + 0.5)
  if p.examples > FARTHEST or p.batch_size > FARTHEST - p.examples then
    errors.misuse("schedule:at: progress ends at 2^53 examples, this is %g", p.examples)
  end
  p.step = p.step or p.examples // p.batch_size
  if self.f then return at_function(self, p) end
  return self.native:at(p.step, p.examples, p.examples + p.batch_size, p.epoch_examples)
end

local function raw_value(value)
  if duration.is_duration(value) then return { amount = value.amount, unit = value.unit } end
  if type(value) ~= "table" or getmetatable(value) then return value end
  local list = {}
  for i, v in ipairs(value) do list[i] = raw_value(v) end
  return list
end

---A native schedule of a kind, see core.schedule; durations may be swale.Duration.
---@param kind string
---@param fields table
---@param length? swale.Duration
---@param parts? swale.Schedule[]   whose native halves are among the fields
---@return swale.Schedule
function M.native(kind, fields, length, parts)
  local raw = { kind = kind }
  for key, value in pairs(fields) do raw[key] = raw_value(value) end
  local self = { kind = kind, length = length, parts = parts, native = core.schedule(raw),
    f = false }
  for key, value in pairs(fields) do self[key] = value end
  return setmetatable(self, Schedule)
end

---A schedule made of a Lua function.
---@param kind string
---@param f fun(s: swale.State, mem: table): number
---@param fields? { live?: boolean, length?: swale.Duration, parts?: swale.Schedule[] }
---@return swale.Schedule
function M.of_function(kind, f, fields)
  local self = { kind = kind, f = f, native = false }
  for key, value in pairs(fields or {}) do self[key] = value end
  return setmetatable(self, Schedule)
end

---Calls visit with each duration in a schedule and its parts.
---@param x swale.Schedule
---@param visit fun(d: swale.Duration)
function M.each_duration(x, visit)
  for _, value in pairs(x) do
    if duration.is_duration(value) then
      visit(value)
    elseif type(value) == "table" and not getmetatable(value) then
      for _, one in ipairs(value) do
        if duration.is_duration(one) then visit(one) end
        if M.is_schedule(one) then M.each_duration(one, visit) end
      end
    end
  end
end

---@param x any
---@return boolean
function M.is_schedule(x) return getmetatable(x) == Schedule end

return M
