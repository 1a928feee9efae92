--- Arguments of sw.stats: lists of numbers, and rows of them, a row a seed.
local core = require "swale.core"
local errors = require "swale.errors"
local options = require "swale.options"

local M = {}

---@alias swale.Numbers number[]|swale.Tensor       one a seed, in the same order in each list
---@alias swale.NumberRows number[][]|swale.Tensor  a row a seed, a column a level

--- A tensor as (nested) lists.
local function as_list(where, name, value, ndim)
  if core.type(value) == "tensor" and value:ndim() == ndim then return value:table() end
  if type(value) == "table" then return options.value(where, name, value, "list") end
  errors.misuse("%s: %s must be a list%s or a tensor of %d dimension%s, not %s", where, name,
    ndim == 2 and " of rows" or "", ndim, ndim == 2 and "s" or "", errors.shown(value))
end

---Returns a list of finite numbers.
---@param where string
---@param name string
---@param value swale.Numbers
---@param least integer             how many it must have
---@return number[]
function M.numbers(where, name, value, least)
  local list = {}
  for i, x in ipairs(as_list(where, name, value, 1)) do
    if type(x) ~= "number" or x - x ~= 0 then
      errors.misuse("%s: %s[%d] must be a finite number, not %s; leave a seed without a value out"
        .. " of all lists, and say so", where, name, i, errors.shown(x))
    end
    list[i] = x + 0.0
  end
  if #list < least then
    errors.misuse("%s: %s needs %d values or more, got %d", where, name, least, #list)
  end
  return list
end

---Returns a - b, seed by seed.
---@param where string
---@param a swale.Numbers
---@param b swale.Numbers|number    a number: every a is compared with it
---@return number[]
function M.differences(where, a, b)
  local d = M.numbers(where, "a", a, 1)
  if type(b) == "number" then
    if b - b ~= 0 then errors.misuse("%s: b must be a finite number, not %s", where, b) end
    for i, x in ipairs(d) do d[i] = x - b end
    return d
  end
  local other = M.numbers(where, "b", b, 1)
  if #other ~= #d then
    errors.misuse("%s: a and b are paired by seed: %d and %d values do not pair", where, #d, #other)
  end
  for i, x in ipairs(d) do d[i] = x - other[i] end
  return d
end

---Returns rows of equally many numbers.
---@param where string
---@param name string
---@param value swale.NumberRows
---@param least integer             rows
---@param columns integer           at least so many; or, with exact, so many
---@param exact? boolean
---@return number[][] rows
function M.rows(where, name, value, least, columns, exact)
  local rows = {}
  for i, row in ipairs(as_list(where, name, value, 2)) do
    rows[i] = M.numbers(where, ("%s[%d]"):format(name, i), row, 1)
    local wanted = exact and columns or #rows[1]
    if #rows[i] ~= wanted then
      errors.misuse("%s: %s[%d] has %d values, not %d", where, name, i, #rows[i], wanted)
    end
  end
  if #rows < least then
    errors.misuse("%s: %s needs %d rows or more, one a seed, got %d", where, name, least, #rows)
  elseif #rows[1] < columns then
    errors.misuse("%s: %s needs %d columns or more, got %d", where, name, columns, #rows[1])
  end
  return rows
end

---Returns one column of rows.
---@param rows number[][]
---@param k integer
---@return number[]
function M.column(rows, k)
  local list = {}
  for i, row in ipairs(rows) do list[i] = row[k] end
  return list
end

---Natural logarithms of numbers that must be above 0.
---@param where string
---@param why string       "a ratio is of values above 0"
---@param name string
---@param list number[]
---@return number[]
function M.logarithms(where, why, name, list)
  local logs = {}
  for i, x in ipairs(list) do
    if x <= 0 then errors.misuse("%s: %s; %s[%d] is %g", where, why, name, i, x) end
    logs[i] = math.log(x)
  end
  return logs
end

---Mean and sum of squared deviations.
---@param x number[]
---@return number mean, number squares
function M.moments(x)
  local sum, squares = 0, 0
  for _, v in ipairs(x) do sum = sum + v end
  local mean = sum / #x
  for _, v in ipairs(x) do squares = squares + (v - mean) ^ 2 end
  return mean, squares
end

return M
