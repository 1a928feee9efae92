--- The progress of a run: a bar that is redrawn on a terminal, elsewhere a plain line an epoch.
local M = {}

local WIDTH = 20       -- of the bar, in characters
local INTERVAL = 0.1   -- seconds between two drawings

---@class swale.ProgressBar
local Progress = {}
Progress.__index = Progress

local function clock() return require "luv".hrtime() / 1e9 end

---Whether stderr is a terminal that can redraw a line.
---@return boolean
function M.is_terminal()
  return require "luv".guess_handle(2) == "tty" and os.getenv "TERM" ~= "dumb"
end

---The size of the terminal at this moment.
---@return integer columns, integer rows
function M.terminal_size()
  local columns, rows = require("swale.core").terminal_size()
  return columns and columns > 0 and columns or 80, rows and rows > 0 and rows or 24
end

---@param o? { terminal?: boolean, write?: fun(text: string) }   for tests: instead of stderr
---@return swale.ProgressBar
function M.new(o)
  o = o or {}
  local terminal = o.terminal
  if terminal == nil then terminal = M.is_terminal() end
  return setmetatable({ terminal = terminal, started = clock(), drawn = 0, shown = false,
    write = o.write or function(text) io.stderr:write(text) end }, Progress)
end

---Formats seconds: "12 s", "3 min 20 s", "2 h 5 min".
---@param seconds number
---@return string
function M.duration(seconds)
  local s = math.floor(seconds + 0.5)
  if s < 60 then return ("%d s"):format(s) end
  if s < 3600 then return ("%d min %d s"):format(s // 60, s % 60) end
  return ("%d h %d min"):format(s // 3600, s % 3600 // 60)
end

---Formats seconds that may be few: "0.42 s", "4.2 s".
---@param seconds number
---@return string
function M.seconds(seconds)
  if seconds < 1 then return ("%.2f s"):format(seconds) end
  return seconds < 9.95 and ("%.1f s"):format(seconds) or M.duration(seconds)
end

---Formats steps a second: "12.5 steps/s", "3480 steps/s".
---@param rate number
---@return string
function M.rate(rate) return (rate < 999.5 and "%.3g steps/s" or "%.0f steps/s"):format(rate) end

---Returns "[#####...............]".
---@param fraction number   from 0 to 1
---@return string
function M.bar(fraction)
  local full = math.floor(fraction * WIDTH + 0.5)
  return "[" .. ("#"):rep(full) .. ("."):rep(WIDTH - full) .. "]"
end

local function left(self, fraction, now)
  if fraction <= 0 then return "" end
  return M.duration((now - self.started) * (1 - fraction) / fraction) .. " left"
end

---Returns whether a drawing is due, so that callers need not build the text.
---@return boolean
function Progress:is_due()
  return self.terminal and clock() - self.drawn >= INTERVAL
end

---Redraws the bar, at most ten times a second.
---@param o { done: number, total: number, text?: string }   done and total in any one unit
function Progress:update(o)
  if not self:is_due() then return end
  local now = clock()
  local fraction = o.total > 0 and math.min(math.max(o.done / o.total, 0), 1) or 0
  local tail = ("  %s %s"):format(M.bar(fraction), left(self, fraction, now))
  self.columns = self.columns or M.terminal_size()
  local room = math.max(self.columns - 1 - #tail, 0)
  self.write("\r" .. (o.text or ""):sub(1, room) .. tail .. "\27[K")
  self.drawn, self.shown = now, true
end

---Clears the bar before something else is printed.
function Progress:clear()
  if self.shown then self.write "\r\27[K" end
  self.shown, self.drawn = false, 0
end

local function field(list, fmt, value)
  if type(value) == "number" then list[#list + 1] = fmt:format(value) end
end

--- Four digits, in as many columns for every epoch: 0.5123, 12.346, 1.235e+06.
local function digits(x)
  if x ~= x then return "   nan" end
  if x == math.huge or x == -math.huge then return ("%6s"):format(x) end
  local size = math.abs(x)
  if size ~= 0 and (size < 0.001 or size >= 1e5) then return ("%.3g"):format(x) end
  local before = size < 1 and 1 or math.floor(math.log(size, 10) + 1e-12) + 1
  return ("%%6.%df"):format(math.max(0, 5 - before)):format(x)
end

local function value_field(list, name, value)
  if type(value) == "number" then list[#list + 1] = name .. " " .. digits(value) end
end

--- Accuracies of the averages: "swa valid acc", by name.
local function averages(list, record)
  local names = {}
  for key in pairs(record) do
    names[#names + 1] = type(key) == "string" and key:match "^(.+)_valid_accuracy$" or nil
  end
  table.sort(names)
  for _, name in ipairs(names) do
    field(list, name .. " valid acc %.4f", record[name .. "_valid_accuracy"])
  end
end

---One line for the record of an epoch.
---@param record table   of kind "epoch"
---@return string
function M.epoch_line(record)
  local list = {}
  local epoch = tonumber(record.epoch)
  field(list, "epoch %5.1f", epoch)
  value_field(list, "loss", record.loss)
  value_field(list, "valid loss", record.valid_loss)
  field(list, "valid acc %.4f", record.valid_accuracy)
  averages(list, record)
  value_field(list, "lr", record.lr)
  field(list, "batch %.10g", record.batch_size)
  return table.concat(list, "  ")
end

---Prints the line of an epoch if there is no terminal.
---@param text string
function Progress:line(text)
  if not self.terminal then self.write(text .. "\n") end
end

return M
