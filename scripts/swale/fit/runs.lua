--- Runs to a target as columns: one column a seed, with a cell for each batch size and rate. A run
--- that did not reach the target in its steps is censored: it takes more than those.
local core = require "swale.core"
local errors = require "swale.errors"
local options = require "swale.options"

local M = {}

---@class swale.RunRow
---@field batch number
---@field lr number
---@field seed integer
---@field steps integer        to the target; where it was not reached, the steps made
---@field examples? number     batch * steps, if the batch did not change
---@field reached boolean
---@field target? number       the loss, where rows have several

---@class swale.Runs
---@field batches number[]               increasing
---@field cells { batch: integer, lr: number }[]   batch: its place in batches
---@field rates number[][]               of each batch, increasing
---@field columns { [integer]: number, open: table<integer, boolean> }[]   log(steps) of each cell
---@field seeds integer
---@field names integer[]                the seed of each column
---@field deviation number               of log(steps) within a cell

local FIELDS = { batch = "positive", lr = "positive", seed = "integer", steps = "positive",
  reached = "boolean" }

local function check_row(where, i, row)
  options.value(where, ("rows[%d]"):format(i), row, "table")
  for _, name in ipairs(errors.sorted_keys(FIELDS)) do
    options.value(where, ("rows[%d].%s"):format(i, name), row[name], FIELDS[name])
  end
  local examples = row.examples
  if examples and math.abs(examples - row.batch * row.steps) > row.batch then
    errors.misuse("%s: rows[%d] has %g examples, but %g steps of %g are %g: a run to be fitted has"
      .. " one batch size", where, i, examples, row.steps, row.batch, row.batch * row.steps)
  end
end

