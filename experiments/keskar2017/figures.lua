--- The figures of this folder.
local cells = require "cells"
local sw = require "swale"

local M = {}

local SETTINGS = { { "batch", "Adam, batch norm" }, { "none", "Adam" }, { "sgd", "SGD" } }
local SIDES = { { "small", "small batch" }, { "large", "large batch" } }

local means = sw.stats.means

local function log_means(rows) return means(rows, { log = true }) end

--- Plain numbers, for an x.
local function plain(list)
  local numbers = {}
  for i, e in ipairs(list) do numbers[i] = type(e) == "number" and e or e.value end
  return numbers
end

--- Columns of a field of each run: of run.summary[a], its list b.
local function lists(list, a, b)
  local all = {}
  for i, run in ipairs(list) do
    local value = run.summary
    for part in (a .. "." .. b):gmatch "[^.]+" do value = value[part] end
    all[i] = value
  end
  return all
end

-- ------------------------------------------------------------------ between the minima

local function between(path)
  return function(runs, file)
    local panels = {}
    for _, y in ipairs { "loss", "accuracy" } do
      for _, s in ipairs { SETTINGS[1], SETTINGS[2] } do
        local list = runs:list("pair", cells.pair(runs, s[1]))
        local here = path == "line" and 1 or 2 -- a panel with room
        local panel = { title = y == "loss" and s[2] or nil, y_label = y, y_log = y == "loss",
          x_label = "from small (0) to large batch (1)",
          legend = #panels + 1 == here and "bottom right" or "none" }
        for _, split in ipairs { "train", "test" } do
          local all = lists(list, path, split .. "_" .. y)
          panel[#panel + 1] = { x = list[1].summary[path].alpha, label = split,
            y = y == "loss" and log_means(all) or means(all) }
        end
        panels[#panels + 1] = panel
      end
    end
    sw.plot { file = file, columns = 2, panels = panels }
  end
end

M.line, M.curve = between "line", between "curve"

-- ------------------------------------------------------------------ sharpness

--- Means of a result of both ends in each setting, as bars.
local function bars(runs, result, panel)
  for _, side in ipairs { 2, 1 } do
    local x, y = {}, {}
    for i, s in ipairs(SETTINGS) do
      local both = { cells.both(runs, s[1], result) }
      x[i], y[i] = s[2], math.exp(sw.stats.mean(both[side]:map(math.log)).value)
    end
    panel[#panel + 1] = { x = x, y = y, as = "bars", label = SIDES[3 - side][2] }
  end
  return panel
end

function M.sharpness(runs, file)
  sw.plot { file = file, columns = 2, panels = {
    bars(runs, "sharpness", { title = "full space, 1e-3", y_label = "sharpness", y_log = true,
      legend = "top right" }),
    bars(runs, "subspace", { title = "100 random directions, 1e-3", y_label = "sharpness",
      y_log = true, legend = "none" }),
    bars(runs, "companions.adaptive_l2", { title = "relative to the weights", y_log = true,
      y_label = "rise of the loss", legend = "none" }),
    bars(runs, "train_loss", { title = "training loss", y_label = "loss", y_log = true,
      legend = "none" }),
  } }
end

function M.path(runs, file)
  local panels = {}
  for i, s in ipairs { SETTINGS[1], SETTINGS[2] } do
    local list = runs:list("pair", cells.pair(runs, s[1]))
    local panel = { title = s[2], x_log = true, y_log = true, x_label = "training loss",
      y_label = "sharpness", legend = i == 1 and "top right" or "none" }
    for _, side in ipairs(SIDES) do
      panel[#panel + 1] = { x = plain(log_means(lists(list, side[1], "path.loss"))), as = "both",
        y = log_means(lists(list, side[1], "path.sharpness")), label = side[2] }
    end
    panels[i] = panel
  end
  sw.plot { file = file, columns = 2, panels = panels }
end

-- ------------------------------------------------------------------ over batch sizes, warm-up

local function over_batch(runs, result, panel)
  local rows, levels = cells.by_batch(runs, result)
  panel.x_log, panel.x_label = true, "batch size"
  panel[1] = { x = levels, as = "both", y = panel.y_log and log_means(rows) or means(rows) }
  return panel
end

function M.batch_size(runs, file)
  sw.plot { file = file, columns = 2, panels = {
    over_batch(runs, "test_accuracy", { y_label = "test accuracy" }),
    over_batch(runs, "sharpness", { y_label = "sharpness", y_log = true }),
  } }
end

function M.warm_start(runs, file)
  local list, panels = runs:list "warm_start", {}
  for i, y in ipairs { "test_accuracy", "sharpness" } do
    local log, at, alone, epochs = y == "sharpness", {}, {}, list[1].summary.warm
    for k, run in ipairs(list) do
      at[k], alone[k] = {}, run.summary.small[y]
      for j = 1, #epochs do at[k][j] = run.summary["after" .. j][y] end
    end
    local all = log and log_means(at) or means(at)
    local small = sw.stats.mean(alone).value
    panels[i] = { x_label = "epochs of the small batch before", y_label = y:gsub("_", " "),
      y_log = log, legend = i == 1 and "bottom right" or "none",
      { x = epochs, y = all, as = "both", label = "then the large batch" },
      { y = { small }, as = "horizontal", label = "small batch alone" } }
  end
  sw.plot { file = file, columns = 2, panels = panels }
end

function M.remedies(runs, file)
  local names, panels = { "augmentation", "conservative", "robust" }, {}
  for i, y in ipairs { "test_accuracy", "sharpness" } do
    local log = y == "sharpness"
    local function of(list)
      if log then return math.exp(sw.stats.mean(list:map(math.log)).value) end
      return 1 - sw.stats.mean(list).value
    end
    local large, small = cells.both(runs, "batch", y)
    local x, bars_of = { "none", table.unpack(names) }, { of(large) }
    for k, name in ipairs(names) do
      bars_of[k + 1] = of(runs:values("remedies", { remedy = name }, y))
    end
    panels[i] = { y_label = log and "sharpness" or "test error", y_log = log,
      title = i == 1 and "bars: large batch; line: small batch" or nil, legend = "none",
      { x = x, y = bars_of, as = "bars" }, { y = { of(small) }, as = "horizontal" } }
  end
  sw.plot { file = file, columns = 2, panels = panels }
end

return M
