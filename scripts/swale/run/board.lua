--- The event file of a run for TensorBoard: all numbers of metrics.jsonl, and the parameters as a
--- text. It is made of metrics.jsonl, so that a run which goes on has no step twice.
local core = require "swale.core"
local errors = require "swale.errors"
local lines = require "swale.run.lines"
local metrics = require "swale.store.metrics"
local tensorboard = require "swale.tensorboard"

local M = {}

M.NAME = "events.out.tfevents.1.swale"

local TIMED = { step = true, epoch = true } -- lines whose seconds are those of the run
local LEFT_OUT = { step = true, kind = true, name = true }

---@class swale.Board
---@field base number       seconds since 1970 when the run began
---@field seconds number    of the run, as of the last record
---@field step integer      of the last record
local Board = {}
Board.__index = Board

--- Seconds since 1970 of "2026-11-29T01:02:03Z".
local function seconds_of(started)
  local y, m, d, h, min, s = tostring(started):match "^(%d+)-(%d+)-(%d+)T(%d+):(%d+):(%d+)Z"
  if not y then return 0 end
  local month, year = (tonumber(m) + 9) % 12, tonumber(y) - (tonumber(m) <= 2 and 1 or 0)
  local days = 365 * year + year // 4 - year // 100 + year // 400 + (month * 306 + 5) // 10
    + tonumber(d) - 1 - 719468
  return days * 86400 + tonumber(h) * 3600 + tonumber(min) * 60 + tonumber(s)
end

--- A table in Markdown.
local function parameters_text(info)
  local rows = { "| parameter | value |", "|---|---|", ("| seed | %s |"):format(info.seed) }
  for _, name in ipairs(errors.sorted_keys(info.params or {})) do
    local value = core.json_encode(info.params[name]):gsub("([|`*_<\\])", "\\%1")
    rows[#rows + 1] = ("| %s | %s |"):format(name:gsub("_", "\\_"), value)
  end
  return table.concat(rows, "\n")
end

--- The numbers of a record by tags such as epoch/valid_loss and measurement/noise_scale/value.
local function scalars_of(record)
  local prefix, list = tostring(record.kind), {}
  if type(record.name) == "string" then prefix = prefix .. "/" .. record.name end
  for _, name in ipairs(errors.sorted_keys(record)) do
    local value = not LEFT_OUT[name] and metrics.number(record[name])
    if value then list[#list + 1] = { prefix .. "/" .. name, value } end
  end
  return list
end

--- A record of metrics.jsonl as an event; "" where it has no numbers.
local function event_of(self, record)
  self.step = math.tointeger(record.step) or self.step
  if TIMED[record.kind] then self.seconds = metrics.number(record.seconds) or self.seconds end
  local scalars = scalars_of(record)
  return #scalars > 0 and tensorboard.scalars(self.base + self.seconds, self.step, scalars) or ""
end

--- The events of a run so far.
local function write_all(self, path, info, records)
  local file = errors.check(io.open(path, "wb"))
  local written = file:write(tensorboard.head(self.base),
    tensorboard.text(self.base, "parameters", parameters_text(info)))
  for _, record in ipairs(records) do written = written and file:write(event_of(self, record)) end
  local closed, problem = file:close()
  if not (written and closed) then
    os.remove(path)
    errors.environment(("%s: cannot be written: %s"):format(path, problem or "the disk is full"),
      "EIO")
  end
end

---Writes the event file of a run. Returns what appends to it.
---@param folder string     that gets the file
---@param info table        run.json of the run
---@param records table[]   of its metrics.jsonl
---@return swale.Board
function M.write(folder, info, records)
  local self = setmetatable({ base = seconds_of(info.started), seconds = 0, step = 0,
    path = folder .. "/" .. M.NAME }, Board)
  local temporary = ("%s.tmp.%d"):format(self.path, require("luv").os_getpid())
  write_all(self, temporary, info, records)
  errors.check(os.rename(temporary, self.path))
  return self
end

---Appends a record of metrics.jsonl. A board that cannot be written ends; metrics.jsonl has all.
---@param record table
function Board:record(record)
  if self.ended then return end
  self.file = self.file or lines.open(self.path)
  self.ended = not self.file or not self.file:write(event_of(self, record))
end

function Board:close()
  if self.file then self.file:close() end
  self.file, self.ended = nil, true
end

return M
