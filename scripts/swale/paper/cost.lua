--- What the runs of a paper took; their days, machines and commits.
local text = require "swale.paper.text"
local views = require "swale.store.view"

local M = {}

---@class swale.PaperCost
---@field runs integer              that are done
---@field failed integer            that are not
---@field cpu_seconds number       the sum over runs
---@field without_cpu integer       runs whose record has none
---@field commits table<string, integer>
---@field dirty integer             runs of a work tree with changes
---@field first string|nil          the day on which the first run began: "2026-11-28"
---@field last string|nil
---@field machines table<string, integer>   in words; how many runs
---@field declared table<string, true>   ids of claims that runs were to decide

local function add_place(cost, info)
  local day, machine = tostring(info.started):match "^%d+%-%d+%-%d+", info.machine
  if day then
    cost.first = cost.first and cost.first < day and cost.first or day
    cost.last = cost.last and cost.last > day and cost.last or day
  end
  local cores = type(machine) == "table" and math.tointeger(tonumber(machine.cores))
  if cores then
    local name = text.machine { cores = cores, cpu = machine.cpu and tostring(machine.cpu) }
    cost.machines[name] = (cost.machines[name] or 0) + 1
  end
end

local function add(cost, info)
  cost.runs = cost.runs + 1
  cost.cpu_seconds = cost.cpu_seconds + (tonumber(info.cpu_seconds) or 0)
  if not info.cpu_seconds then cost.without_cpu = cost.without_cpu + 1 end
  if type(info.commit) == "string" then
    cost.commits[info.commit] = (cost.commits[info.commit] or 0) + 1
  end
  if info.dirty then cost.dirty = cost.dirty + 1 end
  add_place(cost, info)
  local of = type(info.claims) == "table" and info.claims.of
  for id in pairs(type(of) == "table" and of or {}) do cost.declared[id] = true end
end

---@param plan swale.PaperPlan
---@return swale.PaperCost
function M.of(plan)
  local cost = { runs = 0, failed = 0, cpu_seconds = 0, without_cpu = 0, commits = {}, dirty = 0,
    machines = {}, declared = {} }
  for _, work in ipairs(plan.works) do
    local dir = work.setting.runs[work.seed]
    local view = dir and views.read(dir)
    if view then add(cost, view.info) else cost.failed = cost.failed + 1 end
  end
  return cost
end

---Claims that runs were to decide and that are claims no more: leaving one out changes the
---correction of all others.
---@param cost swale.PaperCost
---@param digests swale.ClaimDigests
---@return string[] ids
function M.withdrawn(cost, digests)
  local list = {}
  for id in pairs(cost.declared) do if not digests.of[id] then list[#list + 1] = id end end
  table.sort(list)
  return list
end

return M
