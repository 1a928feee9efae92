--- Looking at schedules without training.
local combine = require "swale.schedule.combine"
local errors = require "swale.errors"
local options = require "swale.options"

---@class swale.Looks
local M = {}

---@class swale.ValuesOptions
---@field epochs? number               how far; or steps, or examples
---@field steps? integer
---@field examples? integer
---@field points? integer              101, the ends included
---@field batch_size? integer          128
---@field epoch_examples? integer      50000

local function spec(more)
  local o = { epochs = "positive?", steps = "count?", examples = "positive?",
    points = { "count", 101 }, batch_size = { "count", 128 }, epoch_examples = { "count", 50000 } }
  for name, entry in pairs(more or {}) do o[name] = entry end
  return o
end

local VALUES = spec()

local function total_examples(where, o)
  local given = (o.epochs and 1 or 0) + (o.steps and 1 or 0) + (o.examples and 1 or 0)
  if given ~= 1 then errors.misuse("%s: how far? one of epochs, steps, examples", where) end
  local examples = o.examples or o.steps and o.steps * o.batch_size or o.epochs * o.epoch_examples
  if examples < 1 then errors.misuse("%s: %g examples is less than one", where, examples) end
  return examples
end

---Values at equally spaced points, without training:
---`for lr, epoch in sch.values(s, { epochs = 10, points = 11 }) do`
---@param x swale.Hyperparameter
---@param o swale.ValuesOptions
---@return fun(): number?, number?     value and epoch of the next point
function M.values(x, o)
  local schedule = combine.part("schedule.values", x)
  o = options.check("schedule.values", o, VALUES)
  local total, i = total_examples("schedule.values", o), -1
  return function()
    i = i + 1
    if i >= o.points then return nil end
    local examples = math.floor(total * i / math.max(1, o.points - 1) + 0.5)
    local value = schedule:at { examples = examples, batch_size = o.batch_size,
      epoch_examples = o.epoch_examples }
    return value, examples / o.epoch_examples
  end
end

---Several schedules side by side: rows { epoch =, name = value, … }.
---@param schedules table<string, swale.Hyperparameter>
---@param o swale.ValuesOptions
---@return table[]
function M.tabulate(schedules, o)
  local rows = {}
  for name, x in pairs(options.value("schedule.tabulate", "schedules", schedules, "table")) do
    local i = 0
    for value, epoch in M.values(x, o) do
      i = i + 1
      rows[i] = rows[i] or { epoch = epoch }
      rows[i][name] = value
    end
  end
  return rows
end

-- ------------------------------------------------------------------ pictures

local PLOT = spec { file = { "string", "schedules.svg" }, points = { "count", 1001 },
  log = { "boolean", false } }

--- A curve of a schedule, over steps if the range is of steps, else over epochs.
local function curve(schedule, name, o)
  local range = { epochs = o.epochs, steps = o.steps, examples = o.examples, points = o.points,
    batch_size = o.batch_size, epoch_examples = o.epoch_examples }
  local x, y = {}, {}
  for value, epoch in M.values(schedule, range) do
    x[#x + 1] = o.steps and epoch * o.epoch_examples / o.batch_size or epoch
    y[#y + 1] = value
  end
  return { x = x, y = y, label = name }
end

---@class swale.PlotOptions: swale.ValuesOptions
---@field file? string                 ends in .svg, .png or .pdf; schedules.svg
---@field log? boolean                 a logarithmic axis; false

---Draws schedules by their names, without training: `sch.plot({ mine = f }, { epochs = 10 })`.
---@param schedules table<string, swale.Hyperparameter>
---@param o swale.PlotOptions
---@return string file
function M.plot(schedules, o)
  local where = "schedule.plot"
  options.value(where, "schedules", schedules, "table")
  if getmetatable(schedules) or not next(schedules) then
    errors.misuse("%s: takes schedules by their names: { mine = f, theirs = s }", where)
  end
  o = options.check(where, o, PLOT)
  total_examples(where, o)
  local picture = { file = o.file, x_label = o.steps and "steps" or "epochs", y_log = o.log,
    height = 450 }
  for _, name in ipairs(errors.sorted_keys(schedules)) do
    picture[#picture + 1] = curve(schedules[name], name, o)
  end
  return require("swale.plot.figure").draw(where, picture)
end

return M
