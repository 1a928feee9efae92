--- The work of a paper at a size: scripts, settings, seeds; and what became of each run.
local core = require "swale.core"
local describe = require "swale.batch.describe"
local errors = require "swale.errors"
local parameters = require "swale.experiment.parameters"
local seeds = require "swale.batch.seeds"
local shown = require "swale.store.shown"

local M = {}

local PILOT_SEED, PILOT_SEEDS = 1000, 3

---@class swale.PaperSetting
---@field params table<string, any>    all, resolved
---@field given table<string, any>     those that paper.lua gives
---@field overrides string[]
---@field seeds integer[]
---@field runs table<integer, string>      by seed: directories
---@field statuses table<integer, string>  by seed

---@class swale.PaperScript
---@field name string
---@field path string
---@field params table<string, any>    declared
---@field settings swale.PaperSetting[]
---@field by_key table<string, swale.PaperSetting>

---@class swale.PaperPlan
---@field size "full"|"quick"|"pilot"
---@field scripts table<string, swale.PaperScript>
---@field absent table<string, string>   scripts that are not run, and why
---@field works swale.Work[]

local function list_of(value)
  local list = {}
  if math.type(value) == "integer" then
    for seed = 1, value do list[seed] = seed end
    return list
  end
  for seed in seeds.each(seeds.parse(value)) do list[#list + 1] = seed end
  return list
end

--- Seeds of the pilot lie apart from those that decide.
local function pilot_seeds(value)
  local list = list_of(value or PILOT_SEEDS)
  if list[1] < PILOT_SEED then
    for i, seed in ipairs(list) do list[i] = seed + PILOT_SEED - 1 end
  end
  return list
end

--- Parameters and seeds of an entry at a size; nil: it is not run.
local function terms(entry, size)
  local other = size ~= "full" and entry[size]
  if size == "quick" and not other then return nil end
  local params = {}
  for name, value in pairs(entry[2] or {}) do params[name] = value end
  for name, value in pairs(other and other[1] or {}) do params[name] = value end
  if size == "pilot" then return params, pilot_seeds(other and other.seeds) end
  return params, list_of(other and other.seeds or entry.seeds)
end

--- Every combination of values; the last name changes fastest.
local function combinations(params)
  local list = { {} }
  for _, name in ipairs(errors.sorted_keys(params)) do
    local longer, values = {}, params[name]
    if type(values) ~= "table" then values = { values } end
    for _, before in ipairs(list) do
      for _, value in ipairs(values) do
        local setting = { [name] = value }
        for other, each in pairs(before) do setting[other] = each end
        longer[#longer + 1] = setting
      end
    end
    list = longer
  end
  return list
end

local function overrides_of(given)
  local words = {}
  for i, name in ipairs(errors.sorted_keys(given)) do
    words[i] = ("%s=%s"):format(name, shown.exact(given[name]))
  end
  return words
end

--- The script of an entry. nil, message: it cannot be loaded.
local function script_of(plan, folder, file)
  local name = file:gsub("%.lua$", "")
  if plan.scripts[name] then return plan.scripts[name] end
  local path = folder .. "/" .. file
  local d = describe.script(path, {})
  if d.fault then return nil, d.fault end
  if d.none or not d.params then return nil, path .. " does not return an experiment" end
  local script = { name = name, path = path, params = d.params, settings = {}, by_key = {} }
  plan.scripts[name] = script
  return script
end

--- The setting of a script, made if it is not there yet. nil, message: the script does not take it.
local function setting_of(script, given)
  local params, message = parameters.resolve(script.params, given, script.path)
  if not params then return nil, message end
  local key = core.json_encode(params)
  local setting = script.by_key[key]
  if not setting then
    setting = { params = params, given = given, overrides = overrides_of(given), seeds = {},
      runs = {}, statuses = {}, has = {} }
    script.by_key[key] = setting
    table.insert(script.settings, setting)
  end
  return setting
end

local function add_work(plan, script, setting, seed)
  if setting.has[seed] then return end
  setting.has[seed] = true
  table.insert(setting.seeds, seed)
  table.insert(plan.works, { script = script.path, overrides = setting.overrides, seed = seed,
    params = setting.params, setting = setting })
end

--- Seeds are outermost, so that work which is ended early has all settings of the first seeds.
local function add_entry(plan, script, params, list)
  local settings = {}
  for i, given in ipairs(combinations(params)) do
    local setting, message = setting_of(script, given)
    if not setting then return nil, message end
    settings[i] = setting
  end
  for _, seed in ipairs(list) do
    for _, setting in ipairs(settings) do add_work(plan, script, setting, seed) end
  end
  return true
end

local function check_only(paper, only)
  local names, seen = {}, {}
  for _, entry in ipairs(paper.work) do
    local name = entry[1]:gsub("%.lua$", "")
    if not seen[name] then names[#names + 1], seen[name] = name, true end
  end
  for _, name in ipairs(names) do if name == only then return true end end
  return nil, ('the paper has no script "%s"%s It has: %s.'):format(only,
    errors.suggestion(only, names), table.concat(names, ", "))
end

---@param folder swale.PaperFolder
---@param size "full"|"quick"|"pilot"
---@param only? string   a script alone
---@return swale.PaperPlan|nil plan, string? message
function M.new(folder, size, only)
  local plan = { size = size, scripts = {}, absent = {}, works = {} }
  only = only and only:gsub("%.lua$", ""):match "[^/]*$"
  if only then
    local ok, message = check_only(folder.paper, only)
    if not ok then return nil, message end
  end
  for _, entry in ipairs(folder.paper.work) do
    local name = entry[1]:gsub("%.lua$", "")
    local params, list = terms(entry, size)
    if only and name ~= only then
      plan.absent[name] = "left out by --only " .. only
    elseif not params then
      plan.absent[name] = "not run at the quick size"
    else
      local script, message = script_of(plan, folder.path, entry[1])
      local ok
      if script then ok, message = add_entry(plan, script, params, list) end
      if not ok then return nil, message end
    end
  end
  for name in pairs(plan.scripts) do plan.absent[name] = nil end
  return plan
end

---Whether all work is done but for runs that diverged, which is a result of theirs.
---@param plan swale.PaperPlan
---@return boolean
function M.is_finished(plan)
  for _, work in ipairs(plan.works) do
    local status = work.setting.statuses[work.seed]
    if status ~= "done" and status ~= "diverged" then return false end
  end
  return true
end

--- Names of parameters of which a script has several values.
local function varied(plan)
  local names = {}
  for _, script in pairs(plan.scripts) do
    for name in pairs(script.params) do
      for _, setting in ipairs(script.settings) do
        if setting.params[name] ~= script.settings[1].params[name] then names[name] = true end
      end
    end
  end
  return errors.sorted_keys(names)
end

---The plan as the work of a batch, which notes what became of each piece.
---@param plan swale.PaperPlan
---@return swale.WorkSource
function M.source(plan)
  local i = 0
  return { total = #plan.works, settings = varied(plan),
    next = function()
      i = i + 1
      return plan.works[i]
    end,
    told = function(work, result)
      work.setting.statuses[work.seed] = result.status
      work.setting.runs[work.seed] = result.status == "done" and result.run or nil
    end }
end

return M
