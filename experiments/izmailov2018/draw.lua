--- The figures of this folder.
local sw = require "swale"

local M = {}

local means = sw.stats.means

local NETS = { cnn = "convolutional network", mlp = "MLP" }

local function runs_of(runs, net) return runs:list("swa", { net = net, whole = true }) end

function M.budgets(runs, file)
  local panels = {}
  for i, net in ipairs { "cnn", "mlp" } do
    local panel = { title = NETS[net], x_label = "budgets", y_label = "test accuracy",
      legend = i == 1 and "top right" or "none" }
    for _, way in ipairs { { "swa", "SWA" }, { "sgd", "SGD" } } do
      local rows, x = {}, {}
      for k, run in ipairs(runs_of(runs, net)) do
        rows[k], x = {}, {}
        for j, name in ipairs { "b100", "b125", "b150" } do
          local at = run.summary[way[1]][name] -- SGD may have had one budget only
          if at then
            x[#x + 1] = 0.75 + 0.25 * j
            rows[k][#x] = at.test_accuracy
          end
        end
      end
      panel[#panel + 1] = { x = x, y = means(rows), as = "both", label = way[2] }
    end
    panels[i] = panel
  end
  sw.plot { file = file, columns = 2, panels = panels }
end

function M.line(runs, file)
  local panels = {}
  for _, net in ipairs { "cnn", "mlp" } do
    local alpha, loss, wrong = {}, {}, {}
    for i, run in ipairs(runs_of(runs, net)) do
      loss[i], wrong[i] = {}, {}
      for k, point in ipairs(run.summary.around.line) do
        alpha[k], loss[i][k], wrong[i][k] = point[1], point[2], 1 - point[5]
      end
    end
    local function panel(label, rows)
      panels[#panels + 1] = { title = NETS[net], x_label = "SWA at 0, SGD at 1", y_label = label,
        legend = "none", { x = alpha, y = means(rows), as = "both" } }
    end
    panel("train loss", loss)
    panel("test error", wrong)
  end
  sw.plot { file = file, columns = 2, panels = panels }
end

function M.rays(runs, file)
  local panels = {}
  for i, net in ipairs { "cnn", "mlp" } do
    local panel = { title = NETS[net], x_label = "distance from the weights", y_log = true,
      x_log = true, y_label = "rise of the train loss", legend = i == 1 and "top left" or "none" }
    for _, which in ipairs { "swa", "sgd" } do
      local x, y = {}, {}
      for k, run in ipairs(runs_of(runs, net)) do
        for _, point in ipairs(k <= 3 and run.summary.around[which].points or {}) do
          if point[2] > 0 and point[3] > 0 then x[#x + 1], y[#y + 1] = point[2], point[3] end
        end
      end
      panel[#panel + 1] = { x = x, y = y, as = "points", label = which:upper() }
    end
    panels[i] = panel
  end
  sw.plot { file = file, columns = 2, panels = panels }
end

--- The plane that a run has drawn.
---@param name "train_loss"|"test_error"
function M.plane(name)
  return function(runs, file)
    for _, run in ipairs(runs_of(runs, "cnn")) do
      local drawn = io.open(("%s/plots/plane_%s.svg"):format(run.dir, name), "rb")
      if drawn then
        local copy = assert(io.open(file, "wb"))
        assert(copy:write(drawn:read "a"))
        assert(copy:close())
        return drawn:close()
      end
    end
    return "nothing to draw: no run of these seeds draws the plane"
  end
end

function M.ensemble(runs, file)
  local x, gap, single = {}, {}, {}
  for i, run in ipairs(runs:list "fge") do
    x[i], gap[i], single[i] = {}, {}, {}
    for k, row in ipairs(run.summary.rows) do
      x[i][k], gap[i][k], single[i][k] = row.distance, row.gap, row.single
    end
  end
  sw.plot { file = file, x_log = true, y_log = true, x_label = "distance of the weights",
    y_label = "distance of the outputs", legend = "top left",
    { x = means(x), y = means(gap), as = "both", label = "average to ensemble" },
    { x = means(x), y = means(single), as = "both", label = "average to one network" } }
end

function M.quadratic(runs, file)
  local list = runs:list "quadratic"
  local n = list[1].summary.sizes
  local panel = { x_log = true, y_log = true, x_label = "captures averaged",
    y_label = "variance / that of one", legend = "bottom left" }
  local inverse = {}
  for k, size in ipairs(n) do inverse[k] = 1 / size end
  for g, group in ipairs(list[1].summary.groups) do
    local rows, formula = {}, {}
    for i, run in ipairs(list) do
      rows[i] = {}
      for k in ipairs(n) do
        rows[i][k] = run.summary.groups[g].measured[k] / group.formula[1]
        formula[k] = group.formula[k] / group.formula[1]
      end
    end
    panel[#panel + 1] = { x = n, y = formula, colour = g }
    panel[#panel + 1] = { x = n, y = means(rows), as = "points", colour = g,
      label = ("correlation %.2g"):format(group.rho) }
  end
  panel[#panel + 1] = { x = n, y = inverse, dash = "dashed", colour = "grey", label = "1 / n" }
  panel.file = file
  sw.plot(panel)
end

return M
