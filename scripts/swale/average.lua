--- Averages of weights along the way.
local core = require "swale.core"
local errors = require "swale.errors"
local options = require "swale.options"

local M = {}

--- Captured weights are kept up to this many bytes, for a look at them afterwards.
local KEPT_BYTES = 2 ^ 28

---@class swale.SWAOptions
---@field start? swale.DurationLike   captures come after this; 0
---@field every? swale.DurationLike   at the marks every, 2 every, …; 1 epoch
---@field keep? boolean               the captured weights stay in .captured; false

---@class swale.SWA
---@field start swale.Duration
---@field every swale.Duration
---@field keep boolean
---@field captured? swale.Tensor[]    what was captured, with keep
---@field count integer               captures so far
local SWA = { __name = "swale.SWA" }

local methods = {}

function SWA:__index(key)
  if key == "captured" then return self.keep and self.kept or nil end
  if key == "count" then return self.mean and self.mean:count() or 0 end
  return methods[key]
end

function SWA:__tostring()
  return ("SWA { start = %s, every = %s }: %d captures"):format(self.start, self.every, self.count)
end

local function keep(self, weights)
  if not self.kept then return end
  if not self.keep and (#self.kept + 1) * weights:numel() * 4 > KEPT_BYTES then
    self.kept = nil
  else
    self.kept[#self.kept + 1] = weights:clone()
  end
end

---Takes weights in with the weight of each of those before:  mean += (w - mean) / (count + 1).
---@param weights swale.Tensor   flat
function methods:update(weights)
  self.mean = self.mean or core.average(weights:numel(), weights:dtype())
  self.mean:update(weights)
  keep(self, weights)
end

---The average: a copy.
---@return swale.Tensor
function methods:weights()
  if self.count == 0 then errors.misuse("average.SWA: nothing was captured yet") end
  return self.mean:mean()
end

---Continues from a mean of count points.
---@param mean swale.Tensor
---@param count integer
function methods:restore(mean, count)
  self.mean = core.average(mean:numel(), mean:dtype())
  self.mean:restore(mean, count)
  self.kept = self.keep and {} or nil
end

---The captured weights that are still there, kept or not; nil if there were too many.
---@return swale.Tensor[]|nil
function methods:iterates() return self.kept end

---Stochastic weight averaging (Izmailov et al. 2018, algorithm 1). Weights are captured after the
---update that reaches or crosses a mark k * every (k = 1, 2, …) that lies after start: with a start
---of 6 epochs and every epoch, at the ends of epochs 7, 8, …: over 12 epochs, six captures, the
---second half. With a cyclic rate whose period is every, that is where the rate is lowest.
---@param o? swale.SWAOptions
---@return swale.SWA
function M.SWA(o)
  o = options.check("average.SWA", o,
    { start = { "duration", 0 }, every = { "period", 1 }, keep = { "boolean", false } })
  o.kept = {}
  return setmetatable(o, SWA)
end

return M
