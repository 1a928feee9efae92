--- The measurements of one trainer: when they are due, what they keep, their values in the state.
--- The rows come from swale.measurements; nothing here depends on their names.
local asked = require "swale.trainer.asked"
local copies = require "swale.copies"
local core = require "swale.core"
local errors = require "swale.errors"
local given = require "swale.measurements.given"
local isolated = require "swale.measurements.isolated"
local measure = require "swale.measurements"
local states = require "swale.trainer.state"
local values = require "swale.measurements.values"

local M = {}

---@class swale.Measurements
---@field list swale.AskedMeasurement[]     in the order of their names
---@field by_name table<string, swale.AskedMeasurement>   shared with the state, which has them
---@field running string|nil     the measurement that is being made
---@field o swale.MeasuredTraining  with start, if any is called; and what facts_of reads
---@field seconds number         of all measurements that were called
---@field told table<string, string>   what the record says of targets and reasons, by column
---@field rate table             the last rate and its change, while a measurement follows jumps
---@field most_steps integer     that the loop may go before read is called again
---@field taken integer          measured steps of the loop that were given to take
local Measurements = {}
Measurements.__index = Measurements

---@param by_name table   empty; the state's
---@param o table         swale.MeasuredTraining and graph, uneven, order, epoch_examples
---@return swale.Measurements
function M.new(by_name, o)
  return setmetatable({ list = {}, by_name = by_name, o = o, taken = 0, seen = {},
    rate = {}, told = {}, seconds = 0, most_steps = math.maxinteger }, Measurements)
end

--- Columns of the lines with values.
local COLUMNS <const> = { "kind", "name", "at", "seconds", "error", "until_epoch", "until_step" }

--- Names that the state or the record uses.
local function taken_names()
  local taken = {}
  for _, list in ipairs { states.FIELDS, states.LOOP, COLUMNS } do
    for _, name in ipairs(list) do taken[name] = true end
  end
  return taken
end

local function facts_of(self, name)
  local o = self.o
  return { name = name, state = o.state, graph = o.graph, uneven = o.uneven, order = o.order,
    epoch_examples = o.epoch_examples, seed = o.seed, optimizer = o.optimizer,
    segments = o.segments, momentum = o.momentum }
end

