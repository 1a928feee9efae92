--- The file of a comparison: a line of JSON for each round. A comparison that was interrupted, or
--- is to have more rounds, goes on from it.
local core = require "swale.core"

local M = {}

---@class swale.BenchRecords
---@field origin table     fields of every line; rounds of another origin do not count
---@field file? file*
---@field known table<string, table[]>
local Records = {}
Records.__index = Records

local function key_of(workload, threads) return ("%s %d"):format(workload, threads) end

local function is_of(record, origin)
  for name, value in pairs(origin) do
    if record[name] ~= value then return false end
  end
  return true
end

local function is_round(record)
  return type(record) == "table" and record.kind == "round"
    and math.type(record.threads) == "integer" and type(record.peer_ms) == "table"
    and type(record.swale_ms) == "number"
end

--- Also whether the last line is a whole one.
local function read(self, path)
  local text = require("swale.folders").read(path) or ""
  for line in text:gmatch "[^\n]+" do
    local record = core.json_decode(line)
    if is_round(record) and is_of(record, self.origin) then
      local rounds = self:rounds(record.workload, record.threads)
      if record.round == #rounds + 1 then rounds[#rounds + 1] = record end
    end
  end
  return text == "" or text:sub(-1) == "\n"
end

---The commit of this Swale, and a digest of what differs from it.
---@return string
function M.commit()
  local home = os.getenv "SWALE_HOME"
  local revision = home and require("swale.machine").revision(home .. "/swale")
  if not revision then return "unknown" end
  if not revision.dirty then return revision.commit end
  local digest = core.sha256(revision.changes or "")
  return ("%s, changed: %s"):format(revision.commit, digest:sub(1, 12))
end

---What rounds must have in common to be of one comparison: both programs, the instruction set of
---Swale's kernels, the processor, and the word that --tag gives.
---@param peer string   PyTorch's version
---@param tag string
---@return table origin
function M.origin(peer, tag)
  return { peer = peer, swale = core._VERSION .. " " .. core.variant(), commit = M.commit(),
    tag = tag, cpu = require("swale.machine").describe().cpu or "unknown" }
end

---@param path string|nil   nil: nothing is kept
---@param origin table
---@return swale.BenchRecords|nil records
---@return string? message
function M.open(path, origin)
  local self = setmetatable({ origin = origin, known = {} }, Records)
  if not path then return self end
  local file, problem = io.open(path, "a")
  if not file then return nil, problem end
  file:setvbuf "no"
  self.file = file
  if not read(self, path) then file:write "\n" end -- an interrupted write
  return self
end

---Returns the rounds of a row that are known, in their order.
---@param workload string
---@param threads integer
---@return table[]
function Records:rounds(workload, threads)
  local key = key_of(workload, threads)
  self.known[key] = self.known[key] or {}
  return self.known[key]
end

---Returns the ways that any rounds of a row have, on any number of threads.
---@param workload string
---@return string[]
function Records:ways(workload)
  local ways = {}
  for _, rounds in pairs(self.known) do
    for _, round in ipairs(rounds) do
      if round.workload == workload then
        for way in pairs(round.peer_ms) do ways[way] = true end
      end
    end
  end
  return require("swale.errors").sorted_keys(ways)
end

---Returns the ways of PyTorch's that failed in any rounds of a row, and why.
---@param workload string
---@return table<string, string>
function Records:faults(workload)
  local faults = {}
  for _, rounds in pairs(self.known) do
    for _, round in ipairs(rounds) do
      if round.workload == workload then
        for way, why in pairs(round.peer_faults or {}) do faults[way] = why end
      end
    end
  end
  return faults
end

---Writes a round.
---@param workload string
---@param threads integer
---@param line table
function Records:add(workload, threads, line)
  line.kind, line.workload, line.threads = "round", workload, threads
  for name, value in pairs(self.origin) do line[name] = value end
  if self.file then
    require("swale.errors").check(self.file:write(core.json_encode(line), "\n"))
  end
end

return M
