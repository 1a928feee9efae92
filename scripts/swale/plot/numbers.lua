--- The numbers of a series: from tensors, lists and estimates to lists; long curves thinned.
local core = require "swale.core"
local errors = require "swale.errors"
local estimate = require "swale.estimate"

local M = {}

local MOST <const> = 1500 -- points of a line: more than a picture has pixels

local function refuse(where, name, value)
  errors.misuse("%s: %s must be a tensor of one dimension or a list of numbers, not %s", where,
    name, core.type(value) == "tensor" and "a tensor of shape " .. errors.shape_text(value:shape())
    or errors.shown(value))
end

--- Whether a value is a list: a plain table, or an object whose metatable has `__list`.
local function is_list(value)
  if type(value) ~= "table" then return false end
  local meta = getmetatable(value)
  return meta == nil or type(meta) == "table" and rawget(meta, "__list") == true
end

--- The numbers of estimates, and the ends of their intervals.
local function of_estimates(list)
  local value, low, high = {}, {}, {}
  for i, e in ipairs(list) do value[i], low[i], high[i] = e.value, e.low, e.high end
  return value, low, high
end

local function check_each(where, name, list)
  for i, v in ipairs(list) do
    if type(v) ~= "number" then
      errors.misuse("%s: %s[%d] must be a number, not %s", where, name, i, errors.shown(v))
    end
  end
  return list
end

---@param where string
---@param name string
---@param value swale.Tensor|number[]|swale.Estimate[]
---@return number[]
---@return number[]|nil low     of estimates
---@return number[]|nil high
function M.list(where, name, value)
  if core.type(value) == "tensor" then
    if value:ndim() ~= 1 then refuse(where, name, value) end
    return value:to("float64"):table()
  end
  if not is_list(value) then refuse(where, name, value) end
  if estimate.is_estimate(value[1]) then
    for i, e in ipairs(value) do
      if not estimate.is_estimate(e) then
        errors.misuse("%s: %s[%d] must be an estimate as the first, not %s", where, name, i,
          errors.shown(e))
      end
    end
    return of_estimates(value)
  end
  return check_each(where, name, value)
end

---The rows of a surface: z[i][j] is at y[i], x[j].
---@param where string
---@param value swale.Tensor|number[][]
---@return number[][]
function M.grid(where, value)
  if core.type(value) == "tensor" then
    if value:ndim() ~= 2 then
      errors.misuse("%s: z must have two dimensions, (rows, columns), not shape %s", where,
        errors.shape_text(value:shape()))
    end
    return value:to("float64"):table()
  end
  if type(value) ~= "table" or type(value[1]) ~= "table" then
    errors.misuse("%s: z must be a tensor of two dimensions or a list of rows", where)
  end
  for i, row in ipairs(value) do
    if #check_each(where, ("z[%d]"):format(i), row) ~= #value[1] then
      errors.misuse("%s: z[%d] has %d values, z[1] %d", where, i, #row, #value[1])
    end
  end
  return value
end

--- The places of the least and the largest y of rows first to last, in order.
local function extremes(rows, first, last)
  local low, high = first, first
  for i = first, last do
    local y = rows[i][2]
    if y < rows[low][2] then low = i end
    if y > rows[high][2] then high = i end
  end
  return math.min(low, high), math.max(low, high)
end

---Thins a curve { x, y } to the least and the largest y of each group of neighbours, so that no
---spike is lost.
---@param rows number[][]
---@return number[][]
function M.thinned(rows)
  if #rows <= MOST then return rows end
  local group, result = math.ceil(2 * #rows / MOST), { rows[1] }
  for first = 2, #rows - 1, group do
    local a, b = extremes(rows, first, math.min(first + group - 1, #rows - 1))
    result[#result + 1] = rows[a]
    if b ~= a then result[#result + 1] = rows[b] end
  end
  result[#result + 1] = rows[#rows]
  return result
end

---Thins a band { x, low, high } to the outermost ends of each group of neighbours.
---@param rows number[][]
---@return number[][]
function M.thinned_band(rows)
  if #rows <= MOST then return rows end
  local group, result = math.ceil(#rows / MOST), {}
  for first = 1, #rows, group do
    local last, low, high = math.min(first + group - 1, #rows), math.huge, -math.huge
    for i = first, last do
      low, high = math.min(low, rows[i][2]), math.max(high, rows[i][3])
    end
    result[#result + 1] = { rows[first == 1 and 1 or last][1], low, high }
  end
  return result
end

return M
