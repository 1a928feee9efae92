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

local function read(self, path)
  local file = io.open(path)
  for line in file and file:lines() or function() end do
    local record = core.json_decode(line)
    if type(record) == "table" and record.kind == "round" and is_of(record, self.origin) then
      local rounds = self:rounds(record.workload, record.threads)
      if record.round == #rounds + 1 then rounds[#rounds + 1] = record end
    end
  end
  if file then file:close() end
end

---@param path string|nil   nil: nothing is kept
---@param origin table
---@return swale.BenchRecords|nil records
---@return string? message
function M.open(path, origin)
  local self = setmetatable({ origin = origin, known = {} }, Records)
  if not path then return self end
  read(self, path)
  local file, problem = io.open(path, "a")
  if not file then return nil, problem end
  file:setvbuf "no"
  self.file = file
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
