--- What claims and figures read: the runs of a paper's work, by script, setting and seed.
local class = require "swale.class"
local errors = require "swale.errors"
local results = require "swale.paper.results"
local shown = require "swale.store.shown"
local valued = require "swale.paper.values"
local views = require "swale.store.view"

local M = {}

---@class swale.PaperRuns
---@field size "full"|"quick"|"pilot"
---@field used table<string, swale.RunView>   by directory: the runs that were read since `forget`
local Runs = class.new("runs", { name = "swale.PaperRuns", fields = { "size" } })

---Raised where runs are missing that were not to be run: a claim says so, and is no fault.
---@class swale.MissingRuns
local Missing = { __tostring = function(self) return self.message end }

---@param value any
---@return boolean
function M.is_missing(value) return getmetatable(value) == Missing end

---@param plan swale.PaperPlan
---@return swale.PaperRuns
function M.new(plan)
  return setmetatable({ size = plan.size, plan = plan, known = {}, used = {} }, Runs)
end

---Forgets which runs were read.
---@param runs swale.PaperRuns
function M.forget(runs) runs.used = {} end

-- ------------------------------------------------------------------ settings

local function script_of(self, name)
  local script = self.plan.scripts[name]
  if script then return script end
  local why = self.plan.absent[name]
  if why then error(setmetatable({ message = ("%s: %s"):format(name, why) }, Missing), 0) end
  local names = errors.sorted_keys(self.plan.scripts)
  table.move(errors.sorted_keys(self.plan.absent), 1, 1000, #names + 1, names)
  errors.misuse("runs: paper.lua runs no script %s%s It runs: %s.", errors.shown(name),
    errors.suggestion(name, names), table.concat(names, ", "))
end

local function is_met(setting, where)
  for name, value in pairs(where) do
    if setting.params[name] ~= value then return false end
  end
  return true
end

local function check_where(script, where)
  if type(where) ~= "table" then
    errors.misuse("runs: where must be a table of parameters, such as { lr = 0.1 }, not %s",
      errors.shown(where))
  end
  for name in pairs(where) do
    if script.params[name] == nil then
      errors.misuse("runs: %s has no parameter %s%s", script.path, errors.shown(name),
        errors.suggestion(name, script.params))
    end
  end
end

local function matching(script, where)
  local list = {}
  check_where(script, where)
  for _, setting in ipairs(script.settings) do
    if is_met(setting, where) then list[#list + 1] = setting end
  end
  return list
end

--- The settings of a script in words: the parameters in which they differ.
local function texts_of(script, settings)
  local texts = {}
  for i, setting in ipairs(settings) do
    local words = {}
    for _, name in ipairs(errors.sorted_keys(script.params)) do
      for _, other in ipairs(script.settings) do
        if other.params[name] ~= setting.params[name] then
          words[#words + 1] = ("%s = %s"):format(name, shown.short(setting.params[name]))
          break
        end
      end
    end
    texts[i] = #words > 0 and table.concat(words, ", ") or "all parameters as they are declared"
  end
  return table.concat(texts, "; ")
end

local function where_text(where)
  local words = {}
  for i, name in ipairs(errors.sorted_keys(where)) do
    words[i] = ("%s = %s"):format(name, shown.short(where[name]))
  end
  return "{ " .. table.concat(words, ", ") .. " }"
end

--- The one setting that where names.
local function one(self, name, where)
  local script = script_of(self, name)
  local list = matching(script, where)
  if #list == 1 then return list[1], script end
  errors.misuse("runs: %s of %s; it must be one. There are: %s", #list == 0
    and ("%s names no setting"):format(where_text(where))
    or ("%s names %d settings"):format(where_text(where), #list), name,
    texts_of(script, #list > 0 and list or script.settings))
end

-- ------------------------------------------------------------------ results

--- The view of a run; nil unless it is done.
local function view_of(self, setting, seed)
  local dir = setting.runs[seed]
  if not dir then return nil end
  local view = self.known[dir]
  if view == nil then
    view = views.read(dir) or false
    self.known[dir] = view
  end
  if not view or view.status ~= "done" then return nil end
  self.used[dir] = view
  return view
end

--- Values of a setting by seed.
local function by_seed(self, setting, result)
  local read, values, any, last = results.reader(result), {}, false, nil
  for _, seed in ipairs(setting.seeds) do
    local view = view_of(self, setting, seed)
    local value = view and read(view)
    if view then last = view end
    any = any or value ~= nil and value ~= false
    values[seed] = value or nil
  end
  if last and not any and type(result) == "string" then results.refuse(last, result) end
  return values
end

local function sorted(list)
  local copy = table.move(list, 1, #list, 1, {})
  table.sort(copy)
  return copy
end

-- ------------------------------------------------------------------ what claims call

---The runs of a script that are done, in the order of their seeds, then of the settings.
---@param script string   its name without .lua
---@param where? table<string, any>   parameters that must have these values
---@return swale.RunView[]
function Runs:list(script, where)
  local settings, list = matching(script_of(self, script), where or {}), {}
  local lists = {}
  for i, setting in ipairs(settings) do lists[i] = setting.seeds end
  for _, seed in ipairs(valued.union(lists)) do
    for _, setting in ipairs(settings) do
      list[#list + 1] = view_of(self, setting, seed)
    end
  end
  return list
end

---A result of one setting over its seeds.
---@param script string
---@param where table<string, any>|nil   names one setting
---@param result string|fun(run: swale.RunView): number|nil   "large.sharpness" of run:summary
---@return swale.PaperValues
function Runs:values(script, where, result)
  local setting = one(self, script, where or {})
  local values, asked = by_seed(self, setting, result), sorted(setting.seeds)
  return valued.build(asked, asked, function(seed) return values[seed] end)
end

--- Settings by the value of a parameter, and these values.
local function by_level(script, settings, name)
  local found, levels = {}, {}
  for _, setting in ipairs(settings) do
    local level = setting.params[name]
    if found[level] then
      errors.misuse("runs: for %s = %s there are several settings; where must name all other"
        .. " parameters. There are: %s", name, shown.short(level), texts_of(script, settings))
    end
    found[level], levels[#levels + 1] = setting, level
  end
  table.sort(levels, function(a, b)
    if type(a) ~= type(b) or type(a) == "boolean" then return tostring(a) < tostring(b) end
    return a < b
  end)
  return found, levels
end

local function leveled(self, name, where, parameter)
  local script = script_of(self, name)
  if script.params[parameter] == nil then
    errors.misuse("runs: %s has no parameter %s%s", script.path, errors.shown(parameter),
      errors.suggestion(parameter, script.params))
  end
  local settings = matching(script, where or {})
  if #settings == 0 then
    errors.misuse("runs: %s names no setting of %s. There are: %s", where_text(where or {}), name,
      texts_of(script, script.settings))
  end
  return script, by_level(script, settings, parameter)
end

---A result over the values of a parameter: a row for each seed, a column for each level. A seed
---that lacks a level is left out.
---@param script string
---@param where table<string, any>|nil   names the other parameters
---@param name string        the parameter
---@param levels any[]|nil   its values; all, ascending
---@param result string|fun(run: swale.RunView): number|nil
---@return swale.PaperValues rows, any[] levels
function Runs:rows(script, where, name, levels, result)
  local _, settings, all = leveled(self, script, where, name)
  local columns, asked = {}, {}
  levels = levels or all
  for k, level in ipairs(levels) do
    if not settings[level] then
      errors.misuse("runs: %s has no setting with %s = %s; there are: %s", script, name,
        shown.short(level), shown.short(all))
    end
    columns[k], asked[k] = by_seed(self, settings[level], result), settings[level].seeds
  end
  asked = valued.common(asked)
  local rows = valued.build(asked, asked, function(seed)
    local row = {}
    for k = 1, #levels do row[k] = columns[k][seed] or 0 / 0 end
    return row
  end)
  return rows, levels
end

local function mean(values, seeds)
  local sum, n = 0, 0
  for _, seed in ipairs(seeds) do
    local x = values[seed]
    if type(x) == "number" and x - x == 0 then sum, n = sum + x, n + 1 end
  end
  return sum / n, n == #seeds
end

---The level of a parameter with the best mean over seeds. A level that lacks a seed, because a run
---failed, is only taken if all do. Choose on validation, never on test.
---@param script string
---@param where table<string, any>|nil
---@param name string
---@param result string|fun(run: swale.RunView): number|nil
---@param goal "min"|"max"
---@return any level, number mean
function Runs:best(script, where, name, result, goal)
  if goal ~= "min" and goal ~= "max" then
    errors.misuse('runs:best: the goal must be "min" or "max", not %s', errors.shown(goal))
  end
  local _, settings, levels = leveled(self, script, where, name)
  local best, value, whole
  for _, level in ipairs(levels) do
    local x, complete = mean(by_seed(self, settings[level], result), settings[level].seeds)
    local better = value and (goal == "min" and x < value or goal == "max" and x > value)
    if x == x and (not value or complete and not whole or complete == whole and better) then
      best, value, whole = level, x, complete
    end
  end
  if best == nil then
    error(setmetatable({ message = ("%s: no run is done"):format(script) }, Missing), 0)
  end
  return best, value
end

---Values of several settings or results side by side: a row for each seed that all have.
---@param ... swale.PaperValues
---@return swale.PaperValues rows
function Runs:join(...)
  local lists, asked = { ... }, {}
  for i, values in ipairs(lists) do
    if not valued.is_values(values) then
      errors.misuse("runs:join: %d must be values of runs, not %s", i, errors.shown(values))
    end
    asked[i] = values.asked
  end
  local aligned = valued.aligned(lists)
  return valued.build(aligned.seeds, valued.common(asked), function(_, i)
    local row = {}
    for k = 1, #lists do row[k] = aligned[k][i] end
    return row
  end)
end

return M
