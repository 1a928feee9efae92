--- The figures of this folder.
local sw = require "swale"

local M = {}

local means = sw.stats.means

--- A list in the summary of each run, such as "along.top", as rows; the shortest length counts.
local function rows_of(runs, name)
  local rows, n = {}, math.huge
  for i, run in ipairs(runs) do
    local list = run.summary
    for part in name:gmatch "[^.]+" do list = list[part] end
    rows[i], n = list, math.min(n, #list)
  end
  for i, row in ipairs(rows) do rows[i] = { table.unpack(row, 1, n) } end
  return rows
end

local function curve(runs, x, y, label)
  local xs = rows_of(runs, x)[1]
  return { x = xs, y = means(rows_of(runs, y)), label = label }
end

---Over the share of the training, since the batches see unequally many examples.
function M.edge(runs, file)
  local panels = {}
  for i, y in ipairs { "top", "sharpness" } do
    local panel = { x_label = "share of the training", y_label = y == "top"
      and "largest eigenvalue / (2 / lr)" or "batch sharpness / (2 / lr)", y_range = { 0, 2 },
      legend = i == 1 and "top right" or "none" }
    for _, batch in ipairs { 0, 64, 16, 8 } do
      local list = runs:list("edge", { batch = batch })
      local rows, x = rows_of(list, "along." .. y), {}
      for k = 1, #rows[1] do x[k] = k / #rows[1] end
      panel[#panel + 1] = { x = x, y = means(rows),
        label = batch == 0 and "full batch" or "batch " .. batch }
    end
    panel[#panel + 1] = { y = { 1 }, as = "horizontal", colour = "grey", dash = "dashed" }
    panels[i] = panel
  end
  sw.plot { file = file, columns = 2, panels = panels }
end

function M.hoffer(runs, file)
  local methods = { "small", "large", "rate", "ghost", "adapted" }
  local rows = runs:rows("hoffer", {}, "method", methods, "test.accuracy")
  local bars = { title = "corrections add up", y_label = "test accuracy", x_label = "method",
    legend = "none", { x = methods, y = means(rows), as = "both" } }
  local path = { x_log = true, x_label = "updates", y_label = "distance from the start",
    legend = "top left" }
  for _, method in ipairs { "small", "large", "adapted" } do
    path[#path + 1] = curve(runs:list("hoffer", { method = method }), "at", "distance", method)
  end
  sw.plot { file = file, columns = 2, panels = { bars, path } }
end

--- A result of each batch size at the rate that is best by `chosen`.
local function tuned(runs, batches, chosen, result)
  local columns = {}
  for k, batch in ipairs(batches) do
    local lr = runs:best("shallue", { batch = batch }, "lr", chosen, "min")
    columns[k] = runs:values("shallue", { batch = batch, lr = lr }, result)
  end
  return runs:join(table.unpack(columns))
end

function M.shallue(runs, file)
  local batches = { 8, 16, 32, 128, 512 }
  local branches, factors = rows_of(runs:list("critical"), "losses"), {}
  for k = 1, #branches[1] - 1 do factors[k] = 8 * 2 ^ (k - 1) end
  sw.plot { file = file, columns = 3, panels = {
    { x_log = true, y_log = true, x_label = "batch size", y_label = "updates to the target",
      legend = "none", { x = batches,
        y = means(tuned(runs, batches, "steps_to_target", "steps_to_target")), as = "both" } },
    { x_log = true, x_label = "batch size", y_label = "best test accuracy", legend = "none",
      { x = batches, y = means(tuned(runs, batches, "best_valid_loss", "test.accuracy")),
        as = "both" } },
    { x_log = true, x_label = "batch size", y_label = "train loss after a branch",
      legend = "none", { x = factors, y = { table.unpack(means(branches), 1, #factors) },
        as = "both" } },
  } }
end

function M.scaling(runs, file)
  local panels = {}
  for i, optimizer in ipairs { "sgd", "adam" } do
    local list = runs:list("scaling", { optimizer = optimizer })
    local panel = { title = optimizer, x_label = "epochs", y_label = "validation loss",
      legend = i == 1 and "top right" or "none" }
    for _, rule in ipairs { { "base", "batch 16" }, { "linear", "linear" }, { "sqrt", "root" } } do
      local rows, x = rows_of(list, "curve." .. rule[1]), {}
      for k = 1, #rows[1] do x[k] = k end
      panel[#panel + 1] = { x = x, y = means(rows), label = rule[2] }
    end
    panels[i] = panel
  end
  sw.plot { file = file, columns = 2, panels = panels }
end

--- Points with names: the test losses of some results. With the name of a parameter, each result is
--- at the level that is best on validation.
local function named(runs, script, title, results, choose)
  local names, columns = {}, {}
  for k, r in ipairs(results) do
    local where = choose and { [choose] = runs:best(script, {}, choose, r[2] .. ".valid.loss",
      "min") } or {}
    names[k], columns[k] = r[1], runs:values(script, where, r[2] .. ".test.loss")
  end
  return { title = title, y_label = "test loss", legend = "none", { x = names, as = "both",
    y = means(runs:join(table.unpack(columns))) } }
end

function M.late(runs, file)
  sw.plot { file = file, columns = 3, panels = {
    named(runs, "averages", "constant rate", { { "last", "constant.last" },
      { "EMA", "constant.ema" }, { "LAWA", "constant.lawa" }, { "SWA", "constant.swa" },
      { "decayed", "decayed.last" } }, "lr"),
    named(runs, "wsd", "4 epochs", { { "constant", "of_100.constant" },
      { "merged", "of_100.merged" }, { "cooled", "of_100.cooled" },
      { "cosine", "of_100.cosine" } }, "lr"),
    named(runs, "seesaw", "Adam", { { "constant", "constant" }, { "cosine", "cosine" },
      { "Seesaw", "seesaw" }, { "batch only", "batch_only" } }),
  } }
end

function M.svag(runs, file)
  local panels = {}
  for i, lr in ipairs { 0.02, 0.16, 0.32 } do
    local columns, names = {}, { "1", "2", "4", "8" }
    for k, l in ipairs(names) do
      columns[k] = runs:values("svag", { lr = lr }, ("l%s.train_loss"):format(l))
    end
    panels[i] = { title = ("lr %g"):format(lr), x_label = "l", y_label = "train loss",
      legend = "none", { x = names, y = means(runs:join(table.unpack(columns))), as = "both" } }
  end
  sw.plot { file = file, columns = 3, panels = panels }
end

return M
