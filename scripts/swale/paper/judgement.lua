--- The judgement of a paper as a run of its own: claims with verdicts, figures, what it took.
local costs = require "swale.paper.cost"
local experiment = require "swale.experiment"
local figures = require "swale.paper.figures"
local judge = require "swale.paper.judge"
local runs_of = require "swale.paper.runs"
local text = require "swale.paper.text"

local M = {}

---@class swale.JudgementOptions
---@field folder swale.PaperFolder
---@field plan swale.PaperPlan
---@field argv string[]
---@field collection string         id of the batch
---@field wall_seconds number       of the batch

---@class swale.Judgement
---@field rows swale.ClaimRow[]
---@field figures swale.FigureRow[]
---@field cost swale.PaperCost
---@field withdrawn string[]         ids of claims that are left out since the runs
---@field size string
---@field wall_seconds number
---@field command string
---@field dir string

--- What run.json keeps of the judgement, and the report shows.
local function summary_of(found)
  local claims, drawn = {}, {}
  for i, row in ipairs(found.rows) do claims[i] = row end
  for i, figure in ipairs(found.figures) do drawn[i] = figure end
  local cost = found.cost
  return { claims = claims, figures = drawn, title = found.title, citation = found.citation,
    withdrawn = found.withdrawn, command = found.command, runs = cost.runs,
    missing_runs = cost.failed, core_minutes = cost.cpu_seconds / 60,
    measured = { first = cost.first, last = cost.last, machines = cost.machines,
      commits = cost.commits }, batch_seconds = found.wall_seconds }
end

local function run_function(o, found)
  return function(run)
    local runs = runs_of.new(o.plan)
    found.dir = run.dir
    found.rows = judge.judge(o.folder, runs)
    found.figures = figures.draw(o.folder.paper, runs, run.dir)
    found.cost = costs.of(o.plan)
    found.withdrawn = o.plan.size == "full" and costs.withdrawn(found.cost, o.folder.digests) or {}
    run:summary(summary_of(found))
    run:print("%s", text.whole(found, run.info))
  end
end

--- Whether a claim or a figure is broken, which is a fault of the folder, not a result.
local function is_broken(found)
  for _, row in ipairs(found.rows) do if row.verdict == "broken" then return true end end
  for _, figure in ipairs(found.figures) do if figure.broken then return true end end
  return false
end

---Judges the runs of a plan, prints the table, and keeps it as a run.
---@param o swale.JudgementOptions
---@return integer code
---@return swale.Judgement found
function M.run(o)
  local folder, size = o.folder, o.plan.size
  local found = { size = size, name = folder.name, title = folder.paper.title,
    citation = folder.paper.citation, wall_seconds = o.wall_seconds, command = o.command }
  require("swale.run.origin").set { collection = o.collection, claims = folder.digests }
  local code = experiment.experiment { name = folder.name, params = { size = size },
    run = run_function(o, found) }:execute(nil, { script = folder.path .. "/paper.lua",
      argv = o.argv })
  if code == 0 and is_broken(found) then code = 1 end
  return code, found
end

return M
