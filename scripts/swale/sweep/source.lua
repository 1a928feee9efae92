--- The work of a sweep. A strategy is a function of the space and of `ask`, which takes settings
--- and returns their results when every run of them has ended; it runs as a coroutine. Results are
--- in the order of the settings, so what a strategy does never depends on which run ends first, and
--- a sweep that is started again asks for the same.
local objectives = require "swale.run.objective"

local M = {}

---@class swale.SweepResult
---@field setting swale.Setting
---@field value number|nil        the mean of the objective over seeds; nil unless all are done, as
---that of the seeds which happen to end well flatters
---@field mean number|nil         the mean over those that are
---@field values table<integer, number>   by seed, of the runs that are done and have one
---@field failed integer          runs that are not done, or have no finite value of the objective
---@field statuses table<integer, string> by seed
---@field runs table<integer, string>     by seed: directories

---@alias swale.SweepAsk fun(settings: swale.Setting[]): swale.SweepResult[]
---@alias swale.SweepStrategy fun(space: swale.SweepSpace, ask: swale.SweepAsk)

local Source = {}
Source.__index = Source

-- ------------------------------------------------------------------ results

local function value_of(space, result)
  if result.status ~= "done" or not space.objective then return nil end
  local info = result.info
  local value = info and objectives.number(info.objective, "value")
  return value and value - value == 0 and value or nil
end

--- Sums in the order of the seeds, so that the bits do not depend on which run ended first.
local function conclude(self, entry)
  local sum, n = 0, 0
  for _, seed in ipairs(self.space.seeds) do
    local value = entry.values[seed]
    if value then sum, n = sum + value, n + 1 end
  end
  if n > 0 then entry.mean = sum / n end
  if entry.failed == 0 then entry.value = entry.mean end
end

local function told(self, work, result)
  local entry = self.entries[work.place]
  local value = value_of(self.space, result)
  entry.statuses[work.seed], entry.runs[work.seed] = result.status, result.run
  entry.values[work.seed] = value
  self.stopped = self.stopped or result.stopped
  if result.status ~= "done" or self.space.objective and not value then
    entry.failed = entry.failed + 1
  end
  self.open = self.open - 1
  if self.open > 0 then return end
  for _, each in ipairs(self.entries) do conclude(self, each) end
end

-- ------------------------------------------------------------------ asking

local function resume(self, ...)
  local ok, settings = coroutine.resume(self.strategy, ...)
  if not ok then
    self.problem = require("swale.errors").failure(settings)
    return nil
  end
  return coroutine.status(self.strategy) ~= "dead" and settings or nil
end

--- Takes the settings that the strategy asks for.
local function take(self, settings)
  self.settings, self.entries, self.asked = settings, {}, 0
  for i, setting in ipairs(settings) do
    self.entries[i] = { setting = setting, values = {}, statuses = {}, runs = {}, failed = 0 }
  end
  self.open = #settings * #self.space.seeds
end

--- Seeds are outermost: a sweep that is ended early has all settings with its first seeds.
local function next_work(self)
  local n, k = #self.settings, self.asked
  self.asked, self.given = k + 1, self.given + 1
  local seed, place = self.space.seeds[k // n + 1], k % n + 1
  local setting = self.settings[place]
  return { script = self.space.script, overrides = self.space:overrides(setting), seed = seed,
    params = self.space:params(setting), place = place }
end

local function advance(self)
  while true do
    if self.ended then return nil end
    if self.asked < #self.settings * #self.space.seeds then return next_work(self) end
    if self.given == self.total then return nil end
    if self.open > 0 then return "wait" end
    if self.stopped then return nil end -- what a strategy asks for next depends on results
    local settings = resume(self, self.entries)
    if not settings then
      self.ended = true
      return nil
    end
    take(self, settings)
  end
end

--- The function that a strategy calls: one setting or a list of them.
local function asker(space)
  return function(settings)
    if type(settings) ~= "table" then
      error("ask takes a setting such as { lr = 0.1 }, or a list of them", 2)
    end
    local single = settings[1] == nil and next(settings) ~= nil
    local list = {}
    for i, setting in ipairs(single and { settings } or settings) do
      local complete, message = space:complete(setting)
      if not complete then error("ask: " .. message, 2) end
      list[i] = complete
    end
    local results = coroutine.yield(list)
    return single and results[1] or results
  end
end

---@param space swale.SweepSpace
---@param strategy swale.SweepStrategy
---@param o { total: integer?, strategy: table }   strategy: for the record
---@return swale.WorkSource   with `problem`, what went wrong in the strategy
function M.new(space, strategy, o)
  local self = setmetatable({ space = space, settings = {}, entries = {}, asked = 0, open = 0,
    given = 0, total = o.total }, Source)
  self.strategy = coroutine.create(function() strategy(space, asker(space)) end)
  local source = { total = o.total, settings = space:varied(), strategy = o.strategy }
  function source.next() return advance(self) end
  function source.told(work, result) told(self, work, result) end
  function source.problem() return self.problem end
  return source
end

return M
