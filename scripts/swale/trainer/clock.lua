--- The seconds of a training: those of its steps, with rules and hooks, without measurements.
local loops = require "swale.trainer.loops"

local M = {}

---@class swale.Clock
---@field steps number           seconds of steps, measured ones whole
---@field before number          of training before a snapshot was restored
---@field share number|nil       of a measured step that is not training; nil: the loop finds it
---@field last { step: integer, seconds: number }|nil   where the rate was asked for
---@field measurements swale.Measurements
local Clock = {}
Clock.__index = Clock

local function now() return require("luv").hrtime() / 1e9 end

---@param measurements swale.Measurements
---@return swale.Clock
function M.new(measurements)
  return setmetatable({ steps = 0, before = 0, measurements = measurements }, Clock)
end

---Calls f(...), which makes steps; measurements that it calls do not count.
---@param f function
---@param ... any
function Clock:time(f, ...)
  local begun, measured = now(), self.measurements.seconds
  f(...)
  self.steps = self.steps + now() - begun - (self.measurements.seconds - measured)
end

---Returns the seconds that measured steps took beyond plain ones.
---@param loop swale.Loop|swale.CustomLoop
---@return number
function Clock:along(loop)
  local measured, paired, plain = loop:cost()
  local share = paired > 0 and 1 - plain / paired or self.share or 0
  return math.max(0, measured * share)
end

---Returns the seconds of the training so far.
---@param loop swale.Loop|swale.CustomLoop
---@return number
function Clock:training(loop) return self.before + self.steps - self:along(loop) end

---Goes on from so many seconds of training.
---@param seconds number
---@param loop swale.Loop|swale.CustomLoop
function Clock:restore(seconds, loop)
  self.steps, self.last = 0, nil
  self.before = seconds + self:along(loop)
end

---Returns steps a second since the last call, 0 before there is anything to tell.
---@param step integer
---@param loop swale.Loop|swale.CustomLoop
---@return number
function Clock:rate(step, loop)
  local seconds, last = self:training(loop), self.last
  self.last = { step = step, seconds = seconds }
  local took = last and seconds - last.seconds or 0
  return took > 0 and (step - last.step) / took or 0
end

local STEPS <const> = 3

local function fastest(loop)
  local best = math.huge
  for _ = 1, STEPS do
    local begun = now()
    assert(loop:advance(1))
    best = math.min(best, now() - begun)
  end
  return best
end

---Where every step is measured the loop cannot compare it with a plain one: times a few steps of
---each kind on copies of the weights.
---@param engine swale.Engine
function Clock:compare(engine)
  if self.share or engine.measurements:period() ~= 1 then return end
  local loop = loops.scratch(engine)
  loop:set("lr", 0)
  loop:set("batch_size", math.max(1, engine.state.batch_size))
  assert(loop:advance(1)) -- makes room
  local plain = fastest(loop)
  loop:measure(1)
  self.share = math.max(0, 1 - plain / fastest(loop))
end

return M
