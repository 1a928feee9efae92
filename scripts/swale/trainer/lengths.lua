--- Checks the durations among a trainer's options: each is 0, or at least one example of the
--- training set.
local duration = require "swale.duration"
local object = require "swale.schedule.object"

local M = {}

---@param x any                     a schedule, or anything else
---@param epoch_examples integer
---@param where string
function M.of_schedule(x, epoch_examples, where)
  if not object.is_schedule(x) then return end
  object.each_duration(x, function(d)
    duration.check(d, epoch_examples, ("%s: %s"):format(where, tostring(x)))
  end)
end

---@param list swale.NamedAverage[]
---@param epoch_examples integer
function M.of_averages(list, epoch_examples)
  for _, entry in ipairs(list) do
    for _, name in ipairs { "start", "every" } do
      duration.check(entry.average[name], epoch_examples,
        ("Trainer: average.%s: %s"):format(entry.average:title(), name))
    end
  end
end

---@param o { settings: table, averages: swale.NamedAverage[], record: swale.Duration }
---@param epoch_examples integer
function M.check(o, epoch_examples)
  for name, x in pairs(o.settings) do M.of_schedule(x, epoch_examples, "Trainer: " .. name) end
  M.of_averages(o.averages, epoch_examples)
  duration.check(o.record, epoch_examples, "Trainer: record")
end

return M
