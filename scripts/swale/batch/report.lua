--- What a batch prints: failures at once, progress, and at the end tables and a count.
local closing = require "swale.batch.closing"
local live = require "swale.batch.live"
local outcome = require "swale.batch.outcome"
local progress = require "swale.progress"
local works = require "swale.batch.work"

local M = {}

---@class swale.BatchReport
---@field counts { done: integer, failed: integer, skipped: integer }
local Report = {}
Report.__index = Report

---@param total integer|nil   pieces of work
---@param o? { objective?: string, live?: swale.BatchLive, tables?: boolean }
---@return swale.BatchReport
function M.new(total, o)
  o = o or {}
  return setmetatable({ total = total, objective = o.objective, live = o.live or live.new(),
    tables = o.tables ~= false,
    counts = { done = 0, failed = 0, skipped = 0 } }, Report)
end

local function ended(self)
  return self.counts.done + self.counts.failed + self.counts.skipped
end

---Redraws the lines of what runs, if there is a terminal.
function Report:draw()
  self.live:draw { total = self.total, ended = ended(self), counts = self.counts }
end

---@param task swale.BatchTask
---@param pid integer
function Report:started(task, pid)
  self.live:add(task, pid)
  self:draw()
end

--- Writes a text by one call, so that lines of two jobs do not mix.
local function say(self, text)
  self.live:clear()
  io.stderr:write(text .. "\n")
end

---@param task swale.BatchTask
---@param why string
---@param run string|nil   that did it before
function Report:skip(task, why, run)
  self.counts.skipped = self.counts.skipped + 1
  if self.counts.skipped == 1 then
    say(self, ("swale: skipped: %s: %s%s"):format(works.name(task.work), why,
      run and "\n  Work that is done is not repeated; --force repeats it." or ""))
  end
end

---Prints a message.
---@param text string
function Report:say(text) say(self, "swale: " .. text) end

---Says once that another process does the rest, and is waited for.
---@param task swale.BatchTask
function Report:waits(task)
  if not self.waited then
    say(self, "swale: another process is doing the rest, which is waited for: "
      .. works.name(task.work))
  end
  self.waited = true
end

---Says what the batch waits for after Ctrl-C or a first failure.
---@param count integer   of runs that were asked to end
function Report:stopping(count)
  say(self, ("swale: ending: %d run%s may write a checkpoint first; Ctrl-C (again) ends %s at once")
    :format(count, count > 1 and "s" or "", count > 1 and "them" or "it"))
end

local function failure_text(task, result, again)
  local lines = { ("%s: %s%s%s"):format(result.status, works.name(task.work),
    result.run and ", run " .. result.run:match "[^/]+$" or "",
    result.note and ": " .. result.note or "") }
  for _, line in ipairs(outcome.last_lines(result.log)) do lines[#lines + 1] = "  | " .. line end
  lines[#lines + 1] = "  log: " .. result.log
  if again then lines[#lines + 1] = "  It is tried again." end
  return table.concat(lines, "\n")
end

--- "[3/20]", or "[3]" where the total is not known.
local function place_of(self)
  return self.total and ("[%d/%d]"):format(ended(self), self.total) or ("[%d]"):format(ended(self))
end

---@param task swale.BatchTask
---@param result swale.WorkResult
---@param again boolean    it is tried again
function Report:ended(task, result, again)
  self.live:remove(task, result)
  local done = result.status == "done"
  if not again then
    local kind = done and "done" or "failed"
    self.counts[kind] = self.counts[kind] + 1
  end
  if not done and (result.status ~= "interrupted" or not result.stopped) then
    say(self, failure_text(task, result, again))
  elseif not self.live.terminal then
    say(self, ("%s %s: %s, %s"):format(place_of(self), works.name(task.work), result.status,
      progress.seconds(result.seconds)))
  end
  self:draw()
end

local function reason_of(o)
  if o.problem then return "ended early" end
  return o.stopped == "stop" and "ended at the first failure" or "interrupted"
end

--- What was not started, and how to go on.
local function rest_text(self, o)
  local left = self.total and self.total - ended(self)
  if left == 0 or #o.rest == 0 then return "swale: " .. reason_of(o) end
  local more = left and left - #o.rest or 0
  return ("swale: %s; %s not started: %s%s\n  The same command does what is missing."):format(
    reason_of(o), left and ("%d of %d were"):format(left, self.total) or "these were",
    table.concat(o.rest, ", "), more > 0 and (" and %d more"):format(more) or "")
end

---Prints the tables and the count.
---@param o { stopped: string?, problem: string?, rest: string[]?, collection: swale.Collection,
---counts: { ran: integer, skipped: integer, failed: integer } }
function Report:close(o)
  self.live:clear()
  if self.tables then closing.print(o.collection.dir, self.objective) end
  if o.problem then io.stderr:write("swale: ", o.problem, "\n") end
  if o.rest then io.stderr:write(rest_text(self, o), "\n") end
  if o.counts.ran + o.counts.skipped > 0 then
    io.stderr:write(("swale: the record is %s; `swale report %s` writes a page of it\n"):format(
      o.collection.dir, o.collection.id))
  end
  io.stdout:write(("ran %d, skipped %d, failed %d\n"):format(o.counts.ran, o.counts.skipped,
    o.counts.failed))
  io.stdout:flush()
end

return M
