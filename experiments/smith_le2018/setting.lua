--- The settings of curve.lua that claims and figures name, and what they read from its runs.
local M = {}

---The number of training examples of all settings but those over N.
function M.examples(runs) return runs.size == "quick" and 200 or 1000 end

--- A setting: that of the rate 0.1, with changes; `none` lists parameters to leave out.
function M.where(runs, changes, without)
  local o = { n = M.examples(runs), lr = 0.1, momentum = 0.9, width = 200, activation = "relu",
    sampler = "shuffle" }
  for name, value in pairs(changes or {}) do o[name] = value end
  if without then o[without] = nil end
  return o
end

---The best batch size of a run; nil if too few of its cells count.
---@return number|nil
function M.b_opt(run) return run.summary.b_opt end

---The cell of a batch size, if it counts and is not collapsed; else nil.
---@return table|nil
function M.cell(run, batch)
  for _, c in ipairs(run.summary.cells) do
    if c.batch == batch and c.counts and not c.collapsed then return c end
  end
  return nil
end

---The accuracies of some batch sizes, if all of them count.
---@return number[]|nil
function M.row(run, batches)
  local row = {}
  for i, batch in ipairs(batches) do
    local c = M.cell(run, batch)
    if not c then return nil end
    row[i] = c.test_accuracy
  end
  return row
end

---The test accuracy at a noise scale g: a straight line in log g between two neighbours
---that count and are not collapsed; nil outside.
---@return number|nil
function M.at_noise(run, g)
  local before
  for _, c in ipairs(run.summary.cells) do -- from large g to small
    if not c.counts or c.collapsed or c.g <= 0 then
      before = nil
    elseif c.g <= g and before and before.g >= g then
      local part = math.log(g / c.g) / math.log(before.g / c.g)
      return c.test_accuracy + part * (before.test_accuracy - c.test_accuracy)
    else
      before = c
    end
  end
  return nil
end

---The root mean square difference of test accuracies of two settings at some noise scales, by seed.
---@param scales number[]
function M.distance(runs, one, other, scales)
  local function row(run)
    local list = {}
    for i, g in ipairs(scales) do
      list[i] = M.at_noise(run, g)
      if not list[i] then return nil end
    end
    return list
  end
  return runs:values("curve", M.where(runs, one), row):with(
    runs:values("curve", M.where(runs, other), row), function(a, b)
      local sum = 0
      for i in ipairs(scales) do sum = sum + (a[i] - b[i]) ^ 2 end
      return math.sqrt(sum / #scales)
    end)
end

---The test accuracy of the batch size that is best on validation, mean over seeds, and of B = N.
function M.best_and_full(runs, where)
  local n, sums, counts = where.n, {}, {}
  for _, run in ipairs(runs:list("curve", where)) do
    for _, c in ipairs(run.summary.cells) do
      if c.counts and not c.collapsed and c.batch < n then
        sums[c.batch] = (sums[c.batch] or 0) + c.valid_accuracy
        counts[c.batch] = (counts[c.batch] or 0) + 1
      end
    end
  end
  local best, most = nil, 0
  for batch, sum in pairs(sums) do
    local whole = counts[batch] == #runs:list("curve", where)
    if whole and sum / counts[batch] > most then best, most = batch, sum / counts[batch] end
  end
  local function of(batch)
    return runs:values("curve", where, function(run)
      local c = batch and M.cell(run, batch)
      return c and c.test_accuracy
    end)
  end
  return of(best), of(n), best
end

return M
