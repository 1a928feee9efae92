--- Runs by setting: the parameters that differ among them, and means over seeds. Forks, and runs
--- that were resumed with other parameters, are settings of their own.
local errors = require "swale.errors"
local options = require "swale.options"

local M = {}

---@class swale.RunGroup
---@field settings table<string, any>   the varied parameters of these runs
---@field text string                   "lr = 0.1, batch = 32"; "all runs" where nothing varies
---@field experiment string
---@field runs swale.RunView[]          all of them, whatever their status, in the order given
---@field counts table<string, integer> of each status
---@field values table<integer, number> by seed: of runs that are done and have a finite value
---@field seeds integer[]               of these values, ascending
---@field missing integer               runs that are done without a finite value of the metric
---@field repeats integer               runs that are done whose setting and seed have a later one
---@field latest table<integer, swale.RunView>   by seed, the last run that is done
---@field n integer                     number of values
---@field mean number|nil               nil without values
---@field interval swale.Estimate|nil   the mean with its interval, by sw.stats.mean

---@class swale.RunGroups
---@field metric string|nil
---@field goal "min"|"max"|nil
---@field settings string[]             names of the varied parameters; "experiment" may be first
---@field [integer] swale.RunGroup      in the order of their first runs

-- ------------------------------------------------------------------ settings

--- A text that two values share only if they are equal; 1 and 1.0 are one setting.
local function exact(value)
  if value == nil then return "-" end
  if type(value) == "number" then return ("%.17g"):format(value) end
  return type(value) .. ":" .. require("swale.core").json_encode(value)
end

---A value of a setting in words.
---@param value any
---@return string
function M.shown(value)
  if value == nil then return "-" end
  if math.type(value) == "float" then
    local short = ("%.6g"):format(value)
    return tonumber(short) == value and short or require("swale.core").json_encode(value)
  end
  if type(value) == "table" then return require("swale.core").json_encode(value) end
  return require("swale.table").plain(tostring(value))
end

local HISTORY = "run history" -- no parameter: names of these have no spaces

---A parameter of a run, or its history.
---@param view swale.RunView
---@param name string   of M.varied
---@return any
function M.param(view, name)
  if name == HISTORY then return view.history end
  return view.params[name]
end

