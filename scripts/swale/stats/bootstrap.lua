--- The bootstrap: intervals of anything that is computed from independent units.
local core = require "swale.core"
local errors = require "swale.errors"
local options = require "swale.options"
local percentile = require "swale.stats.percentile"

local M = {}

local SPEC = { draws = { "count", 1000 }, level = { "positive", 0.95 }, seed = { "integer", 1 },
  target = "string?", signed = { "boolean", true }, log = { "boolean", false } }

local LEAST_UNITS, MOST_DRAWS = 2, 1e6

local function drawn(units, random)
  local list, n = {}, #units
  for i = 1, n do list[i] = units[1 + math.floor(random:uniform() * n)] end
  return list
end

local function refuse(value)
  errors.misuse("stats.bootstrap: the statistic must give a number or a table of them, not %s",
    errors.shown(value))
end

--- Each quantity's value in each draw; a bare number has the name 1.
local function collect(units, statistic, o)
  local random, all = core.random(o.seed, "stats/bootstrap"), {}
  local function called(list)
    local result = statistic(list)
    local values = type(result) == "table" and not getmetatable(result) and result or { result }
    if next(values) == nil then refuse(result) end
    for _, value in pairs(values) do if type(value) ~= "number" then refuse(value) end end
    return values
  end
  local whole = called(units)
  for name in pairs(whole) do all[name] = {} end
  for _ = 1, o.draws do
    local result = called(drawn(units, random))
    for name, list in pairs(all) do list[#list + 1] = result[name] or core.NAN end
  end
  return whole, all
end

---@class swale.BootstrapOptions
---@field draws? integer        1000
---@field level? number         0.95
---@field seed? integer         1
---@field target? string        what the interval is about
---@field signed? boolean       the quantity can be negative; true
---@field log? boolean          it is positive: the interval is no narrower than that of Student's t
---for its logarithm; false

---Draws units with replacement, as many as there are, and computes a statistic of them, 1,000
---times.
---A unit is what is independent: a seed with all its runs, never a single run of it.
---    local deviation = sw.stats.bootstrap({ 3, 5, 4, 8, 6, 5, 7, 4 }, function(drawn)
---      return sw.stats.mean(drawn).deviation
---    end)
---The interval is the expanded percentile interval, which few units need. Draws whose value is nan
---are counted in the field `failed` and lie at both ends.
---@param units any[]
---@param statistic fun(drawn: any[]): number|table<string, number>   several numbers by name give
---several estimates by name, from the same draws
---@param o? swale.BootstrapOptions
---@return swale.Estimate|table<string, swale.Estimate>
function M.bootstrap(units, statistic, o)
  o = options.check("stats.bootstrap", o, SPEC)
  options.value("stats.bootstrap", "units", units, "list")
  options.value("stats.bootstrap", "statistic", statistic, "function")
  if #units < LEAST_UNITS then
    errors.misuse("stats.bootstrap: needs %d units or more, got %d", LEAST_UNITS, #units)
  elseif o.draws > MOST_DRAWS then
    errors.misuse("stats.bootstrap: draws must be at most %d, not %d", MOST_DRAWS, o.draws)
  elseif o.level >= 1 then
    errors.misuse("stats.bootstrap: level must be above 0 and below 1, not %g", o.level)
  end
  local whole, all = collect(units, statistic, o)
  local estimates = {}
  for name, value in pairs(whole) do
    estimates[name] = percentile.estimate(value, all[name], { level = o.level, units = #units,
      signed = o.signed, log = o.log, target = o.target })
  end
  return estimates[1] or estimates
end

return M
