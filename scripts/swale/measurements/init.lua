--- The registry of measurements. A measurement is a row, in a file of this folder, or made of a
--- user's function by `sw.measurement`. Trainer, state, journal, `swale check` and plots use the
--- row alone.
local class = require "swale.class"
local errors = require "swale.errors"
local options = require "swale.options"
local times = require "swale.measurements.times"
local values = require "swale.measurements.values"

local M = {}

--- The files of this folder that hold a row.
M.NAMES = { "angle", "dead_fraction", "distance", "edge", "hessian_trace", "largest_eigenvalue",
  "last_update", "noise_at_weights", "noise_scale", "sharpness", "weight_norm" }

---@class swale.MeasurementRow
---@field options table          of swale.options, besides every, at and sample; read has them as
---m.options
---@field along? "norms"|"regularised norms"   made of measured steps, each of which is given to
---take; regularised: with weight decay, too. Without it read is called at the marks of every, with
---a swale.Measuring (measurements.isolated)
---@field estimate? boolean|"signed"   its values are estimates, pending before the first one;
---signed: of a quantity that can be negative
---@field parts? string[]         names of its values, if it is a table with these
---@field before? fun(kept: any, weights: swale.Tensor)   called before the step that leads to a
---mark, with the weights themselves; every is then in whole steps, and there is no at
---@field variant? fun(o: table, m: swale.MeasurementFacts): swale.MeasurementRow   the row that is
---used with these options, which it may complete
---@field check? fun(m: swale.MeasurementFacts, o: table)    raises if it cannot be measured
---@field prepare? fun(m: swale.MeasurementFacts, o: table): any   returns what it keeps
---@field take? fun(kept: any, seen: swale.MeasuredStep)     with along: one measured step
---@field read fun(kept: any, m: table): swale.Measured      m: with along the facts, else a
---swale.Measuring
---@field save? fun(kept: any): any       returns plain data for load
---@field load? fun(kept: any, saved: any)
---@field f? function            of a measurement of the user's own: the function

---@alias swale.Measured number|swale.Estimate|table<string, number|swale.Estimate>

---@class swale.MeasurementFacts   what a row may read of its training
---@field name string
---@field state swale.State        the live one
---@field graph swale.CompiledGraph
---@field optimizer swale.Optimizer
---@field momentum swale.Hyperparameter   with which the trainer was made
---@field segments swale.LoopSegment[]   with factors of weight decay
---@field uneven swale.Uneven|nil  set if the loss is not the mean over parts of a batch
---@field order "shuffled"|"independent"|"sequential"   how batches are drawn
---@field epoch_examples integer
---@field seed integer

---@class swale.MeasuredStep
---@field step integer             its number, from 1
---@field examples integer         trained on before it
---@field batch integer
---@field momentum number          of the update
---@field sum_sumsq number         sum over the batch of |g_i|^2
---@field grad_sumsq number        |g|^2 of their mean
---@field regularised_sumsq number   |g + decay w|^2; nan where no row is along "regularised norms"

-- ------------------------------------------------------------------ measurements of the user's own

---@class swale.Measurement
---@field times swale.Times
---@field estimate boolean|"signed"
---@field sample integer|swale.Split|nil
---@field f fun(m: swale.Measuring): swale.Measured
local Measurement = class.new("measurement", { fields = { "times", "estimate", "sample" } })

function Measurement:__tostring() return "measurement " .. tostring(self.times) end

local SAMPLE <const> = "count|Split?"
local OWN = { every = "any?", at = "string|list?", sample = SAMPLE,
  estimate = { choice = { false, true, "signed" }, false } }

---@class swale.MeasurementOptions
---@field [1] fun(m: swale.Measuring): swale.Measured
---@field every? swale.DurationLike  at the marks every, 2 every, …; as in sw.every
---@field at? string|string[]   after changes: "start" "batch_size" "lr" "average" "epoch" "end"
---@field estimate? boolean|"signed"   it returns estimates; signed: that can be negative; false
---@field sample? integer|swale.Split   m.sample: so many examples of the training set, or a split;
---1000

