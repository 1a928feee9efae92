--- Values over seeds, or rows of them: ordinary lists that know the seed of each entry.
local errors = require "swale.errors"

local M = {}

---@class swale.PaperValues   a list; [i] is of seeds[i]: a number, or a row of numbers
---@field seeds integer[]
---@field asked integer[]     the seeds that were to be run
---@field map fun(self: swale.PaperValues, f: fun(x: any, seed: integer): any): swale.PaperValues
---@field with fun(self: swale.PaperValues, b: swale.PaperValues, f: fun(x: any, y: any,
---seed: integer): any): swale.PaperValues

local methods = {}

---Whether x can be an entry: a finite number, or a row of them.
---@param x any
---@return boolean
function M.is_entry(x)
  if type(x) == "number" then return x - x == 0 end
  if type(x) ~= "table" or #x == 0 then return false end
  for _, each in ipairs(x) do
    if type(each) ~= "number" or each - each ~= 0 then return false end
  end
  return true
end

---@param value any
---@return boolean
function M.is_values(value)
  local meta = type(value) == "table" and getmetatable(value)
  return type(meta) == "table" and meta.__name == "swale.PaperValues"
end

--- The seeds are not keys of the list itself, which sw.stats and sw.plot take as any other; the
--- latter by the mark `__list`.
---@param list any[]
---@param seeds integer[]
---@param asked integer[]
---@return swale.PaperValues
function M.new(list, seeds, asked)
  local fields = { seeds = seeds, asked = asked, map = methods.map, with = methods.with }
  return setmetatable(list, { __name = "swale.PaperValues", __list = true, __index = fields })
end

---Makes values from a function of the seed; what is nil or not finite is left out.
---@param seeds integer[]
---@param asked integer[]
---@param f fun(seed: integer, i: integer): any
---@return swale.PaperValues
function M.build(seeds, asked, f)
  local list, kept = {}, {}
  for i, seed in ipairs(seeds) do
    local x = f(seed, i)
    if M.is_entry(x) then list[#list + 1], kept[#kept + 1] = x, seed end
  end
  return M.new(list, kept, asked)
end

---f(x) of each entry. Nothing else is passed: math.log would take it for a base.
function methods.map(self, f)
  return M.build(self.seeds, self.asked, function(_, i) return f(self[i]) end)
end

---f(x, y) of the entries of both, on the seeds that both have.
function methods.with(self, b, f)
  if not M.is_values(b) then
    errors.misuse("values:with: b must be values of runs, not %s", errors.shown(b))
  end
  local a, asked = M.aligned { self, b }, M.common { self.asked, b.asked }
  return M.build(a.seeds, asked, function(_, i) return f(a[1][i], a[2][i]) end)
end

---All seeds of some lists, ascending.
---@param lists integer[][]
---@return integer[]
function M.union(lists)
  local set, all = {}, {}
  for _, list in ipairs(lists) do
    for _, seed in ipairs(list) do
      if not set[seed] then set[seed], all[#all + 1] = true, seed end
    end
  end
  table.sort(all)
  return all
end

---The seeds that all lists have, ascending.
---@param lists integer[][]
---@return integer[]
function M.common(lists)
  local counts, all = {}, {}
  for _, list in ipairs(lists) do
    for _, seed in ipairs(list) do counts[seed] = (counts[seed] or 0) + 1 end
  end
  for seed, count in pairs(counts) do
    if count == #lists then all[#all + 1] = seed end
  end
  table.sort(all)
  return all
end

---Plain lists of the entries on the seeds that all have.
---@param list swale.PaperValues[]
---@return any[][]   with the field seeds
function M.aligned(list)
  local places, lists, result = {}, {}, {}
  for k, values in ipairs(list) do
    places[k], lists[k], result[k] = {}, values.seeds, {}
    for i, seed in ipairs(values.seeds) do places[k][seed] = i end
  end
  result.seeds = M.common(lists)
  for k, values in ipairs(list) do
    for i, seed in ipairs(result.seeds) do result[k][i] = values[places[k][seed]] end
  end
  return result
end

return M