--- The rows of one target.
local function of_target(where, rows, target)
  local list, seen = {}, {}
  for i, row in ipairs(rows) do
    check_row(where, i, row)
    if row.target ~= nil then seen[("%g"):format(row.target)] = true end
    if target == nil or row.target == nil or row.target == target then list[#list + 1] = row end
  end
  local targets = errors.sorted_keys(seen)
  if target == nil and #targets > 1 then
    errors.misuse("%s: the rows have several targets (%s); choose one: target = %s", where,
      table.concat(targets, ", "), targets[1])
  elseif #list == 0 then
    errors.misuse("%s: no row has the target %s", where, errors.shown(target))
  end
  return list
end

local function sorted_values(set)
  local list = {}
  for value in pairs(set) do list[#list + 1] = value end
  table.sort(list)
  return list
end

--- The cells, by batch and rate, and the place of each.
local function cells_of(rows)
  local by_batch = {}
  for _, row in ipairs(rows) do
    local rates = by_batch[row.batch] or {}
    by_batch[row.batch], rates[row.lr] = rates, true
  end
  local batches, cells, place, rates = sorted_values(by_batch), {}, {}, {}
  for b, batch in ipairs(batches) do
    rates[b], place[batch] = sorted_values(by_batch[batch]), {}
    for _, lr in ipairs(rates[b]) do
      cells[#cells + 1] = { batch = b, lr = lr }
      place[batch][lr] = #cells
    end
  end
  return batches, cells, rates, place
end

local function columns_of(where, rows, place)
  local columns = {}
  for _, row in ipairs(rows) do
    local column, c = columns[row.seed] or { open = {} }, place[row.batch][row.lr]
    if column[c] then
      errors.misuse("%s: two runs of batch %g, lr %g, seed %d", where, row.batch, row.lr, row.seed)
    end
    columns[row.seed], column[c], column.open[c] = column, math.log(row.steps), not row.reached
  end
  return columns
end

local function check_complete(where, columns, batches, cells)
  for _, seed in ipairs(sorted_values(columns)) do
    for c, cell in ipairs(cells) do
      if not columns[seed][c] then
        errors.misuse("%s: seed %d has no run of batch %g, lr %g; a seed is drawn with all its"
          .. " runs, so each needs all of them (a run that failed is one with reached = false)",
          where, seed, batches[cell.batch], cell.lr)
      end
    end
  end
end

local NO_DEVIATION = 1e-6 -- where all seeds agree

--- The deviation of log(steps) within cells that every seed reached; without such, of the runs that
--- did.
local function deviation_of(columns, cells)
  local function pooled(all)
    local squares, degrees = 0, 0
    for c = 1, #cells do
      local sum, n, square = 0, 0, 0
      for _, column in ipairs(columns) do
        if not column.open[c] then
          sum, n, square = sum + column[c], n + 1, square + column[c] ^ 2
        end
      end
      if n > 1 and (n == #columns or not all) then
        squares, degrees = squares + math.max(0, square - sum * sum / n), degrees + n - 1
      end
    end
    return degrees > 0 and math.sqrt(squares / degrees) or nil
  end
  return math.max(pooled(true) or pooled(false) or 0, NO_DEVIATION)
end

---Sorts rows into columns; raises for those that do not make a full table.
---@param where string
---@param rows swale.RunRow[]
---@param target number|nil
---@return swale.Runs
function M.of(where, rows, target)
  options.value(where, "rows", rows, "list")
  local list = of_target(where, rows, target)
  local batches, cells, rates, place = cells_of(list)
  local by_seed = columns_of(where, list, place)
  check_complete(where, by_seed, batches, cells)
  local columns, names = {}, sorted_values(by_seed)
  for i, seed in ipairs(names) do columns[i] = by_seed[seed] end
  return { batches = batches, cells = cells, rates = rates, columns = columns, seeds = #columns,
    names = names, deviation = deviation_of(columns, cells) }
end

-- ------------------------------------------------------------------ one cell

---phi(z) / Phi(-z): how far a normal value above z lies above 0, on average.
---@param z number
---@return number
function M.mean_above(z)
  if z > 30 then return z + 1 / z end
  return math.exp(-0.5 * z * z) / math.sqrt(2 * math.pi) / core.normal_cdf(-z)
end

--- The mean of normal values of a known deviation, some of which are only known to be above their
--- bound: maximum likelihood, by Newton's method (the likelihood is concave).
local function censored_mean(reached, sum, bounds, deviation)
  local mean, n = sum, reached
  for _, bound in ipairs(bounds) do mean, n = mean + bound, n + 1 end
  mean = mean / n
  for _ = 1, 50 do
    local slope, curvature = (sum - reached * mean) / deviation, reached
    for _, bound in ipairs(bounds) do
      local z = (bound - mean) / deviation
      local h = M.mean_above(z)
      slope, curvature = slope + h, curvature + h * (h - z)
    end
    local step = deviation * slope / curvature
    mean = mean + step
    if math.abs(step) < 1e-10 * deviation then break end
  end
  return mean
end

---@class swale.RunCell
---@field lr number
---@field mean number       of log(steps); infinite if no run reached the target
---@field reached integer
---@field sum number        of log(steps) of these
---@field bounds number[]   log(steps) of the others
---@field index integer     its place among the cells

---One cell over some columns.
---@param runs swale.Runs
---@param columns table[]
---@param c integer
---@return swale.RunCell
function M.cell(runs, columns, c)
  local sum, reached, bounds = 0, 0, {}
  for _, column in ipairs(columns) do
    if column.open[c] then
      bounds[#bounds + 1] = column[c]
    else
      sum, reached = sum + column[c], reached + 1
    end
  end
  local mean = reached == 0 and math.huge
    or #bounds == 0 and sum / reached or censored_mean(reached, sum, bounds, runs.deviation)
  return { lr = runs.cells[c].lr, mean = mean, reached = reached, sum = sum, bounds = bounds,
    index = c }
end

local function lowest_bound(cell)
  local sum = 0
  for _, bound in ipairs(cell.bounds) do sum = sum + bound end
  return sum
end

--- Whether a is the better cell: fewer steps; if none reached the target, the weaker bound.
local function better(a, b)
  if a.mean ~= b.mean then return a.mean < b.mean end
  return a.mean == math.huge and lowest_bound(a) < lowest_bound(b)
end

---The cell of the best rate of each batch size.
---@param runs swale.Runs
---@param columns table[]    those drawn
---@return swale.RunCell[]
function M.best(runs, columns)
  local best = {}
  for c, cell in ipairs(runs.cells) do
    local one = M.cell(runs, columns, c)
    if not best[cell.batch] or better(one, best[cell.batch]) then best[cell.batch] = one end
  end
  return best
end

return M
