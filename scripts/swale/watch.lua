--- What `swale watch` shows: a table of runs, those that run first, and curves in text.
local cut = require("swale.table").cut
local paces = require "swale.batch.pace"
local progress = require "swale.progress"
local tables = require "swale.table"
local tails = require "swale.batch.tail"

local M = {}

local CURVE_ROWS = 6    -- of text
local LEAST_ROWS = 4    -- of the table, before there is room for a curve
local MOST_COLUMNS = 100

-- ------------------------------------------------------------------ curves

--- Bits of the dots of a character of Braille, by column and row.
local DOTS = { { 0x01, 0x02, 0x04, 0x40 }, { 0x08, 0x10, 0x20, 0x80 } }

local function range(values)
  local low, high = math.huge, -math.huge
  for _, value in ipairs(values) do
    if value - value == 0 then low, high = math.min(low, value), math.max(high, value) end
  end
  return low, high
end

--- Where a value is among n places from 0.
local function place(value, low, high, n)
  return high > low and math.floor((value - low) / (high - low) * (n - 1) + 0.5) or 0
end

---Returns lines of text with a curve, as dots of Braille.
---@param xs number[]
---@param ys number[]       what is not finite is left out
---@param columns integer
---@param rows integer
---@return string[] lines   none where no value is finite
function M.curve(xs, ys, columns, rows)
  local left, right = range(xs)
  local low, high = range(ys)
  if low > high or left > right then return {} end
  local cells = {}
  local function dot(x, down)
    local at = down // 4 * columns + x // 2
    cells[at] = (cells[at] or 0) | DOTS[x % 2 + 1][down % 4 + 1]
  end
  local last_x, last_down
  for i, y in ipairs(ys) do
    local x = y - y == 0 and place(xs[i], left, right, 2 * columns)
    local down = x and 4 * rows - 1 - place(y, low, high, 4 * rows)
    if x then dot(x, down) end
    for between = last_x and x and last_x + 1 or 0, x and last_x and x - 1 or -1 do
      dot(between, last_down + (down - last_down) * (between - last_x) // (x - last_x))
    end
    last_x, last_down = x or nil, down or nil
  end
  local lines = {}
  for row = 0, rows - 1 do
    local parts = {}
    for column = 0, columns - 1 do
      parts[column + 1] = utf8.char(0x2800 + (cells[row * columns + column] or 0))
    end
    lines[row + 1] = table.concat(parts)
  end
  return lines
end

--- A curve with its least and greatest values at the left.
local function labelled(xs, ys, columns)
  local low, high = range(ys)
  local lines = M.curve(xs, ys, columns - 11, CURVE_ROWS)
  for i, line in ipairs(lines) do
    local value = i == 1 and high or i == #lines and low
    lines[i] = ("%10s %s"):format(value and ("%.4g"):format(value) or "", line)
  end
  return lines
end

-- ------------------------------------------------------------------ the table

---@class swale.Watch
---@field known table<string, table>   what is kept of a run between two looks, by directory
local Watch = {}
Watch.__index = Watch

---@param list fun(): swale.RunView[]
---@return swale.Watch
function M.new(list) return setmetatable({ list = list, known = {} }, Watch) end

local function is_running(view) return view.status:find "^running" ~= nil end

--- Those that run first, then those that began last.
local function order(a, b)
  if is_running(a) ~= is_running(b) then return is_running(a) end
  if a.started ~= b.started then return a.started > b.started end
  return a.id > b.id
end

local function row_of(self, view, now)
  local known = self.known[view.dir]
  if not known then
    known = { tail = tails.new(view.dir), pace = paces.new(now, true) }
    self.known[view.dir] = known
  end
  local line = known.tail:look()
  if not line or not tonumber(line.epoch) then return { view.id, view.status } end
  local fraction, rate, left = paces.fraction(line), nil, nil
  if is_running(view) then
    rate = known.pace:rate(line.step, now)
    left = fraction and known.pace:left(fraction, now)
  end
  local total = tonumber(line.until_epoch)
  return { view.id, view.status, tostring(line.step),
    ("%.1f%s"):format(line.epoch, total and (" of %.4g"):format(total) or ""),
    tonumber(line.loss) and ("%.4g"):format(line.loss) or tostring(line.loss or ""),
    rate and ("%.3g"):format(rate) or "", left and progress.duration(left) or "" }
end

local HEADER = { "run", "status", "step", "epoch", "loss", "steps/s", "time left" }

local function count_line(views)
  local running = 0
  for _, view in ipairs(views) do running = running + (is_running(view) and 1 or 0) end
  return ("%d runs, %d running"):format(#views, running)
end

--- Lines of the loss of a run; read again only when its metrics have grown.
local function curve_of(self, view, columns)
  local known = self.known[view.dir]
  if known.curve and known.drawn == known.tail.size and known.columns == columns then
    return known.curve
  end
  local found = view:curves { kind = "step", columns = { "loss" }, points = 2 * columns }.loss
  local lines = found and labelled(found.step, found.loss, columns) or {}
  if #lines > 0 then
    local first, last = range(found.step)
    table.insert(lines, 1, ("loss of %s, steps %d to %d"):format(view.id, first, last))
  end
  known.curve, known.drawn, known.columns = lines, known.tail.size, columns
  return lines
end

---Returns the lines of a look.
---@param now number       seconds
---@param columns integer|nil   of the terminal; nil: all runs, without curves
---@param height integer|nil
---@return string[]
function Watch:lines(now, columns, height)
  local views = self.list()
  table.sort(views, order)
  local room = height and math.max(LEAST_ROWS, height - CURVE_ROWS - 4) or #views
  local rows = {}
  for i = 1, math.min(#views, room) do rows[i] = row_of(self, views[i], now) end
  local lines = { count_line(views) }
  for line in tables.render(HEADER, rows):gmatch "[^\n]+" do lines[#lines + 1] = line end
  if not columns then return lines end
  if #views > #rows then lines[#lines + 1] = ("… %d more"):format(#views - #rows) end
  if views[1] and height >= #lines + CURVE_ROWS + 2 then
    local curve = curve_of(self, views[1], math.min(columns, MOST_COLUMNS))
    table.move(curve, 1, #curve, #lines + 1, lines)
  end
  for i, line in ipairs(lines) do lines[i] = cut((line:gsub("%c", "?")), columns) end
  return table.move(lines, 1, math.min(#lines, height), 1, {})
end

return M