---Makes a measurement from a function of your own. A Trainer calls it at marks beside the training,
---records and plots its value, and rules read it:
---    measure = { drift = sw.measurement { every = { steps = 50 }, function(m)
---      return m.weights:distance(m.start)
---    end } }
---The argument has copies of weights and state, a model with these weights, a sample of the data
---and random numbers (see swale.Measuring): sw.measure.eigenvalues(m.model, m.sample).
---The function returns a number, an estimate, or a table of them by name; rules read it as
---`s.drift`. Before the first value that is nan, or with `estimate = true` a pending estimate.
---Inside the function trainer:weights() and trainer.model are copies, too, math.random and sw.rand
---draw from a random stream of its own, and fit and settings of its trainer raise. Weights and
---running statistics that it writes into are put back, and that is an error of it. Data and objects
---of averages are not protected. An error in it is printed once and recorded, and the training
---continues. Its seconds are recorded with its value, and are not in those of the training.
---@param o swale.MeasurementOptions
---@return swale.Measurement
function M.measurement(o)
  local f, named = type(o) == "table" and o[1], {}
  if type(f) ~= "function" then
    errors.misuse("measurement: needs a function: sw.measurement { every = { steps = 50 },"
      .. " function(m) return m.weights:norm() end }")
  end
  for key, value in pairs(o) do if key ~= 1 then named[key] = value end end
  o = options.check("measurement", named, OWN)
  local when = times.of("measurement", o.every, o.at)
  if not when then
    errors.misuse("measurement: needs every or at: sw.measurement { every = { steps = 50 }, … }")
  end
  return setmetatable({ f = f, times = when, estimate = o.estimate, sample = o.sample },
    Measurement)
end

local function row_of(own)
  return { f = own.f, estimate = own.estimate, read = function(_, m) return own.f(m) end }
end

-- ------------------------------------------------------------------ what a trainer is asked

---@param name any
---@return boolean
function M.is_registered(name)
  for _, known in ipairs(M.NAMES) do if known == name then return true end end
  return false
end

---@param name string
---@return swale.MeasurementRow
function M.row(name) return require("swale.measurements." .. name) end

--- Whether it is a table of options, not an interval.
local function has_options(what, row)
  if type(what) ~= "table" or getmetatable(what) then return false end
  for key in pairs(what) do
    if key == "every" or key == "at" or key == "sample" or row.options[key] then return true end
  end
  return false
end

local function registered(where, name, what, facts)
  if getmetatable(what) == Measurement then
    errors.misuse("measure: %s is a built-in measurement; choose another name for yours:"
      .. " measure = { my_%s = … }", name, name)
  end
  local row, spec = M.row(name), { every = "any?", at = "string|list?" }
  if not row.along then spec.sample = SAMPLE end
  if not has_options(what, row) then what = { every = what } end
  for key, entry in pairs(row.options) do spec[key] = entry end
  local o = options.check(where, what, spec)
  local when = times.of(where, o.every, o.at)
  if not when then
    errors.misuse("%s: needs every or at: measure = { %s = { every = { steps = 5 }, … } }", where,
      name)
  end
  o.every, o.at = nil, nil
  row = row.variant and row.variant(o, facts) or row
  return row, o, (row.along or row.before) and times.check_steps(where, when, row)
    or when
end

--- Raises for a name that the state or the record uses already.
local function check_name(where, name, taken)
  if taken[name] then
    errors.misuse('%s: "%s" is a name of the state or the record; this one is free: measure = {'
      .. " measured_%s = … }", where, name, name)
  end
  local ending = values.ending_of(name)
  if ending then
    errors.misuse('%s: names do not end in "%s", as the columns of estimates do: measure = {'
      .. " %s = … }", where, ending, name:sub(1, -#ending - 1) .. ending:sub(2))
  end
end

local function unknown(name)
  errors.misuse("measure: unknown measurement %s%s Built in: %s. Your own: sw.measurement {"
    .. " every = …, function(m) … end }.", errors.shown(name), errors.suggestion(name, M.NAMES),
    table.concat(M.NAMES, ", "))
end

---Returns row, options and times of an entry of `measure`. Raises for an invalid one.
---@param name any
---@param what any                 how often; options with every or at; or a swale.Measurement
---@param taken table<string, boolean>   names that a measurement of the user's own cannot have
---@param facts swale.MeasurementFacts
---@return swale.MeasurementRow row, table options, swale.Times times
function M.asked(name, what, taken, facts)
  local where = "measure: " .. tostring(name)
  if M.is_registered(name) then return registered(where, name, what, facts) end
  if getmetatable(what) ~= Measurement then unknown(name) end
  if type(name) ~= "string" or not name:find "^[%a_][%w_]*$" then
    errors.misuse("measure: a measurement's name is a word, as in measure = { drift = … }, not %s",
      errors.shown(name))
  end
  check_name(where, name, taken)
  return row_of(what), { sample = what.sample }, what.times
end

return M
