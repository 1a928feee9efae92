--- The state of a run that is under way, from the end of its metrics.jsonl.
local core = require "swale.core"

local M = {}

local BYTES = 8192 -- read from the end: a line of steps is some hundred bytes

---@class swale.MetricsTail
---@field path string
---@field size integer         of the file at the last look
---@field last table|nil       the last line of steps
local Tail = {}
Tail.__index = Tail

---@param dir string   of the run
---@return swale.MetricsTail
function M.new(dir) return setmetatable({ path = dir .. "/metrics.jsonl", size = 0 }, Tail) end

local function read_end(path, size)
  local file = io.open(path, "rb")
  if not file then return "" end
  file:seek("set", math.max(0, size - BYTES))
  local text = file:read(BYTES) or ""
  file:close()
  return text
end

--- The last complete line that has a step and a loss.
local function last_steps(text)
  local found
  for line in text:gmatch "([^\n]*)\n" do
    if line:find '"kind":"step"' then found = line end
  end
  local record = found and core.json_decode(found)
  return type(record) == "table" and record or nil
end

---Returns the last line of steps; nil if there is none yet. Reads the file only if it has grown.
---@return table|nil
function Tail:look()
  local stat = require "luv".fs_stat(self.path)
  if stat and stat.size ~= self.size then
    self.size = stat.size
    self.last = last_steps(read_end(self.path, stat.size)) or self.last
  end
  return self.last
end

return M
