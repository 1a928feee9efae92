--- A batch: scripts times seeds, each in a process of its own, a few at a time.
local folders = require "swale.folders"
local outcome = require "swale.batch.outcome"
local pool = require "swale.batch.pool"
local process = require "swale.process"
local reports = require "swale.batch.report"
local seeds = require "swale.batch.seeds"

local M = {}

---@class swale.BatchOptions
---@field scripts swale.BatchScript[]
---@field seeds swale.SeedRange[]
---@field jobs integer             at once
---@field threads integer          that each computes with

local function words_of(script, seed, threads)
  local words, me = process.swale(), ("%d"):format(require "luv".os_getpid())
  for _, word in ipairs { "--child-of", me, "run", script.path, "--seed", tostring(seed),
    "--threads", tostring(threads) } do
    words[#words + 1] = word
  end
  return table.move(script.overrides, 1, #script.overrides, #words + 1, words)
end

local function log_name(number, script, seed)
  local name = script.path:match "([^/]+)$":gsub("%.lua$", ""):gsub("[^%w%-_.]+", "-")
  return ("%04d_%s_seed%d.txt"):format(number, name, seed)
end

--- An iterator over jobs, so that thousands of them take no memory in advance.
local function jobs_of(o, folder)
  local i, next_seed, number = 1, seeds.each(o.seeds), 0
  local function advance()
    local seed = next_seed()
    if seed then return o.scripts[i], seed end
    i, next_seed = i + 1, seeds.each(o.seeds)
    return o.scripts[i], next_seed()
  end
  return function()
    local script, seed = advance()
    if not script then return nil end
    number = number + 1
    return { number = number, script = script.path, seed = seed,
      argv = words_of(script, seed, o.threads),
      output = ("%s/%s"):format(folder, log_name(number, script, seed)) }
  end
end

--- The folder for the outputs of children that ended before they had a run.
local function remove_if_empty(folder)
  if #folders.entries(folder) == 0 then folders.remove(folder) end
end

local CODES = { sigint = 130, sigterm = 143, sighup = 129 }

---Runs a batch and prints the outcome.
---@param o swale.BatchOptions
---@return integer code   exit status: 0 all done, 1 some failed; interrupted: 130, 143, 129
function M.run(o)
  local folder = require("swale.run.place").make "batch"
  local report = reports.new(#o.scripts * seeds.count(o.seeds))
  local stopped = pool.run {
    jobs = o.jobs, next = jobs_of(o, folder),
    started = function(job) report:begin(job) end,
    ended = function(job, result)
      local row = outcome.of(job, result)
      row.number = job.number
      report:add(job, row)
    end,
    tick = function() report:draw() end,
  }
  remove_if_empty(folder)
  report:close(stopped ~= nil)
  if stopped then return CODES[stopped] end
  return report.failed == 0 and 0 or 1
end

return M
