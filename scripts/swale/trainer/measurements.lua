--- The measurements of one trainer: when they are due, what they keep, their values in the state.
--- The rows come from swale.measurements; nothing here depends on their names.
local core = require "swale.core"
local errors = require "swale.errors"
local estimate = require "swale.estimate"
local isolated = require "swale.measurements.isolated"
local measure = require "swale.measurements"
local states = require "swale.trainer.state"
local values = require "swale.measurements.values"

local M = {}

---@class swale.AskedMeasurement
---@field name string
---@field row swale.MeasurementRow
---@field options table
---@field every swale.Duration
---@field facts swale.MeasurementFacts
---@field kept any               what the row's prepare gave
---@field calls integer          of read
---@field failed boolean         an error of it was printed

---@class swale.Measurements
---@field list swale.AskedMeasurement[]     in the order of their names
---@field by_name table<string, swale.AskedMeasurement>   shared with the state, which has them
---@field running string|nil     the measurement that is being made
---@field start swale.Tensor|nil the weights before the first step, kept for those that are called
---@field most_steps integer     that the loop may go before read is called again
---@field taken integer          measured steps of the loop that were given to take
local Measurements = {}
Measurements.__index = Measurements

---@param by_name table   empty; the state's
---@param o table         state, weights, buffers, graph, uneven, order, epoch_examples, seed
---@return swale.Measurements
function M.new(by_name, o)
  return setmetatable({ list = {}, by_name = by_name, o = o, taken = 0, seen = {},
    most_steps = math.maxinteger }, Measurements)
end

--- Columns of the lines with values.
local COLUMNS <const> = { "kind", "name", "seconds", "error" }

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
    epoch_examples = o.epoch_examples, seed = o.seed }
end

--- Rows of the user's own are made anew each time: they are compared by their functions.
local function same_row(a, b)
  return a == b or a.f ~= nil and a.f == b.f and a.estimate == b.estimate
end

local function same_options(a, b)
  for key, value in pairs(a) do if key ~= "every" and b[key] ~= value then return false end end
  return true
end

local function add_entry(self, name)
  local entry = { name = name, calls = 0, failed = false }
  self.by_name[name] = entry
  self.list[#self.list + 1] = entry
  table.sort(self.list, function(a, b) return a.name < b.name end)
  return entry
end

--- The value in the state before the first measurement.
local function blank(entry)
  if not entry.row.estimate then return 0 / 0 end
  return estimate.new():because "nothing was measured yet"
end

--- The programs that measure, and the weights before the first step, are made before it.
local function begin(self, row)
  local begun = (rawget(self.o.state, "step") or 0) > 0
  if row.along and self:period() == 0 and begun then
    errors.misuse "Trainer:measure: ask before the first step: the programs are made for it"
  elseif not row.along and not self.start then
    if begun then
      errors.misuse "Trainer:measure: ask before the first step: m.start is the weights before it"
    end
    self.start = self.o.weights:clone()
  end
end

---Adds a measurement, or changes the interval of one, which keeps its value. Nothing is changed if
---it raises.
---@param name string
---@param what any    as Trainer's `measure` has it
---@return swale.AskedMeasurement
function Measurements:ask(name, what)
  local row, options, every = measure.asked(name, what, taken_names())
  local facts, entry = facts_of(self, name), self.by_name[name]
  if row.check then row.check(facts, options) end
  local anew = not entry or not same_row(row, entry.row)
    or not same_options(options, entry.options)
  local kept = anew and row.prepare and row.prepare(facts, options) or nil
  begin(self, row)
  entry = entry or add_entry(self, name)
  entry.row, entry.options, entry.every, entry.facts = row, options, every, facts
  if anew then
    entry.kept = kept
    self.o.state[name] = blank(entry)
  end
  return entry
end

-- ------------------------------------------------------------------ along measured steps

local function gcd(a, b)
  while b ~= 0 do a, b = b, a % b end
  return a
end

---Steps between two that the loop measures; 0: it measures none.
---@return integer
function Measurements:period()
  local period = 0
  for _, entry in ipairs(self.list) do
    if entry.row.along then period = gcd(math.tointeger(entry.every.amount), period) end
  end
  return period
end

---Sets which steps the loop measures.
---@param loop swale.Loop|swale.CustomLoop
function Measurements:attach(loop)
  local period = self:period()
  self.most_steps = period > 0 and core.LOOP_NORMS * period or math.maxinteger
  self.taken = loop:state({}).measurements
  if period > 0 then loop:measure(period) end
end

local function take(self)
  local seen = self.seen
  for _, entry in ipairs(self.list) do
    if entry.row.along and seen.step % entry.every.amount == 0 then
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
    seen.step, seen.batch, seen.sum_sumsq, seen.grad_sumsq = loop:norms(i)
    if seen.step then take(self) end
  end
  self.taken = made
  for _, entry in ipairs(self.list) do
    if entry.row.along then s[entry.name] = entry.row.read(entry.kept, entry.facts) end
  end
end

---Adds the columns of measurements along the steps to a line of the record.
---@param line table
---@param s swale.State
function Measurements:add_columns(line, s)
  for _, entry in ipairs(self.list) do
    if entry.row.along then values.add_columns(line, entry.name, s[entry.name]) end
  end
end

-- ------------------------------------------------------------------ at marks of their own

---Calls a measurement apart from the run; its trainer cannot be changed meanwhile.
---@param entry swale.AskedMeasurement
---@param n integer         the number of the call
---@return boolean ok, any value, number seconds    value: what was measured, or the error
function Measurements:call(entry, n)
  local o = self.o
  self.running = entry.name
  local intact, ok, value, seconds = pcall(isolated.call, entry.name, entry.row.read, entry.kept, {
    weights = o.weights, start = self.start, buffers = o.buffers, state = o.state, seed = o.seed,
    n = n })
  self.running = nil
  if not intact then error(ok, 0) end
  return ok, value, seconds
end

---Makes a measurement that is due, and puts its value into the state.
---@param entry swale.AskedMeasurement
---@return table line       of the record: columns and seconds, or error, its text
function Measurements:make(entry)
  entry.calls = entry.calls + 1
  local ok, value, seconds = self:call(entry, entry.calls)
  local line = { name = entry.name, seconds = seconds }
  if ok then
    self.o.state[entry.name] = values.copy(value)
    values.add_columns(line, entry.name, value)
  else
    line.error = errors.failure(value)
  end
  return line
end

---Returns the measurements that are called at marks of their own.
---@return swale.AskedMeasurement[]
function Measurements:called()
  local list = {}
  for _, entry in ipairs(self.list) do
    if not entry.row.along then list[#list + 1] = entry end
  end
  return list
end

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
    found[entry.name] = { calls = entry.calls, failed = entry.failed,
      value = values.copy(self.o.state[entry.name]),
      kept = entry.row.save and entry.row.save(entry.kept) }
  end
  return { values = found, start = self.start and self.start:clone() }
end

local function restore_one(self, entry, saved)
  local row = entry.row
  entry.kept = row.prepare and row.prepare(entry.facts, entry.options)
  entry.calls, entry.failed = saved and saved.calls or 0, saved ~= nil and saved.failed
  if saved and row.load then row.load(entry.kept, saved.kept) end
  self.o.state[entry.name] = saved and values.copy(saved.value) or blank(entry)
end

---Restores what state returned; nil: measurements start again.
---@param saved table|nil
function Measurements:restore(saved)
  self.taken = 0
  for _, entry in ipairs(self.list) do
    restore_one(self, entry, saved and saved.values[entry.name])
  end
  if saved and saved.start and self.start then self.start:copy(saved.start) end
end

return M
