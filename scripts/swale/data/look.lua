--- The values of a data set's tensors: their range, and those that are not finite.
local ops = require "swale.ops"

local M = {}

local CHUNK = 1000 -- rows at a time

---@class swale.Look
---@field least number          NaNs aside
---@field most number
---@field bad integer           values that are NaN or infinite
---@field example integer?      the example of the first of them
---@field place integer?        its position in that example
---@field value number?

local function first_bad(rows)
  for i, row in ipairs(rows:table()) do
    for k, v in ipairs(row) do if v - v ~= 0 then return i, k, v end end
  end
end

local function add(look, rows, first)
  look.least = math.min(look.least, ops.min(rows):item())
  look.most = math.max(look.most, ops.max(rows):item())
  local bad = rows:numel() - ops.sum(ops.eq(rows - rows, 0)):item()
  if bad > 0 and look.bad == 0 then
    local i, k, v = first_bad(rows)
    look.example, look.place, look.value = first + i - 1, k, v
  end
  look.bad = look.bad + math.tointeger(bad)
end

---@param t swale.Tensor         (N, …)
---@return swale.Look
function M.at(t)
  local look, columns = { least = math.huge, most = -math.huge, bad = 0 }, t:numel() // #t
  for first = 1, #t, CHUNK do
    local few = t:narrow(1, first, math.min(CHUNK, #t - first + 1))
    add(look, few:contiguous():to("float64"):reshape { -1, columns }, first)
  end
  return look
end

---"3 values are not finite; the first is nan, value 2 of example 7"; nil where all are finite.
---@param t swale.Tensor|nil     (N, …)
---@return string|nil
function M.faults(t)
  if not t or not t:dtype():find "^float" or t:numel() == 0 then return nil end
  local look = M.at(t)
  if look.bad == 0 then return nil end
  local value = look.value ~= look.value and "nan" or tostring(look.value)
  return ("%d value%s not finite; the first is %s, value %d of example %d"):format(look.bad,
    look.bad == 1 and " is" or "s are", value, look.place, look.example)
end

---Of a split's x and y: "x: 1 value is not finite; …"; nil where all are finite.
---@param split swale.Split
---@return string|nil
function M.split(split)
  for _, name in ipairs { "x", "y" } do
    local faults = M.faults(split[name])
    if faults then return ("%s: %s"):format(name, faults) end
  end
  return nil
end

return M
