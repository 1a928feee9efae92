--- One experiment of a report: what its runs are judged by, its settings, its results.
local errors = require "swale.errors"
local groups = require "swale.store.groups"
local verdict = require "swale.store.verdict"

local M = {}

---@class swale.ReportSection
---@field name string
---@field views swale.RunView[]
---@field metric string|nil            what the settings are compared by
---@field goal "min"|"max"|nil
---@field why string|nil               why by this, if the experiment does not say
---@field grouped swale.RunGroups
---@field order swale.RunGroup[]       the best one first, those without a value last
---@field best swale.RunGroup|nil
---@field lines string[]               the verdict
---@field results { name: string, grouped: swale.RunGroups }[]   other results of run:summary
---@field constants { name: string, value: any }[]   parameters that all runs share

local RESULTS = 4 -- columns of other results

--- What runs are judged by where their experiment says nothing.
local USUAL = { "valid_loss", "valid_error", "valid_accuracy", "test_loss", "test_error",
  "test_accuracy", "loss" }

-- ------------------------------------------------------------------ the metric

local function any_done(views)
  for _, view in ipairs(views) do if view.status == "done" then return true end end
  return false
end

--- Whether all runs that are done have a result.
local function all_have(views, name)
  for _, view in ipairs(views) do
    if view.status == "done" and not view:value(name) then return false end
  end
  return true
end

--- The objective of the latest run that has one.
local function declared(views)
  for i = #views, 1, -1 do
    if views[i].objective then return views[i].objective end
  end
  return nil
end

--- What the settings are compared by, the goal, and why.
local function chosen(views, o)
  local objective = declared(views)
  if o.objective then
    local same = objective and objective.name == o.objective
    return o.objective, o.goal or same and objective.goal or verdict.usual_goal(o.objective)
  end
  if objective then return objective.name, o.goal or objective.goal end
  if not any_done(views) then return nil, nil, "No run is done yet." end
  for _, name in ipairs(USUAL) do
    if all_have(views, name) then
      return name, o.goal or verdict.usual_goal(name),
        ("The experiment declares no objective; %s is what all its runs have."):format(name)
    end
  end
  return nil, nil, "The experiment declares no objective, and its runs have no usual result in"
    .. " common: --objective NAME chooses one."
end

-- ------------------------------------------------------------------ results

--- Numbers of run:summary, those of most runs first.
local function result_names(views, metric)
  local counts, number = {}, require("swale.store.metrics").number
  for _, view in ipairs(views) do
    for name, value in pairs(view.summary) do
      if name ~= metric and number(value) then counts[name] = (counts[name] or 0) + 1 end
    end
  end
  local names = errors.sorted_keys(counts)
  table.sort(names, function(a, b)
    if counts[a] ~= counts[b] then return counts[a] > counts[b] end
    return a < b
  end)
  return table.move(names, 1, math.min(#names, RESULTS), 1, {})
end

--- Views that have their summaries alone: a result is never looked for in the metrics.
local function by_summary(views)
  local number, list = require("swale.store.metrics").number, {}
  for i, view in ipairs(views) do
    list[i] = setmetatable({ value = function(_, name) return number(view.summary[name]) end },
      { __index = view })
  end
  return list
end

local function results_of(views, metric)
  local list, plain = {}, by_summary(views)
  for i, name in ipairs(result_names(views, metric)) do
    list[i] = { name = name, grouped = groups.of(plain, { metric = name }) }
  end
  return list
end

-- ------------------------------------------------------------------ settings

local function constants_of(views, settings)
  local varies, list = {}, {}
  for _, name in ipairs(settings) do varies[name] = true end
  for _, name in ipairs(errors.sorted_keys(views[1].params)) do
    if not varies[name] then list[#list + 1] = { name = name, value = views[1].params[name] } end
  end
  return list
end

--- Those with values, the best one first; then the others.
local function ordered(grouped)
  local list, seen = groups.ranked(grouped), {}
  for _, group in ipairs(list) do seen[group] = true end
  for _, group in ipairs(grouped) do
    if not seen[group] then list[#list + 1] = group end
  end
  return list
end

local function verdict_lines(self, strategy)
  if not self.metric then return { self.why } end
  local lines = verdict.lines(self.grouped, strategy)
  if lines then return lines end
  return { self.best and verdict.mean_line(self.grouped, self.best)
    or ("no run has a value of %s yet"):format(self.metric) }
end

---@param views swale.RunView[]   of one experiment
---@param o { objective?: string, goal?: "min"|"max", strategy?: table }
---@return swale.ReportSection
function M.new(views, o)
  local self = { name = views[1].experiment, views = views }
  self.metric, self.goal, self.why = chosen(views, o)
  self.grouped = groups.of(views, { metric = self.metric, goal = self.goal })
  self.order = ordered(self.grouped)
  local found = self.metric and groups.best(self.grouped)
  self.best = found and found.best
  self.lines = verdict_lines(self, o.strategy)
  self.results = results_of(views, self.metric)
  self.constants = constants_of(views, self.grouped.settings)
  return self
end

---The runs of several experiments, each by itself, that with the latest run first.
---@param views swale.RunView[]
---@param o table   as of M.new
---@return swale.ReportSection[]
function M.of(views, o)
  local by_name, names = {}, {}
  for i = #views, 1, -1 do
    local name = views[i].experiment
    if not by_name[name] then by_name[name], names[#names + 1] = {}, name end
  end
  for _, view in ipairs(views) do table.insert(by_name[view.experiment], view) end
  local list = {}
  for i, name in ipairs(names) do list[i] = M.new(by_name[name], o) end
  return list
end

return M
