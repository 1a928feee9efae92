--- Averages of weights during a training.
local class = require "swale.class"
local core = require "swale.core"
local errors = require "swale.errors"
local merging = require "swale.average.merge"
local options = require "swale.options"

local M = { merge = merging.merge, merging_weights = merging.merging_weights,
  equivalent_decay = merging.equivalent_decay }

--- Captured weights are kept up to this many bytes, so that a report can evaluate them.
local KEPT_BYTES = 2 ^ 28

local DECAY = core.average_kinds().ema.decay

---@class swale.Averaging
---@field kind "swa"|"ema"|"last"
---@field start swale.Duration
---@field every swale.Duration
---@field keep boolean
---@field captured? swale.Tensor[]    what was captured, with keep
---@field count integer               captures so far
local Averaging = { __name = "swale.Averaging" }

local methods = setmetatable({}, { __newindex = class.checking("average", Averaging) })
local FIELDS = { kind = true, start = true, every = true, keep = true, captured = true,
  count = true }

function Averaging:__index(key)
  if key == "captured" then return self.keep and self.kept or nil end
  if key == "count" then return self.mean and self.mean:count() or 0 end
  local method = methods[key]
  if method == nil then class.missing("average", key, methods, FIELDS) end
  return method
end

---@class swale.AveragingKind
---@field title string          its constructor
---@field name string           of one without a name
---@field recorded? boolean     each capture has a line in the record, whatever its interval
---@field points? boolean       it holds points, which checkpoints do not contain
---@field keeps_iterates? boolean   captured weights are kept for the report, up to KEPT_BYTES

---@type table<string, swale.AveragingKind>
M.KINDS = {
  swa = { title = "SWA", name = "swa", recorded = true, keeps_iterates = true },
  ema = { title = "EMA", name = "ema" },
  last = { title = "LastK", name = "last_k", points = true },
}

--- The average of this name has no name in lines of captures.
M.UNNAMED = M.KINDS.swa.name

function Averaging:__tostring()
  return ("%s { start = %s, every = %s }: %d captures"):format(self:title(), self.start,
    self.every, self.count)
end

---Its name in a trainer that was given none.
---@return string
function methods:default_name() return M.KINDS[self.kind].name end

---"SWA", "EMA", "LastK"
---@return string
function methods:title() return M.KINDS[self.kind].title end

--- The captured weights of an average without captures; nil: they are not kept.
local function kept_of(self)
  return (self.keep or M.KINDS[self.kind].keeps_iterates) and {} or nil
end

local function keep(self, weights)
  if not self.kept then return end
  if not self.keep and (#self.kept + 1) * weights:numel() * 4 > KEPT_BYTES then
    self.kept = nil
  else
    self.kept[#self.kept + 1] = weights:clone()
  end
end

local function new_mean(self, weights)
  return core.average(weights:numel(), weights:dtype(),
    { kind = self.kind, decay = self.decay, k = self.k })
end

---Adds weights to the average.
---@param weights swale.Tensor   flat
function methods:update(weights)
  options.value("average:update", "weights", weights, "tensor")
  self.mean = self.mean or new_mean(self, weights)
  self.mean:update(weights)
  keep(self, weights)
end

local function check_captured(self)
  if self.count == 0 then
    errors.misuse("average.%s: nothing has been captured yet", self:title())
  end
end

---The average: a copy.
---@return swale.Tensor
function methods:weights()
  check_captured(self)
  return self.mean:mean()
end

---Returns the state for restore: the mean; for LastK the points it keeps, (points, n).
---@return swale.Tensor
function methods:state()
  check_captured(self)
  return self.mean:state()
end

---Returns the part of the mean that float32 cannot hold; with it, restore gives the same bits.
---@return swale.Tensor
function methods:carry()
  check_captured(self)
  return self.mean:carry()
end

---Continues after count points.
---@param state swale.Tensor
---@param count integer
---@param carry? swale.Tensor    zeros
function methods:restore(state, count, carry)
  options.value("average:restore", "state", state, "tensor")
  self.mean = new_mean(self, M.KINDS[self.kind].points and state:select(1, 1) or state)
  self.mean:restore(state, count, carry)
  self.kept = self.keep and {} or nil
end

---Resets the average.
function methods:clear() self.mean, self.kept = nil, kept_of(self) end

---Returns the captured weights that are kept; nil if there were too many.
---@return swale.Tensor[]|nil
function methods:iterates() return self.kept end

local function new(kind, o)
  o.kind = kind
  o.kept = kept_of(o)
  return setmetatable(o, Averaging)
end

---Returns an empty average of the same kind and options.
---@return swale.Averaging
function methods:anew()
  return new(self.kind, { start = self.start, every = self.every, keep = self.keep,
    decay = rawget(self, "decay"), k = rawget(self, "k") })
end

---@param value any
---@return boolean
function M.is_average(value) return getmetatable(value) == Averaging end

---@class swale.SWAOptions
---@field start? swale.DurationLike   captures come after this; 0
---@field every? swale.DurationLike   at the marks every, 2 every, …; 1 epoch
---@field keep? boolean               the captured weights stay in .captured; false

---Stochastic weight averaging (Izmailov et al. 2018, algorithm 1):
---    mean += (w - mean) / (count + 1)
---Weights are captured after the update that reaches or crosses a mark k * every (k = 1, 2, …)
---that lies after start. With start = 6 epochs and every = 1 epoch that is at the ends of epochs 7,
---8, …, six captures in 12 epochs. With a cyclic rate whose period is every, the rate is lowest
---there.
---@param o? swale.SWAOptions
---@return swale.Averaging
function M.SWA(o)
  return new("swa", options.check("average.SWA", o,
    { start = { "duration", 0 }, every = { "period", 1 }, keep = { "boolean", false } }))
end

---@class swale.EMAOptions
---@field decay? number               part of the mean that stays at each capture; 0.999
---@field start? swale.DurationLike   0
---@field every? swale.DurationLike   1 step
---@field keep? boolean               false

---The exponential moving average, as PyTorch's: the first capture is copied, then
---    mean += (1 - decay) (w - mean)
---@param o? swale.EMAOptions
---@return swale.Averaging
function M.EMA(o)
  o = options.check("average.EMA", o, { decay = { "positive", DECAY }, start = { "duration", 0 },
    every = { "period", { steps = 1 } }, keep = { "boolean", false } })
  if o.decay >= 1 then
    errors.misuse("average.EMA: decay must be above 0 and below 1, got %g", o.decay)
  end
  return new("ema", o)
end

---@class swale.LastKOptions
---@field k integer                   how many
---@field start? swale.DurationLike   0
---@field every? swale.DurationLike   1 epoch

---The mean of the last k captures (LAWA), which it holds: k times the memory of the weights.
---@param o swale.LastKOptions
---@return swale.Averaging
function M.LastK(o)
  o = options.check("average.LastK", o,
    { k = "count", start = { "duration", 0 }, every = { "period", 1 } })
  o.keep = false
  return new("last", o)
end

return M
