local curves = require "curves"
local sw = require "swale"

local OTHERS = { "sgd", "nesterov", "adam" }
local WAYS = { "lr", "hybrid", "batch", "none" }
local NAMES = { lr = "decaying rate", hybrid = "hybrid", batch = "increasing batch",
  none = "no annealing" }

-- ------------------------------------------------------------------ figures

--- The four schedules of an optimizer: label and runs.
local function schedules(runs, optimizer, times)
  local list = {}
  for i, by in ipairs(WAYS) do
    list[i] = { NAMES[by], runs:list("schedules", { optimizer = optimizer, by = by,
      times = times or 1 }) }
  end
  return list
end

--- Loss and accuracy of each setting, against epochs and against updates.
local function learning(settings, file)
  local panels = {}
  for _, y in ipairs { { "loss", "training loss" }, { "valid_accuracy", "validation accuracy" } } do
    for _, x in ipairs { "epoch", "step" } do
      panels[#panels + 1] = curves.panel({ y_label = y[2], x_log = x == "step",
        legend = #panels == 0 and "top right" or "none" }, x, y[1], settings)
    end
  end
  sw.plot { file = file, columns = 2, panels = panels }
end

local function coincide(runs, file) learning(schedules(runs, "momentum"), file) end

local function noisy(runs, file)
  local list = schedules(runs, "momentum", 8)
  table.remove(list, 2) -- there is no hybrid
  learning(list, file)
end

local function each_optimizer(runs, file)
  local panels = {}
  for i, optimizer in ipairs { "momentum", table.unpack(OTHERS) } do
    panels[i] = curves.panel({ title = optimizer, y_label = "validation accuracy",
      legend = i == 1 and "bottom right" or "none" }, "epoch", "valid_accuracy",
      schedules(runs, optimizer))
  end
  sw.plot { file = file, columns = 2, panels = panels }
end

--- The four of section 5.2 and, of the larger momentum, one with more epochs.
local function larger(runs)
  local function of(momentum, stretch)
    return runs:list("larger", { rate = 5, momentum = momentum, stretch = stretch, times = 1 })
  end
  local momentum = schedules(runs, "momentum")
  return { { "original", momentum[1][2] }, { "increasing batch", momentum[3][2] },
    { "increased rate", of(0.9, 1) }, { "increased momentum", of(0.98, 1) },
    { "the same, longer", of(0.98, 2) } }
end

local function fewer_updates(runs, file) learning(larger(runs), file) end

local function settings(runs, file)
  local rate = { title = "learning rate", x_label = "epochs", y_log = true, legend = "bottom left" }
  local batch = { title = "batch size", x_label = "epochs", y_log = true, legend = "none" }
  local list = schedules(runs, "momentum")
  list[4] = nil
  for _, s in ipairs { list[1], list[2], list[3], larger(runs)[3], larger(runs)[4] } do
    for y, panel in pairs { lr = rate, batch_size = batch } do
      local series = curves.mean({ s[2][1] }, "epoch", y, s[1])
      if series then series.as, panel[#panel + 1] = "steps", series end
    end
  end
  sw.plot { file = file, columns = 2, panels = { rate, batch } }
end

local function convolutional(runs, file)
  local list = {}
  for i, by in ipairs { "lr", "hybrid", "batch" } do
    list[i] = { NAMES[by], runs:list("cnn", { by = by }) }
  end
  learning(list, file)
end

--- Runs over factors: a panel of a result at each level, the mean over seeds.
local function over(panel, result, series)
  panel.x_log, panel.x_label = true, panel.x_label or "factor of rate and batch at the start"
  for _, s in ipairs(series) do
    local rows, levels = s.rows(result)
    panel[#panel + 1] = curves.levels(rows, levels, s[1])
  end
  return panel
end

--- Training loss and test accuracy of twins, whose noise falls by the same factor, and of starts
--- with ever larger rate and batch.
local function limits(runs, file)
  local twins, starts = {}, {}
  for i, by in ipairs { "lr", "batch" } do
    twins[i] = { NAMES[by], rows = function(result)
      return runs:rows("limits", { by = by, times = 8 }, "factor", nil, result)
    end }
  end
  for i, times in ipairs { 1, 8 } do
    starts[i] = { ("original rate times %d"):format(times), rows = function(result)
      local where = { momentum = 0.9, stretch = 1, times = times }
      return runs:rows("larger", where, "rate", nil, result)
    end }
  end
  local factor = "factor at 30 % of the epochs"
  sw.plot { file = file, columns = 2, panels = {
    over({ y_label = "training loss", x_label = factor, legend = "top left" }, "train_loss", twins),
    over({ y_label = "training loss", legend = "bottom right" }, "train_loss", starts),
    over({ y_label = "test accuracy", x_label = factor, legend = "none" }, "test_accuracy", twins),
    over({ y_label = "test accuracy", legend = "none" }, "test_accuracy", starts),
  } }
end

-- ------------------------------------------------------------------ the paper

local DIGITS = { data = "digits", epochs = 3, batch = 3, hidden = 32 }

return sw.paper {
  title = "Don't decay the learning rate, increase the batch size",
  citation = "Smith, Kindermans, Ying, Le 2018, arXiv 1711.00489",
  work = {
    { "schedules.lua", { optimizer = "momentum", by = "lr" }, seeds = 30, -- as momentum 0.98
      quick = { DIGITS, seeds = 4 } },
    { "schedules.lua", { optimizer = "momentum", by = { "hybrid", "batch", "none" } }, seeds = 10,
      quick = { DIGITS, seeds = 4 } },
    { "schedules.lua", { optimizer = OTHERS, by = { "lr", "batch" } }, seeds = 10,
      quick = { DIGITS, seeds = 4 } },
    { "schedules.lua", { optimizer = OTHERS, by = { "hybrid", "none" } }, seeds = 3,
      quick = { DIGITS, seeds = 2 } },
    { "schedules.lua", { optimizer = "momentum", by = { "lr", "batch", "none" }, times = 8 },
      seeds = 10, quick = { DIGITS, seeds = 4 } },
    { "larger.lua", { rate = { 5, 25, 40, 100 } }, seeds = 10, quick = { DIGITS, seeds = 4 } },
    { "larger.lua", { momentum = 0.98 }, seeds = 30, quick = { DIGITS, seeds = 4 } },
    { "larger.lua", { momentum = 0.98, stretch = 2 }, seeds = 10, quick = { DIGITS, seeds = 4 } },
    { "larger.lua", { rate = { 5, 25 }, times = 8 }, seeds = 10, quick = { DIGITS, seeds = 4 } },
    { "limits.lua", { factor = { 40, 100, 400 }, by = { "lr", "batch" }, times = 8 }, seeds = 10,
      quick = { DIGITS, seeds = 4 } },
    { "limits.lua", { factor = 400, by = { "lr", "batch" } }, seeds = 10,
      quick = { DIGITS, seeds = 4 } },
    { "cnn.lua", { by = { "lr", "hybrid", "batch" } }, seeds = 3, pilot = { {}, seeds = 1 },
      quick = { { data = "digits", examples = 300, epochs = 2, batch = 10, scale = 0.25 },
        seeds = 2 } },
  },
  figures = {
    { "schedules.svg", "Loss and accuracy coincide against epochs; against updates, the growing"
      .. " batch is ahead (momentum; mean over seeds, 95 %)", coincide },
    { "noisy.svg", "The same with a rate 8 times as large", noisy },
    { "optimizers.svg", "Validation accuracy against epochs for each optimizer", each_optimizer },
    { "settings.svg", "Learning rate and batch size of each schedule", settings },
    { "larger.svg", "A larger initial rate or momentum, with a batch as many times larger",
      fewer_updates },
    { "limits.svg", "Where equal noise does not give equal training loss", limits },
    { "cnn.svg", "The schedules of a convolutional network with ghost batch norm", convolutional },
  },
}