---Returns the names of the parameters that differ among runs, sorted; "run history" is the last one
---if that differs.
---@param views swale.RunView[]
---@return string[]
function M.varied(views)
  local names, first = {}, views[1]
  local seen = {}
  for _, view in ipairs(views) do for name in pairs(view.params) do seen[name] = true end end
  local all = errors.sorted_keys(seen)
  all[#all + 1] = HISTORY
  for _, name in ipairs(all) do
    local value = first and exact(M.param(first, name))
    for _, view in ipairs(views) do
      if exact(M.param(view, name)) ~= value then
        names[#names + 1] = name
        break
      end
    end
  end
  return names
end

local function several_experiments(views)
  for _, view in ipairs(views) do
    if view.experiment ~= views[1].experiment then return true end
  end
  return false
end

local function setting_of(view, names)
  local settings, words, key = {}, {}, { exact(view.experiment) }
  for _, name in ipairs(names) do
    local value = M.param(view, name)
    settings[name] = value
    key[#key + 1] = exact(value)
    if value ~= nil then
      words[#words + 1] = name == HISTORY and value or name .. " = " .. M.shown(value)
    end
  end
  return table.concat(key, "\0"), settings, words
end

local function new_group(view, settings, words, with_experiment)
  if with_experiment then table.insert(words, 1, view.experiment) end
  return { settings = settings, text = #words > 0 and table.concat(words, ", ") or "all runs",
    experiment = view.experiment, runs = {}, counts = {}, values = {}, seeds = {}, missing = 0,
    repeats = 0, n = 0 }
end

-- ------------------------------------------------------------------ values

--- The last run of each seed that is done; the others are repeats.
local function of_seeds(group)
  local latest = {}
  for _, run in ipairs(group.runs) do
    if run.status == "done" and run.seed then
      local before = latest[run.seed]
      if before then group.repeats = group.repeats + 1 end
      if not before or run.started >= before.started then latest[run.seed] = run end
    end
  end
  return latest
end

local function add_values(group, metric)
  for seed, run in pairs(group.latest) do
    local value = run:value(metric)
    if value and value - value == 0 then
      group.values[seed] = value
      table.insert(group.seeds, seed)
    else
      group.missing = group.missing + 1
    end
  end
  table.sort(group.seeds)
  group.n = #group.seeds
end

local function values_of(group, seeds)
  local list = {}
  for i, seed in ipairs(seeds or group.seeds) do list[i] = group.values[seed] end
  return list
end

local function counted(n) return ("%d seed%s"):format(n, n > 1 and "s" or "") end

local function add_mean(group, metric)
  if group.n == 0 then return end
  group.interval = require("swale.stats").mean(values_of(group),
    { target = ("the mean %s over %s"):format(metric, counted(group.n)) })
  group.mean = group.interval.value
end

local OPTIONS = { metric = "string?", goal = { choice = { "min", "max" } } }

---Groups runs by experiment and by the parameters that differ among them. Runs that are not done
---are counted, never averaged.
---@param views swale.RunView[]
---@param o? { metric?: string, goal?: "min"|"max" }   metric: of run:summary or of epochs; nil:
---that of the first run's objective
---@return swale.RunGroups
function M.of(views, o)
  o = options.check("groups.of", o, OPTIONS)
  local objective = views[1] and views[1].objective
  local metric = o.metric or objective and objective.name
  local same = objective and metric == objective.name
  local result = { metric = metric, goal = o.goal or same and objective.goal or nil, settings = {} }
  if #views == 0 then return result end
  local names, by_key, mixed = M.varied(views), {}, several_experiments(views)
  for _, view in ipairs(views) do
    local key, settings, words = setting_of(view, names)
    local group = by_key[key]
    if not group then
      group = new_group(view, settings, words, mixed)
      by_key[key] = group
      result[#result + 1] = group
    end
    table.insert(group.runs, view)
    group.counts[view.status] = (group.counts[view.status] or 0) + 1
  end
  result.settings = mixed and table.move(names, 1, #names, 2, { "experiment" }) or names
  for _, group in ipairs(result) do
    group.latest = of_seeds(group)
    if metric then
      add_values(group, metric)
      add_mean(group, metric)
    end
  end
  return result
end

-- ------------------------------------------------------------------ comparing

--- The seeds that both have.
local function shared(a, b)
  local seeds = {}
  for _, seed in ipairs(a.seeds) do
    if b.values[seed] then seeds[#seeds + 1] = seed end
  end
  return seeds
end

---The mean difference a - b over the seeds that both have; nil where they share none.
---@param a swale.RunGroup
---@param b swale.RunGroup
---@return swale.Estimate|nil difference, integer n
function M.paired(a, b)
  local seeds = shared(a, b)
  if #seeds == 0 then return nil, 0 end
  return require("swale.stats").paired(values_of(a, seeds), values_of(b, seeds),
    { target = "the mean difference over " .. counted(#seeds) }), #seeds
end

---The groups that have values, the best one first; equal ones stay in their order.
---@param groups swale.RunGroups
---@param goal? "min"|"max"   that of the groups; "min" where they have none
---@return swale.RunGroup[]
function M.ranked(groups, goal)
  local sign, places, list = (goal or groups.goal) == "max" and -1 or 1, {}, {}
  for i, group in ipairs(groups) do
    if group.n > 0 then list[#list + 1] = group end
    places[group] = i
  end
  table.sort(list, function(a, b)
    if a.mean ~= b.mean then return sign * a.mean < sign * b.mean end
    return places[a] < places[b]
  end)
  return list
end

local ALPHA <const> = 0.025 -- of a one-sided test: its interval is the two-sided one of 95 %

--- Those that the best one is not surely better than: by paired tests with Holm's correction.
--- Fewer than two shared seeds tell nothing.
local function not_told(best, others, goal)
  local stats, open, tested, findings = require "swale.stats", {}, {}, {}
  for _, other in ipairs(others) do
    local seeds = shared(best, other)
    if #seeds < 2 then
      open[other] = true
    else
      local a, b = values_of(other, seeds), values_of(best, seeds)
      if goal == "max" then a, b = b, a end
      findings[#findings + 1] = stats.greater(a, b, { alpha = ALPHA })
      tested[#tested + 1] = other
    end
  end
  for i, found in ipairs(#findings > 0 and stats.holm(findings, { alpha = ALPHA }) or {}) do
    if found.verdict ~= "held" then open[tested[i]] = true end
  end
  local list = {}
  for _, other in ipairs(others) do if open[other] then list[#list + 1] = other end end
  return list
end

--- Settings with values of all seeds, and those with fewer: their mean may be that of lucky seeds.
local function split(groups, list)
  local most, whole, incomplete, ranked = 0, {}, {}, {}
  for _, group in ipairs(list) do most = math.max(most, group.n) end
  for _, group in ipairs(list) do if group.n == most then whole[#whole + 1] = group end end
  for _, group in ipairs(whole) do ranked[group] = true end
  for _, group in ipairs(groups) do
    if not ranked[group] then incomplete[#incomplete + 1] = group end
  end
  return whole, incomplete
end

---@class swale.BestSetting
---@field best swale.RunGroup
---@field next? swale.RunGroup
---@field difference? swale.Estimate   best - next, over the seeds that both have
---@field open swale.RunGroup[]        those that it cannot be told from
---@field incomplete swale.RunGroup[]  that have values of fewer seeds, and are not compared

---The best setting, how far the next one is, and which it cannot be told from.
---@param groups swale.RunGroups
---@param goal? "min"|"max"
---@return swale.BestSetting|nil   nil: there are no values
function M.best(groups, goal)
  local whole, incomplete = split(groups, M.ranked(groups, goal))
  if #whole == 0 then return nil end
  local best, others = whole[1], table.move(whole, 2, #whole, 1, {})
  return { best = best, next = others[1], incomplete = incomplete,
    difference = others[1] and M.paired(best, others[1]) or nil,
    open = not_told(best, others, goal or groups.goal or "min") }
end

return M
