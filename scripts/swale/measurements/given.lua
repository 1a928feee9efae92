--- What a measurement is given: copies of the weights and of what belongs to them, a model that has
--- them, a sample of the data, random numbers.
local core = require "swale.core"
local errors = require "swale.errors"
local states = require "swale.trainer.state"

local M = {}

local SAMPLE <const> = 1000 -- examples of a sample whose size nobody gave

---@class swale.Measuring          made on first use
---@field name string
---@field weights swale.Tensor     the weights now
---@field start swale.Tensor       the weights before the first step
---@field buffers swale.Tensor|nil running statistics of batch norms
---@field velocity swale.Tensor|nil  the momentum buffer of plain SGD; nil before the first update,
---without momentum, with nesterov or dampening, and of other optimizers
---@field state swale.State
---@field s swale.State            the same
---@field model swale.Model        the network, with these weights and buffers; the same object in
---each call, so that what was compiled for it is used again
---@field sample swale.Split       of the training set, or as the option sample says; in each call
---the same examples
---@field train swale.Split        the training set, or the subset that is trained on
---@field loss swale.LossFunction  of the training
---@field random swale.Random      the stream that sw.rand draws from meanwhile
---@field seed integer             of the training
---@field options table            of the measurement

---@class swale.MeasuredTraining   what the copies are made of
---@field weights swale.Tensor
---@field start swale.Tensor
---@field buffers swale.Tensor|nil
---@field state swale.State
---@field model swale.Model
---@field loss swale.LossFunction
---@field train swale.Split
---@field subset swale.Tensor|nil  of train, that is trained on
---@field seed integer
---@field velocity fun(): swale.Tensor|nil   the momentum buffer itself
---@field clone swale.Model|nil    made on first use
---@field intact swale.Tensor[]|nil  copies of weights and buffers during a call

local function copy_of(t) return t and t:clone() end

--- Positions of n examples, drawn from stream 0 of the measurement's name: those of calls are from
--- 2 on.
local function positions(o, name, total, n)
  if n > total then
    errors.misuse("measure: %s: sample: asked for %d examples, there are %d", name, n, total)
  end
  local order = core.random(o.seed, "measure/" .. name):permutation(total)
  order = order:narrow(1, 1, n):contiguous()
  return o.subset and require("swale.data.transform").rows(o.subset, order) or order
end

---Returns the sample of a measurement: a split that was given, or examples of the training set,
---by default 1000 or all.
---@param o swale.MeasuredTraining
---@param name string
---@param wanted integer|swale.Split|nil
---@return swale.Split
function M.sample(o, name, wanted)
  if type(wanted) == "table" then return wanted end
  local total = o.subset and #o.subset or #o.train
  local sample = o.train:select(positions(o, name, total, wanted or math.min(SAMPLE, total)))
  sample.drawn_from = total
  return sample
end

---Returns the model for measurements, with the present weights and buffers.
---@param o swale.MeasuredTraining
---@return swale.Model
function M.model(o)
  o.clone = o.clone or o.model:clone()
  o.clone:weights():copy(o.weights)
  if o.buffers then o.clone:buffers():copy(o.buffers) end
  return o.clone
end

local MAKERS <const> = {
  weights = function(o) return copy_of(o.weights) end,
  start = function(o) return copy_of(o.start) end,
  buffers = function(o) return copy_of(o.buffers) end,
  velocity = function(o) return copy_of(o.velocity()) end,
  state = function(o) return states.copy(o.state) end,
  s = function(_, m) return m.state end,
  model = M.model,
  loss = function(o) return o.loss end,
  train = function(o) return o.subset and o.train:select(o.subset) or o.train end,
  seed = function(o) return o.seed end,
  sample = function(o, m, entry)
    entry.sample = entry.sample or M.sample(o, m.name, entry.options.sample)
    return entry.sample
  end,
  options = function(_, _, entry)
    local copy = {}
    for key, value in pairs(entry.options) do copy[key] = value end
    return copy
  end,
}

local NAMES = { name = true, random = true }
for name in pairs(MAKERS) do NAMES[name] = true end

---Returns the argument of a measurement's function.
---@param entry { name: string, options: table, sample?: swale.Split }   sample is kept there
---@param o swale.MeasuredTraining
---@param random swale.Random
---@return swale.Measuring
function M.new(entry, o, random)
  local m = { name = entry.name, random = random }
  return setmetatable(m, { __name = "swale.Measuring", __index = function(_, key)
    local make = MAKERS[key]
    if not make then errors.no_name("what is measured has", key, NAMES) end
    local value = make(o, m, entry)
    rawset(m, key, value)
    return value
  end })
end

return M
