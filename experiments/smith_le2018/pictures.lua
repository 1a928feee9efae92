--- The figures of this folder: means over seeds, with 95 % intervals from 3 seeds on.
local setting = require "setting"
local sw = require "swale"

local M = {}

--- The mean of values with its interval. Student's t of 2 values would hide the others.
local function mean(list)
  if #list > 2 then return sw.stats.mean(list) end
  local value = #list == 2 and (list[1] + list[2]) / 2 or list[1]
  return sw.estimate { value = value, low = value, high = value }
end

--- A series of points { x, y } of many runs: at each x the mean of y; nil without points.
local function series(o, points)
  local by, x, y = {}, {}, {}
  for _, p in ipairs(points) do
    if not by[p[1]] then
      by[p[1]] = {}
      x[#x + 1] = p[1]
    end
    table.insert(by[p[1]], p[2])
  end
  table.sort(x)
  for i, at in ipairs(x) do y[i] = mean(by[at]) end
  if #x == 0 then return nil end
  o.x, o.y = x, y
  return o
end

--- Points of the lists in summaries: entries of `list` for which `take` gives x and y.
local function collect(found, list, take)
  local points = {}
  for _, run in ipairs(found) do
    for _, entry in ipairs(run.summary[list]) do
      local x, y = take(entry)
      if x and y then points[#points + 1] = { x, y } end
    end
  end
  return points
end

local function add(panel, o, points) panel[#panel + 1] = series(o, points) end

function M.evidence(runs, file)
  local panels = {
    { x_label = "lambda", y_label = "log evidence ratio to the null model", x_log = true,
      legend = "bottom right" },
    { x_label = "lambda", y_label = "test loss", x_log = true, y_log = true, legend = "none" },
    { x_label = "lambda", y_label = "train accuracy", x_log = true, legend = "none" },
    { x_label = "lambda", y_label = "test accuracy", x_log = true, legend = "none" } }
  local names = { "log_ratio", "test_loss", "train_accuracy", "test_accuracy" }
  for _, labels in ipairs { "true", "random" } do
    for i, name in ipairs(names) do
      add(panels[i], { label = labels .. " labels" }, collect(runs:list("evidence",
        { labels = labels }), "points", function(p) return p.lambda, p[name] end))
    end
  end
  sw.plot { file = file, columns = 2, panels = panels }
end

function M.updates(runs, file)
  local panels = {}
  for _, lr in ipairs { 0.03, 1.0 } do
    for _, y in ipairs { { "test_accuracy", "test accuracy" }, { "test_loss", "test loss" } } do
      local panel = { title = ("rate %g"):format(lr), x_label = "updates", x_log = true,
        y_label = y[2], y_log = y[1] == "test_loss",
        legend = #panels == 0 and "bottom right" or "none" }
      for _, which in ipairs { { "small", "B = 30" }, { "full", "B = N" } } do
        add(panel, { label = which[2] }, collect(runs:list("updates", { lr = lr }), which[1],
          function(p) return p.update, p[y[1]] end))
      end
      panels[#panels + 1] = panel
    end
  end
  sw.plot { file = file, columns = 2, panels = panels }
end

local RATES <const> = { 0.01, 0.03, 0.1, 0.3 }
local MOMENTA <const> = { 0, 0.5, 0.8, 0.9, 0.95 }
local TOP <const> = { 0.7, 0.82 } -- of the accuracies of cells near a peak

local function over_batch(panel, found, label, name, all)
  add(panel, { label = label, as = "both" }, collect(found, "cells", function(c)
    if not c.counts and not all then return nil end
    return c.batch, c[name]
  end))
end

local function of(runs, changes) return runs:list("curve", setting.where(runs, changes)) end

function M.batch(runs, file)
  local panels = {}
  for i, y in ipairs { { "test_accuracy", "test accuracy, cells that count", TOP },
    { "test_accuracy", "test accuracy, all cells" }, { "train_accuracy", "train accuracy" },
    { "dead", "dead units" } } do
    panels[i] = { x_label = "batch size", x_log = true, y_label = y[2], y_range = runs.size
      ~= "quick" and y[3] or nil, legend = i == 2 and "bottom right" or "none" }
    for _, lr in ipairs(RATES) do
      over_batch(panels[i], of(runs, { lr = lr }), ("rate %g"):format(lr), y[1], i > 1)
    end
  end
  sw.plot { file = file, columns = 2, panels = panels }
end

--- The best batch sizes over one parameter, and a line of slope 1 through their middle; nil if no
--- seed has them all.
local function optimum(runs, lr, name, levels, x_of, label)
  local rows, found = runs:rows("curve", setting.where(runs, { lr = lr }, name), name, levels,
    setting.b_opt)
  local panel = { x_label = label, y_label = "best batch size", x_log = true, y_log = true,
    title = name ~= "lr" and ("rate %g"):format(lr) or nil, legend = "none" }
  if #rows == 0 then return nil end
  local x, y, sum = {}, {}, 0
  for k, level in ipairs(found) do
    local column = {}
    for i, row in ipairs(rows) do column[i] = row[k] end
    x[k], y[k] = x_of(level), mean(column)
    for _, b in ipairs(column) do sum = sum + math.log(b / x[k]) / (#column * #found) end
  end
  panel[1] = { x = x, y = y, as = "both" }
  panel[2] = { x = { x[1], x[#x] }, y = { x[1] * math.exp(sum), x[#x] * math.exp(sum) },
    dash = "dashed", colour = "grey" }
  return panel
end

function M.optimum(runs, file)
  local function same(x) return x end
  local function of_momentum(m) return 1 / (1 - m) end
  local panels = {}
  for _, o in ipairs { { 0.1, "lr", RATES, same, "learning rate" },
    { 0.1, "momentum", { 0, 0.5, 0.8, 0.9 }, of_momentum, "1 / (1 - momentum)" },
    { 0.03, "n", nil, same, "training examples" }, { 0.1, "n", nil, same, "training examples" } } do
    panels[#panels + 1] = optimum(runs, table.unpack(o, 1, 5))
  end
  if #panels == 0 then return "no seed has a best batch size in each setting" end
  sw.plot { file = file, columns = 2, panels = panels }
end

function M.collapse(runs, file)
  local panels = {}
  for i, sweep in ipairs { { "rate", "lr", RATES }, { "momentum", "momentum",
    MOMENTA } } do
    panels[i] = { x_label = "noise scale g", y_label = "test accuracy, cells that count",
      x_log = true, y_range = runs.size ~= "quick" and TOP or nil, legend = "bottom left" }
    for _, level in ipairs(sweep[3]) do
      add(panels[i], { label = ("%s %g"):format(sweep[1], level), as = "both" },
        collect(of(runs, { [sweep[2]] = level }), "cells", function(c)
          return c.counts and not c.collapsed and c.g > 0 and c.g, c.test_accuracy
        end))
    end
  end
  sw.plot { file = file, columns = 2, panels = panels }
end

function M.controls(runs, file)
  local panels = {}
  for i, y in ipairs { "test_accuracy", "train_accuracy" } do
    panels[i] = { x_label = "batch size", x_log = true, y_label = y:gsub("_", " "),
      y_range = i == 1 and runs.size ~= "quick" and TOP or nil,
      legend = i == 1 and "bottom right" or "none" }
    for _, c in ipairs { { "main setting", {} }, { "tanh", { activation = "tanh" } },
      { "independent draws", { sampler = "independent" } }, { "width 800", { width = 800 } } } do
      over_batch(panels[i], of(runs, c[2]), c[1], y, true)
    end
  end
  sw.plot { file = file, columns = 2, panels = panels }
end

return M
