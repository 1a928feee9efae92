--- Which settings a sweep runs: all of a grid, draws, successive halving, or what a Lua file asks
--- for.
local errors = require "swale.errors"

local M = {}

---@class swale.SweepPlan
---@field strategy swale.SweepStrategy
---@field total integer|nil     runs
---@field record table          how the settings are chosen, for collection.json

--- The settings to begin with: the grid, or draws.
local function first_settings(space, random)
  if random then return space:draws(random) end
  local list = {}
  for i = 1, space:count() do list[i] = space:at(i) end
  return list
end

local function base_record(space, random)
  if random then return { kind = "random", draws = random, seed = space.seed } end
  return { kind = "grid" }
end

---Every combination of the lists, or draws.
---@param space swale.SweepSpace
---@param random integer|nil
---@return swale.SweepPlan
function M.flat(space, random)
  local list = first_settings(space, random)
  return { strategy = function(_, ask) ask(list) end, total = #list * #space.seeds,
    record = base_record(space, random) }
end

-- ------------------------------------------------------------------ halving

---@class swale.Rungs
---@field name string        the parameter that is the length of a run
---@field values number[]    ascending

--- How many settings each rung has: the share that is kept is the inverse of the ratio of lengths,
--- so that every rung costs about the same.
local function sizes_of(n, values)
  local sizes = { n }
  for k = 2, #values do
    sizes[k] = math.max(1, math.ceil(sizes[k - 1] * values[k - 1] / values[k] - 1e-9))
  end
  return sizes
end

--- The best settings first: fewer failed runs, then the better mean; equal ones in their order.
local function ranked(results, goal)
  local places, list = {}, table.move(results, 1, #results, 1, {})
  for i, result in ipairs(list) do places[result] = i end
  local better = require("swale.run.objective").better
  table.sort(list, function(a, b)
    if a.failed ~= b.failed then return a.failed < b.failed end
    if better(goal, a.mean, b.mean) then return true end
    if better(goal, b.mean, a.mean) then return false end
    return places[a] < places[b]
  end)
  return list
end

local function with_length(setting, rungs, k)
  local copy = {}
  for name, value in pairs(setting) do copy[name] = value end
  copy[rungs.name] = rungs.values[k]
  return copy
end

--- The settings that go on, in their order of before. One whose runs all failed does not.
local function survivors(results, n, goal)
  local kept, list = {}, {}
  for i, result in ipairs(ranked(results, goal)) do
    if i <= n and result.mean then kept[result] = true end
  end
  for _, result in ipairs(results) do
    if kept[result] then list[#list + 1] = result.setting end
  end
  return list
end

---Successive halving (Jamieson and Talwalkar 2016), rung by rung. A longer run begins anew: a
---schedule that follows the length of the run would differ.
---@param space swale.SweepSpace
---@param random integer|nil
---@param rungs swale.Rungs
---@return swale.SweepPlan
function M.halving(space, random, rungs)
  local list = first_settings(space, random)
  local sizes, total = sizes_of(#list, rungs.values), 0
  for _, n in ipairs(sizes) do total = total + n * #space.seeds end
  local record = base_record(space, random)
  record = { kind = "halving", from = record, parameter = rungs.name, rungs = rungs.values,
    sizes = sizes }
  return { total = total, record = record, strategy = function(_, ask)
    local settings = list
    for k = 1, #rungs.values do
      local asked = {}
      for i, setting in ipairs(settings) do asked[i] = with_length(setting, rungs, k) end
      local results = ask(asked)
      settings = sizes[k + 1] and survivors(results, sizes[k + 1], space.objective.goal) or {}
    end
  end }
end

-- ------------------------------------------------------------------ a file

---Loads a strategy: a file that returns a function of the space and ask.
---@param path string
---@return swale.SweepPlan|nil plan, string? message
function M.file(path)
  local text, problem = require("swale.folders").read(path)
  local chunk
  if text then chunk, problem = load(text, "@" .. path, "t") end
  if not chunk then return nil, problem end
  local ok, found = pcall(chunk, path)
  if not ok then return nil, errors.failure(found) end
  if type(found) ~= "function" then
    return nil, ("%s: returns %s; it should return function(space, ask) … end"):format(path,
      errors.shown(found))
  end
  return { strategy = found, record = { kind = "file", path = path, text = text } }
end

return M
