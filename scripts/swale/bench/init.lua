--- Benchmarks. Names, shapes and fields are those that other tools' benchmarks use for the same
--- work, so that results can be joined by workload and threads.
---
--- A training step gathers its batch from a data set in memory, runs forward and backward, and
--- updates (SGD, momentum 0.9); data are synthetic, of the real shapes.
local core = require "swale.core"

local M = {}

local GROUPS = { "training", "evaluation", "hessian", "eigenvalues", "noise", "sharpness",
  "weights", "overhead", "landscape", "whole", "peak" }

---@class swale.BenchRow
---@field name string
---@field heavy? boolean            takes many seconds: only run when it is named
---@field run fun(o: swale.BenchRowOptions): table   fields of the result

---@class swale.BenchRowOptions
---@field threads integer
---@field min_time number
---@field brief? boolean            only median_ms and gflops matter

---@return swale.BenchRow[]
function M.rows()
  local list = {}
  for _, group in ipairs(GROUPS) do
    for _, row in ipairs(require("swale.bench." .. group).rows()) do list[#list + 1] = row end
  end
  return list
end

---Returns the names of all workloads, in the order of their execution.
---@param heavy? boolean            only those that take many seconds
---@return string[]
function M.workloads(heavy)
  local names = {}
  for _, row in ipairs(M.rows()) do
    if row.heavy or not heavy then names[#names + 1] = row.name end
  end
  return names
end

---@class swale.BenchOptions
---@field threads integer[]
---@field wanted fun(name: string, heavy: boolean): boolean
---@field min_time number           seconds for each
---@field report fun(result: table)

local function run_row(row, threads, o)
  local result = row.run { threads = threads, min_time = o.min_time }
  result.peer = "swale-" .. core._VERSION
  result.workload, result.threads = row.name, threads
  o.report(result)
  collectgarbage()
end

---Runs the workloads that wanted(name) chooses, on each number of threads, and passes each result
---to report as soon as it is measured.
---@param o swale.BenchOptions
function M.run(o)
  local list = M.rows()
  for _, threads in ipairs(o.threads) do
    core.set_threads(threads)
    for _, row in ipairs(list) do
      if o.wanted(row.name, row.heavy or false) then run_row(row, threads, o) end
    end
  end
end

return M