local function add_entry(self, name)
  local entry = asked.new(name)
  self.by_name[name] = entry
  self.list[#self.list + 1] = entry
  table.sort(self.list, function(a, b) return a.name < b.name end)
  return entry
end

--- The programs that measure, and the weights before the first step, are made before it.
local function begin(self, row)
  local begun = (rawget(self.o.state, "step") or 0) > 0
  if row.along and not self:has_along() and begun then
    errors.misuse("Trainer:measure: ask before the first step: the programs are made for it; or in"
      .. " a copy: trainer:fork { measure = … }")
  elseif not row.along and not self.o.start then
    if begun then
      errors.misuse("Trainer:measure: ask before the first step: m.start is the weights before it;"
        .. " or in a copy: trainer:fork { measure = … }")
    end
    self.o.start = self.o.weights:clone()
  end
end

---Adds a measurement, or changes when one is made, which keeps its value. Nothing is changed if
---it raises.
---@param name string
---@param what any    as Trainer's `measure` has it
---@return swale.AskedMeasurement
function Measurements:ask(name, what)
  local facts, entry = facts_of(self, name), self.by_name[name]
  local row, options, times = measure.asked(name, what, taken_names(), facts)
  if row.check then row.check(facts, options) end
  local anew = not entry or not asked.is_of(entry, row, options)
  local kept = anew and row.prepare and row.prepare(facts, options) or nil
  begin(self, row)
  entry = entry or add_entry(self, name)
  entry.what, entry.row, entry.options, entry.times, entry.facts = what, row, options, times, facts
  if anew then
    entry.kept, entry.sample, entry.step = kept, nil, nil
    self.o.state[name] = asked.blank(entry)
  end
  return entry
end

-- ------------------------------------------------------------------ along measured steps

local function gcd(a, b)
  while b ~= 0 do a, b = b, a % b end
  return a
end

---@return boolean
function Measurements:has_along()
  for _, entry in ipairs(self.list) do if entry.row.along then return true end end
  return false
end

--- Whether measured steps find norms with weight decay.
local function is_regularised(self)
  for _, entry in ipairs(self.list) do
    if entry.row.along == "regularised norms" then return true end
  end
  return false
end

---Names of those along measured steps, for the record.
---@return string
function Measurements:names_along()
  local names = {}
  for _, entry in ipairs(self.list) do
    if entry.row.along then names[#names + 1] = entry.name end
  end
  return table.concat(names, ", ")
end

---Steps between two that the loop measures by itself; 0: none. Marks with a factor and changes ask
---for the coming step each time.
---@return integer
function Measurements:period()
  local found = 0
  for _, entry in ipairs(self.list) do
    local every = entry.row.along and entry.times.every
    if every and not every.factor then found = gcd(math.tointeger(every.amount), found) end
  end
  return found
end

---Sets which steps the loop measures.
---@param loop swale.Loop|swale.CustomLoop
function Measurements:attach(loop)
  local steps = self:period()
  -- one more may be asked for: the ring has room for it
  self.most_steps = steps > 0 and (core.LOOP_NORMS - 1) * steps or math.maxinteger
  self.taken = loop:state({}).measurements
  if self:has_along() then loop:measure(steps, is_regularised(self)) end
end

---Asks for the coming step.
---@param entry swale.AskedMeasurement   along measured steps
---@param loop swale.Loop|swale.CustomLoop
function Measurements:want(entry, loop)
  entry.step = rawget(self.o.state, "step") + 1
  loop:measure_next()
end

---Gives a row the weights before the coming step.
---@param entry swale.AskedMeasurement   with before in its row
function Measurements:before(entry) entry.row.before(entry.kept, self.o.weights) end

---Asks again for the coming step, where the fit before did, and where it is the first mark.
---@param loop swale.Loop|swale.CustomLoop
function Measurements:begin_fit(loop)
  local coming = rawget(self.o.state, "step") + 1
  for _, entry in ipairs(self.list) do
    if asked.is_for(entry, coming) then loop:measure_next() end
    if entry.row.before and asked.is_mark(entry, coming) then self:before(entry) end
  end
end

local function take(self)
  local seen = self.seen
  for _, entry in ipairs(self.list) do
    if asked.is_for(entry, seen.step) then
      entry.row.take(entry.kept, seen)
      entry.calls = entry.calls + 1
    end
  end
end

---Takes the steps that the loop has measured since the last call, and updates the state.
---@param loop swale.Loop|swale.CustomLoop
---@param s swale.State
function Measurements:read(loop, s)
  local made, seen = rawget(s, "measurements") or 0, self.seen
  if made == self.taken then return end
  for i = self.taken + 1, made do
    seen.step, seen.examples, seen.batch, seen.momentum, seen.sum_sumsq, seen.grad_sumsq,
      seen.regularised_sumsq = loop:norms(i)
    if seen.step then take(self) end
  end
  self.taken = made
  for _, entry in ipairs(self.list) do
    if entry.row.along then s[entry.name] = entry.row.read(entry.kept, entry.facts) end
  end
end

---Begins a record, which says targets and reasons anew.
function Measurements:begin_record() self.told = {} end

---Adds the columns of measurements along the steps to a line of the record.
---@param line table
---@param s swale.State
function Measurements:add_columns(line, s)
  for _, entry in ipairs(self.list) do
    if entry.row.along then values.add_columns(line, entry.name, s[entry.name], self.told) end
  end
end

-- ------------------------------------------------------------------ at marks of their own

---Calls a measurement apart from the run; its trainer cannot be changed meanwhile.
---@param entry swale.AskedMeasurement
---@param n integer         the number of the call
---@return boolean ok, any value, number seconds    value: what was measured, or the error
function Measurements:call(entry, n)
  self.running = entry.name
  local intact, ok, value, seconds = pcall(isolated.call, entry, self.o, n)
  self.running = nil
  if not intact then error(ok, 0) end
  self.seconds = self.seconds + seconds
  return ok, value, seconds
end

---Makes a measurement that is due, once at a step, and puts its value into the state.
---@param entry swale.AskedMeasurement
---@param change? string    after which it is made
---@return table|nil line       of the record: columns and seconds, or error, its text
function Measurements:make(entry, change)
  local step = rawget(self.o.state, "step")
  if entry.step == step then return nil end
  entry.calls, entry.step = entry.calls + 1, step
  local ok, value, seconds = self:call(entry, entry.calls)
  local line = { name = entry.name, seconds = seconds, at = change }
  if ok then
    self.o.state[entry.name] = values.copy(value)
    values.add_columns(line, entry.name, value, self.told)
  else
    line.error = errors.failure(value)
  end
  return line
end

-- ------------------------------------------------------------------ changes

---Whether a measurement follows a change.
---@param change string
---@return boolean
function Measurements:follows(change)
  for _, entry in ipairs(self.list) do if entry.times.at[change] then return true end end
  return false
end

---Takes the rate of an update; returns whether it jumped: by more than a twentieth, and by five
---times its change before. So the drops and restarts of a schedule are jumps; the steps of a
---warm-up and of a decay are not.
---@param lr number
---@return boolean
function Measurements:jumped(lr)
  local rate = self.rate
  local last, before = rate.last, rate.change
  rate.last = lr
  if not last then return false end
  rate.change = math.abs(lr - last)
  return before ~= nil and rate.change > 0.05 * math.max(lr, last) and rate.change > 5 * before
end

-- ------------------------------------------------------------------ protection

---The model that measurements are given, with the present weights.
---@return swale.Model
function Measurements:model() return given.model(self.o) end

---Raises while a measurement is being made.
---@param where string
function Measurements:refuse(where)
  if not self.running then return end
  errors.misuse("%s: not inside a measurement (%s), which must not change its training", where,
    self.running)
end

-- ------------------------------------------------------------------ state

---Returns copies for restore, in a trainer with the same measurements.
---@return table<string, table>
function Measurements:state()
  local found = {}
  for _, entry in ipairs(self.list) do
    found[entry.name] = asked.state(entry, self.o.state[entry.name])
  end
  return { values = found, rate = copies.deep(self.rate), start = copies.tensor(self.o.start) }
end

---Returns the state of those measurements of another training that are these, too.
---@param other swale.Measurements
---@return table
function Measurements:common(other)
  local found = other:state()
  for name in pairs(found.values) do
    local one, theirs = self.by_name[name], other.by_name[name]
    if not (one and asked.is_of(theirs, one.row, one.options)) then found.values[name] = nil end
  end
  return found
end

---Restores what state returned; nil: measurements start again.
---@param saved table|nil
function Measurements:restore(saved)
  self.taken, self.rate = 0, saved and copies.deep(saved.rate) or {}
  for _, entry in ipairs(self.list) do
    self.o.state[entry.name] = asked.restore(entry, saved and saved.values[entry.name])
  end
  if saved and saved.start and self.o.start then self.o.start:copy(saved.start) end
end

return M
