--- When a measurement is made: at the marks of an interval, and after changes in the training.
local duration = require "swale.duration"
local errors = require "swale.errors"

local M = {}

---The changes: "start": before the first step; "batch_size": after the first update with another
---batch size; "lr": after the first update whose rate jumped; "average": after the first capture of
---an average; "epoch": at the end of each; "end": at the end of each fit.
M.CHANGES = { "start", "batch_size", "lr", "average", "epoch", "end" }

---@class swale.Times
---@field every swale.Duration|nil        may have a factor
---@field at table<string, boolean>     the changes
local Times = {}
Times.__index = Times

function Times:__tostring()
  local parts = {}
  if self.every then parts[1] = "every " .. tostring(self.every) end
  local names = errors.sorted(self.at)
  if #names > 0 then parts[#parts + 1] = "at " .. table.concat(names, ", ") end
  return table.concat(parts, ", ")
end

local is_change = {}
for _, name in ipairs(M.CHANGES) do is_change[name] = true end

local function changes_of(where, at)
  local set = {}
  if at == nil then return set end
  for _, name in ipairs(type(at) == "table" and at or { at }) do
    if not is_change[name] then
      errors.misuse("%s: at: nothing is called %s%s There are: %s.", where, errors.shown(name),
        errors.suggestion(name, M.CHANGES), table.concat(M.CHANGES, ", "))
    end
    set[name] = true
  end
  if not next(set) then errors.misuse("%s: at has no names", where) end
  return set
end

---@param where string          in messages
---@param every swale.DurationLike|nil
---@param at string|string[]|nil
---@return swale.Times|nil      nil: neither is given
function M.of(where, every, at)
  if every == nil and at == nil then return nil end
  return setmetatable({ every = every ~= nil and duration.marks(every, where .. ": every") or nil,
    at = changes_of(where, at) }, Times)
end

---Raises for times that a row along the steps, or of what is before them, cannot have: they are
---numbers of steps, none follows the end of a fit, and nothing is known before a change.
---@param where string
---@param times swale.Times
---@param row swale.MeasurementRow
---@return swale.Times times
function M.check_steps(where, times, row)
  local every = times.every
  if every and not (every.unit == "steps" and math.tointeger(every.amount)) then
    errors.misuse("%s: measured every so many whole steps: sw.every { steps = 5 }, not %s", where,
      every)
  elseif row.before and next(times.at) then
    errors.misuse("%s: at: it compares with the weights before the step: every = { steps = 5 }",
      where)
  elseif times.at["end"] then
    errors.misuse('%s: at: "end": it is made of the step that follows, and none does', where)
  end
  return times
end

return M
