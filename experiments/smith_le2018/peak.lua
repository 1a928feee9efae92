--- Where the test accuracy is highest over the batch size: the peak is flat, so a parabola in log B
--- is fitted to the cells around it.
local sw = require "swale"

local M = {}

local EACH_SIDE <const> = 3

--- Means of each value and its neighbours.
local function smoothed(y)
  local means = {}
  for i = 1, #y do
    local sum, count = 0, 0
    for k = math.max(1, i - 1), math.min(#y, i + 1) do sum, count = sum + y[k], count + 1 end
    means[i] = sum / count
  end
  return means
end

local function highest(y)
  local best = 1
  for i = 2, #y do if y[i] > y[best] then best = i end end
  return best
end

--- Of the parabola through points by least squares, where its maximum is within them; else nil.
local function vertex(x, y)
  local rows, middle = {}, (x[1] + x[#x]) / 2
  for i, v in ipairs(x) do rows[i] = { (v - middle) ^ 2, v - middle, 1 } end
  local c = sw.linalg.lstsq(sw.tensor(rows, "float64"), sw.tensor(y, "float64"))
  local a, b = c:get(1), c:get(2)
  if a >= 0 then return nil end
  return math.max(x[1], math.min(x[#x], middle - b / (2 * a)))
end

---The batch size of the highest test accuracy. Cells that do not count, or are collapsed, are left
---out. A parabola is fitted over log B to three cells on each side of the one whose mean with its
---neighbours is highest; the result is within these cells. Nil of fewer than 3 cells.
---@param cells table[]
---@return number|nil
function M.of(cells)
  local x, y = {}, {}
  for _, c in ipairs(cells) do
    if c.counts and not c.collapsed then
      x[#x + 1], y[#y + 1] = math.log(c.batch), c.test_accuracy
    end
  end
  if #x < 3 then return nil end
  local at = highest(smoothed(y))
  local first, last = math.max(1, at - EACH_SIDE), math.min(#x, at + EACH_SIDE)
  local near_x, near_y = table.move(x, first, last, 1, {}), table.move(y, first, last, 1, {})
  return math.exp(vertex(near_x, near_y) or x[at])
end

return M
