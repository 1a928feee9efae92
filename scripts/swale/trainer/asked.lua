--- A measurement that a trainer was asked for: when it is due, what it keeps.
local core = require "swale.core"
local errors = require "swale.errors"
local estimate = require "swale.estimate"
local marks = require "swale.trainer.marks"
local values = require "swale.measurements.values"

local M = {}

---@class swale.AskedMeasurement
---@field name string
---@field what any               as it was asked for
---@field row swale.MeasurementRow
---@field options table
---@field times swale.Times
---@field facts swale.MeasurementFacts
---@field kept any               what the row's prepare gave
---@field sample swale.Split|nil    drawn on first use
---@field calls integer          of read
---@field step integer|nil       where it was made last; along measured steps: that was asked for
---@field failed boolean         an error of it was printed

---@param name string
---@return swale.AskedMeasurement
function M.new(name) return { name = name, calls = 0, failed = false } end

--- Rows of the user's own are made anew each time: they are compared by their functions.
local function same_row(a, b)
  return a == b or a.f ~= nil and a.f == b.f and a.estimate == b.estimate
end

--- Whether b has what a has. Options are values, or tables of values, as durations are.
local function has_options(b, a)
  for key, value in next, a do
    local other = b[key]
    local same = value == other or type(value) == "table" and type(other) == "table"
      and has_options(other, value)
    if not same then return false end
  end
  return true
end

---Whether a measurement is of this row, with these options.
---@param entry swale.AskedMeasurement
---@param row swale.MeasurementRow
---@param options table
---@return boolean
function M.is_of(entry, row, options)
  return same_row(row, entry.row) and has_options(entry.options, options)
    and has_options(options, entry.options)
end

---Returns the value in the state before the first measurement.
---@param entry swale.AskedMeasurement
---@return any
function M.blank(entry)
  local kind, parts = entry.row.estimate, {}
  for _, name in ipairs(entry.row.parts or {}) do parts[name] = core.NAN end
  if next(parts) then return parts end
  if not kind then return core.NAN end
  return estimate.new({ signed = kind == "signed" }):because "nothing was measured yet"
end

---Whether a step is a mark of an interval that is in steps.
---@param entry swale.AskedMeasurement
---@param step integer
---@return boolean
function M.is_mark(entry, step)
  local every, n = entry.times.every, entry.facts.epoch_examples
  if not every then return false end
  if not every.factor then return step % every.amount == 0 end
  return marks.count(every, n, { step = step }) > marks.count(every, n, { step = step - 1 })
end

---Whether a measurement along measured steps takes this one.
---@param entry swale.AskedMeasurement
---@param step integer
---@return boolean|nil
function M.is_for(entry, step)
  return entry.row.along and (entry.step == step or M.is_mark(entry, step))
end

-- ------------------------------------------------------------------ state

--- Options in words, the same in each process. Functions and objects are not told apart.
local function words_of(value)
  if type(value) == "table" and getmetatable(value) == nil then
    local parts = {}
    for _, key in ipairs(errors.sorted_keys(value)) do
      parts[#parts + 1] = ("%s = %s"):format(key, words_of(value[key]))
    end
    return "{ " .. table.concat(parts, ", ") .. " }"
  elseif type(value) == "function" or type(value) == "userdata" then
    return type(value)
  end
  return (tostring(value):gsub("0x%x+", ""))
end

--- What is measured: state of one with other options is of no use.
local function about(entry)
  return ("%s %s"):format(entry.row.f and "own" or entry.name, words_of(entry.options))
end

---Returns copies for restore.
---@param entry swale.AskedMeasurement
---@param value any     in the state
---@return table
function M.state(entry, value)
  return { about = about(entry), calls = entry.calls, failed = entry.failed, step = entry.step,
    value = values.copy(value), kept = entry.row.save and entry.row.save(entry.kept) }
end

---Restores what state returned, if it is of the same options; else the measurement starts again.
---@param entry swale.AskedMeasurement
---@param saved table|nil
---@return any value       in the state
function M.restore(entry, saved)
  local row = entry.row
  if saved and saved.about ~= about(entry) then saved = nil end
  entry.kept = row.prepare and row.prepare(entry.facts, entry.options)
  entry.calls, entry.failed = saved and saved.calls or 0, saved ~= nil and saved.failed
  entry.step = saved and saved.step
  if saved and row.load then row.load(entry.kept, saved.kept) end
  return saved and values.copy(saved.value) or M.blank(entry)
end

return M
