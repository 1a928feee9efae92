--- The averages of a trainer, several side by side, each under a name.
local average = require "swale.average"
local copies = require "swale.copies"
local errors = require "swale.errors"

local M = {}

---@class swale.NamedAverage
---@field name string                 "swa", "ema", "last_k", or the name in the option
---@field average swale.Averaging

local TAKEN = { last = true, best = true }

local function add(list, seen, name, value)
  if not average.is_average(value) then
    errors.misuse("Trainer: average must be an average (sw.average.SWA { … }) or a list of them,"
      .. " not %s", errors.shown(value))
  end
  name = name or value:default_name()
  if TAKEN[name] then
    errors.misuse('Trainer: an average cannot be called "%s": trainer:evaluate "%s" means the %s'
      .. " weights; choose another name: average = { mine = … }", name, name, name)
  end
  if seen[name] then
    errors.misuse('Trainer: two averages are called "%s"; name one: average = { mine = … }', name)
  end
  seen[name] = true
  list[#list + 1] = { name = name, average = value }
end

---Makes a list of the option `average`, which is one average or a table of several. Those without
---names come first.
---@param value swale.Averaging|table|nil
---@return swale.NamedAverage[]
function M.list(value)
  local list, seen = {}, {}
  if value == nil then return list end
  if average.is_average(value) then value = { value } end
  if type(value) ~= "table" or getmetatable(value) then add(list, seen, nil, value) end
  for _, one in ipairs(value) do add(list, seen, nil, one) end
  for _, name in ipairs(errors.sorted_keys(value)) do
    if not tonumber(name) then add(list, seen, name, value[name]) end
  end
  return list
end

---Returns the option with empty averages of the same kinds and options in it.
---@param value swale.Averaging|table|nil
---@return swale.Averaging|table|nil
function M.anew(value)
  if value == nil or average.is_average(value) then return value and value:anew() end
  local copy = {}
  for key, one in pairs(value) do copy[key] = one:anew() end
  return copy
end

---Returns the averages that have captured something.
---@param list swale.NamedAverage[]
---@return swale.NamedAverage[]
function M.with_captures(list)
  local found = {}
  for _, entry in ipairs(list) do
    if entry.average.count > 0 then found[#found + 1] = entry end
  end
  return found
end

---@param list swale.NamedAverage[]
---@return string[]
function M.names(list)
  local names = {}
  for i, entry in ipairs(list) do names[i] = entry.name end
  return names
end

---@param list swale.NamedAverage[]
---@param name string
---@return swale.Averaging|nil
function M.find(list, name)
  for _, entry in ipairs(list) do if entry.name == name then return entry.average end end
  return nil
end

-- ------------------------------------------------------------------ state

local function state_of(one)
  if one.count == 0 then return { count = 0 } end
  return { count = one.count, state = one:state(), carry = one:carry(),
    kept = copies.deep(one.kept) }
end

---Returns copies of the averages' contents, by name.
---@param list swale.NamedAverage[]
---@return table<string, table>
function M.state(list)
  local found = {}
  for _, entry in ipairs(list) do found[entry.name] = state_of(entry.average) end
  return found
end

---Restores what state returned. Averages that are not in it start again.
---@param list swale.NamedAverage[]
---@param saved table<string, table>
function M.restore(list, saved)
  for _, entry in ipairs(list) do
    local from, into = saved[entry.name], entry.average
    into:clear()
    if from and from.count > 0 then
      into:restore(from.state, from.count, from.carry)
      if from.kept then into.kept = copies.deep(from.kept) end
    end
  end
end

return M
