--- What a batch prints: failures at once, progress, and a table and a count at the end.
local outcome = require "swale.batch.outcome"
local progress = require "swale.progress"

local M = {}

local COLUMNS = 5 -- of summary values

---@class swale.BatchReport
---@field rows swale.BatchRow[]
---@field failed integer
local Report = {}
Report.__index = Report

---@param total integer   jobs
---@param bar? swale.ProgressBar
---@return swale.BatchReport
function M.new(total, bar)
  return setmetatable({ total = total, rows = {}, failed = 0, running = {},
    bar = bar or progress.new() }, Report)
end

local function name_of(job) return ("%s seed %d"):format(job.script, job.seed) end

local function running_text(self)
  local names = {}
  for job in pairs(self.running) do names[#names + 1] = name_of(job) end
  table.sort(names)
  return table.concat(names, ", ")
end

---Redraws the bar, if there is a terminal.
function Report:draw()
  local failures = self.failed > 0 and (", %d failed"):format(self.failed) or ""
  self.bar:update { done = #self.rows, total = self.total, text = ("%d of %d%s: %s"):format(
    #self.rows, self.total, failures, running_text(self)) }
end

---Notes that a job has begun.
---@param job table
function Report:begin(job)
  self.running[job] = true
  self:draw()
end

local function failure_text(row)
  local lines = { ("%s: %s%s"):format(row.status, name_of(row),
    row.note and ": " .. row.note or "") }
  for _, line in ipairs(outcome.last_lines(row.log)) do lines[#lines + 1] = "  | " .. line end
  lines[#lines + 1] = "  log: " .. row.log
  return table.concat(lines, "\n")
end

--- Writes a text by one call, so that lines of two jobs do not mix.
local function say(self, text)
  self.bar:clear()
  io.stderr:write(text .. "\n")
end

---Notes that a job has ended.
---@param job table
---@param row swale.BatchRow
function Report:add(job, row)
  self.running[job] = nil
  self.rows[#self.rows + 1] = row
  if row.failed then self.failed = self.failed + 1 end
  if row.failed and row.status ~= "interrupted" then
    say(self, failure_text(row))
  else
    self.bar:line(("[%d/%d] %s: %s, %s"):format(#self.rows, self.total, name_of(row), row.status,
      progress.seconds(row.seconds)))
  end
  self:draw()
end

-- ------------------------------------------------------------------ the end

--- Names of summary values, those that most rows have first.
local function summary_names(rows)
  local counts, names = {}, {}
  for _, row in ipairs(rows) do
    for name in pairs(row.summary) do
      if not counts[name] then names[#names + 1] = name end
      counts[name] = (counts[name] or 0) + 1
    end
  end
  table.sort(names, function(a, b)
    if counts[a] ~= counts[b] then return counts[a] > counts[b] end
    return a < b
  end)
  return table.move(names, 1, math.min(#names, COLUMNS), 1, {})
end

local function cell(value)
  if value == nil then return "" end
  return math.type(value) == "float" and ("%.6g"):format(value) or tostring(value)
end

---Returns the rows as text, in the order of the jobs.
---@param rows swale.BatchRow[]
---@return string
function M.table(rows)
  local header, names, cells = { "script", "seed", "status", "time" }, summary_names(rows), {}
  table.move(names, 1, #names, 5, header)
  local sorted = table.move(rows, 1, #rows, 1, {})
  table.sort(sorted, function(a, b) return a.number < b.number end)
  for i, row in ipairs(sorted) do
    cells[i] = { row.script, row.seed, row.status, progress.seconds(row.seconds) }
    for c, name in ipairs(names) do cells[i][4 + c] = cell(row.summary[name]) end
  end
  return require("swale.table").render(header, cells)
end

---Prints the closing table and the count.
---@param stopped boolean   not all jobs were begun
function Report:close(stopped)
  self.bar:clear()
  if #self.rows > 0 then io.stdout:write(M.table(self.rows), "\n") end
  if stopped then
    io.stderr:write(("swale: interrupted; %d of %d were not started\n"):format(
      self.total - #self.rows, self.total))
  end
  io.stdout:write(("ran %d, failed %d\n"):format(#self.rows, self.failed))
  io.stdout:flush()
end

return M
