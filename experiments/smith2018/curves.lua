--- Curves over seeds for the figures of this folder.
local sw = require "swale"

local M = {}

--- Columns of the epochs' lines, a table for each run; as long as the shortest.
local function columns(list, x, y)
  local all, n = {}, math.huge
  for i, run in ipairs(list) do
    local m = run:metrics { columns = { x, y } }
    all[i], n = m, math.min(n, #m[y])
  end
  return all, #all > 0 and n or 0
end

---A series for sw.plot: the mean over seeds of a metric at the end of each epoch, of more than 50
---every other one, with its 95 % interval; nil without runs. Runs of one schedule have the same x.
---@param list swale.RunView[]   of one setting
---@param x "epoch"|"step"
---@param y string               "loss" (of the training), "valid_accuracy", "lr", …
---@param label string
---@return swale.SeriesOptions|nil
function M.mean(list, x, y, label)
  local all, n = columns(list, x, y)
  if n == 0 then return nil end
  local xs, means = {}, {}
  for i = 1, n, n > 50 and 2 or 1 do
    local values = {}
    for k, m in ipairs(all) do values[k] = m[y][i] end
    xs[#xs + 1] = all[1][x][i]
    means[#means + 1] = #values > 1 and sw.stats.mean(values) or values[1]
  end
  return { x = xs, y = means, label = label }
end

---A series of the mean over seeds at each level of a parameter.
---@param rows number[][]   a row for each seed, a column for each level
---@param levels number[]
---@param label string
---@return swale.SeriesOptions
function M.levels(rows, levels, label)
  return { x = levels, y = sw.stats.means(rows), as = "both", label = label }
end

---A panel of such series.
---@param panel swale.PanelOptions    title, labels, …
---@param x "epoch"|"step"
---@param y string
---@param settings { [1]: string, [2]: swale.RunView[] }[]   label, runs
---@return swale.PanelOptions
function M.panel(panel, x, y, settings)
  panel.x_label = panel.x_label or (x == "epoch" and "epochs" or "updates")
  for _, s in ipairs(settings) do panel[#panel + 1] = M.mean(s[2], x, y, s[1]) end
  return panel
end

return M
