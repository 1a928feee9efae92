--- The lines on a terminal that show what runs: one for each process, one for all. They are redrawn
--- in place, and cut to the width that the terminal has at that moment. Elsewhere nothing is drawn.
local outcome = require "swale.batch.outcome"
local paces = require "swale.batch.pace"
local progress = require "swale.progress"
local cut = require("swale.table").cut
local tails = require "swale.batch.tail"
local works = require "swale.batch.work"

local M = {}

local INTERVAL = 0.2 -- seconds between two drawings, at least

---@class swale.BatchLive
---@field terminal boolean
---@field running table[]    in the order of their beginning
---@field shown string[]     the lines that are on the terminal
local Live = {}
Live.__index = Live

local function clock() return require "luv".hrtime() / 1e9 end

---@param o? { terminal?: boolean, write?: fun(text: string), size?: fun(): integer, integer,
---clock?: fun(): number }   for tests
---@return swale.BatchLive
function M.new(o)
  o = o or {}
  local terminal = o.terminal
  if terminal == nil then terminal = progress.is_terminal() end
  return setmetatable({ terminal = terminal, running = {}, shown = {}, drawn = 0, jobs = 0,
    spent = 0, ran = 0, size = o.size or progress.terminal_size, clock = o.clock or clock,
    write = o.write or function(text) io.stderr:write(text) end }, Live)
end

---@param task swale.BatchTask
---@param pid integer
function Live:add(task, pid)
  if not self.terminal then return end
  self.running[#self.running + 1] = { task = task, pid = pid, begun = self.clock() }
  self.jobs = math.max(self.jobs, #self.running)
end

---@param task swale.BatchTask
---@param result swale.WorkResult
function Live:remove(task, result)
  if result.status == "done" then
    self.spent, self.ran = self.spent + result.seconds, self.ran + 1
  end
  for i, child in ipairs(self.running) do
    if child.task == task then
      table.remove(self.running, i)
      return
    end
  end
end

-- ------------------------------------------------------------------ a process

--- The run's last line of steps. Its directory is looked for until the run has begun.
local function look(child)
  if not child.tail then
    local dir = outcome.find_run(child.task.output, child.pid, child.task.work.resume)
    child.tail = dir and tails.new(dir)
  end
  return child.tail and child.tail:look()
end

--- In full, and without the steps a second.
local function state_of(child, now)
  local line = look(child)
  if not line or not tonumber(line.epoch) then
    local text = progress.duration(now - child.begun)
    return text, text
  end
  child.pace = child.pace or paces.new(child.begun, child.task.work.resume ~= nil)
  local fraction, where = paces.fraction(line)
  local parts, left = { where }, fraction and child.pace:left(fraction, now)
  local function add(fmt, value) if value then parts[#parts + 1] = fmt:format(value) end end
  add("loss %.4g", tonumber(line.loss))
  add("%s left", left and progress.duration(left))
  local short, rate = table.concat(parts, "  "), child.pace:rate(line.step, now)
  if rate then table.insert(parts, left and #parts or #parts + 1, progress.rate(rate)) end
  return table.concat(parts, "  "), short
end

-- ------------------------------------------------------------------ all

--- Seconds until all work is done, at the mean time of a run so far; nil before one has ended.
local function total_left(self, o, now)
  if self.ran == 0 or not o.total then return nil end
  local mean, busy = self.spent / self.ran, 0
  for _, child in ipairs(self.running) do busy = busy + math.max(mean - now + child.begun, 0) end
  local waiting = o.total - o.ended - #self.running
  return (waiting * mean + busy) / math.max(1, math.min(self.jobs, waiting + #self.running))
end

local function total_line(self, o, now)
  local c, left = o.counts, total_left(self, o, now)
  local waiting = o.total and o.total - o.ended
  local parts = { ("%d done"):format(c.done), ("%d failed"):format(c.failed),
    ("%d skipped"):format(c.skipped) }
  if waiting then parts[#parts + 1] = ("%d left"):format(waiting) end
  if left and waiting > 0 then parts[#parts + 1] = progress.duration(left) .. " left" end
  local bar = o.total and progress.bar(o.ended / math.max(1, o.total)) .. " " or ""
  return bar .. table.concat(parts, ", ")
end

--- The end of a text, of at most so many characters.
local function cut_left(text, columns)
  local n = utf8.len(text)
  if not n then return text:sub(-columns) end
  return n <= columns and text or "…" .. text:sub(utf8.offset(text, n - columns + 2))
end

--- The name of a piece of work; where it is long the script is cut first, as settings and seed tell
--- the lines apart.
local function name_in(work, room)
  local name, settings = works.name(work), (works.settings(work):gsub("%c", "?"))
  local length = utf8.len(settings) or #settings
  if (utf8.len(name) or #name) <= room then return name end
  local script, left = work.script:match "[^/]*$":gsub("%c", "?"), room - length - 1
  if left < 4 then return cut_left(settings, room) end
  return cut(script, left) .. " " .. settings
end

--- A name of a process and its state: without its steps a second, where the name needs the room.
local function child_line(child, now, columns)
  local work, state, short = child.task.work, state_of(child, now)
  if #works.name(work) + 2 + #state > columns then state = short end
  return cut(name_in(work, math.max(columns - #state - 2, 12)) .. "  " .. state, columns)
end

local function lines_of(self, o, now, columns, rows)
  local lines, most = {}, math.max(rows - 2, 1)
  if #self.running > most then most = math.max(most - 1, 1) end
  for i = 1, math.min(#self.running, most) do
    lines[i] = child_line(self.running[i], now, columns)
  end
  if #self.running > most then
    lines[#lines + 1] = cut(("… %d more are running"):format(#self.running - most), columns)
  end
  lines[#lines + 1] = cut(total_line(self, o, now), columns)
  return lines
end

--- Moves to the beginning of the lines that are shown, which a narrower terminal has wrapped.
local function rewind(self, columns)
  local rows = 0
  for _, line in ipairs(self.shown) do
    rows = rows + math.max(1, math.ceil((utf8.len(line) or #line) / columns))
  end
  return rows > 1 and ("\r\27[%dA\27[J"):format(rows - 1) or rows > 0 and "\r\27[J" or ""
end

---Redraws the lines, if that is due.
---@param o { total: integer?, ended: integer,
---counts: { done: integer, failed: integer, skipped: integer } }
function Live:draw(o)
  local now = self.clock()
  if not self.terminal or now - self.drawn < INTERVAL then return end
  local columns, rows = self.size()
  local lines = lines_of(self, o, now, columns - 1, rows)
  self.write(rewind(self, columns) .. table.concat(lines, "\n"))
  self.shown, self.drawn = lines, now
end

---Removes the lines before something else is printed.
function Live:clear()
  if #self.shown == 0 then return end
  self.write(rewind(self, (self.size())))
  self.shown, self.drawn = {}, 0
end

return M
