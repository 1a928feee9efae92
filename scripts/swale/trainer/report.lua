--- The table at the end of a training: last weights, best on valid, captured iterates, averages.
local averages = require "swale.trainer.averages"
local averaging = require "swale.average"
local errors = require "swale.errors"
local faults = require "swale.trainer.faults"
local statistics = require "swale.trainer.statistics"

local M = {}

---@class swale.ReportRow
---@field name string
---@field train_loss number
---@field test_loss number|nil
---@field test_accuracy number|nil

local function counted(n, noun) return ("%d %s%s"):format(n, noun, n == 1 and "" or "s") end

--- buffers: the statistics of a vector of weights; for names evaluate finds them itself.
local function row(trainer, name, which, buffers)
  local function on(split) return trainer:evaluate(which, { on = split, buffers = buffers }) end
  local train = on "train"
  local test = trainer.data.test and on "test"
  return { name = name, train_loss = train.loss, test_loss = test and test.loss,
    test_accuracy = test and test.accuracy }
end

local COLUMNS = { "train_loss", "test_loss", "test_accuracy" }

--- The mean of the iterates' metrics, not the metrics of their mean.
local function mean_row(trainer, iterates)
  local mean = { name = "mean of " .. counted(#iterates, "captured iterate") }
  for _, weights in ipairs(iterates) do
    local found = row(trainer, "", weights, statistics.of(trainer.engine.evaluator, weights))
    for _, column in ipairs(COLUMNS) do
      mean[column] = found[column] and (mean[column] or 0) + found[column] / #iterates
    end
  end
  return mean
end

--- "SWA of 6 captures"; with a name of the user's: "mine (SWA of 6 captures)".
local function title(entry)
  local text = ("%s of %s"):format(entry.average:title(), counted(entry.average.count, "capture"))
  local own = entry.name ~= entry.average:default_name()
  return own and ("%s (%s)"):format(entry.name, text) or text
end

local function add_average(trainer, rows, entry)
  local iterates = entry.average:iterates()
  if iterates and #iterates > 0 and #iterates == entry.average.count then
    rows[#rows + 1] = mean_row(trainer, iterates)
  end
  rows[#rows + 1] = row(trainer, title(entry), entry.name)
end

---@param trainer swale.Trainer
---@return swale.ReportRow[]
function M.rows(trainer)
  local rows = {}
  if not faults.is_spoiled(trainer:state()) then rows[1] = row(trainer, "last", "last") end
  local best = trainer:best_epoch()
  if best then
    rows[#rows + 1] = row(trainer, ("best on valid (epoch %.4g)"):format(best), "best")
  end
  for _, entry in ipairs(averages.with_captures(averages.list(trainer.average))) do
    add_average(trainer, rows, entry)
  end
  return rows
end

local function cell(x, fmt) return x and fmt:format(x) or "" end

local function note(trainer, say, entry)
  local average, iterates = entry.average, entry.average:iterates()
  if average.count == 0 then
    local named = entry.name ~= averaging.UNNAMED and entry.name .. ": " or ""
    say(("%sno captures: averaging begins after %s, and training ended at epoch %.4g"):format(
      named, average.start, trainer:state().epoch))
  elseif averaging.KINDS[average.kind].keeps_iterates
    and (not iterates or #iterates ~= average.count) then
    say(("the captured iterates were not kept (too many): average.%s { keep = true } keeps them")
      :format(average:title()))
  end
end

---@param rows swale.ReportRow[]
---@return string
function M.text(rows)
  local cells = {}
  for i, r in ipairs(rows) do
    cells[i] = { r.name, cell(r.train_loss, "%.4f"), cell(r.test_loss, "%.4f"),
      cell(r.test_accuracy, "%.4f") }
  end
  local header = { "", "train loss", "test loss", "test accuracy" }
  return require("swale.table").render(header, cells)
end

---Prints the table, through the run if there is one.
---@param trainer swale.Trainer
---@param run table|nil
---@return swale.ReportRow[]
function M.print(trainer, run)
  local function say(text)
    if run then run:print("%s", text) else print(text) end
  end
  if trainer:state().step == 0 then errors.misuse("Trainer:report: nothing was trained yet") end
  local rows = M.rows(trainer)
  say(M.text(rows))
  for _, entry in ipairs(averages.list(trainer.average)) do note(trainer, say, entry) end
  return rows
end

return M
