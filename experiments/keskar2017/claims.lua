-- What Keskar et al. 2017 claim, and the tests that decide it here. "Sharper" is by metric 2.1, at
-- least 3 times, where the paper has 9 to 223 times. A gap that matters is half a point of test
-- accuracy, 3 % of the error; the paper's least, 0.2 points (F1), is 11 % of its error. The margin
-- of the training accuracy, 2 points, is the paper's greatest difference, 1.6 (F2), rounded up.
-- Where the paper has no number (best rates, rescaling), the question is the order alone: more than
-- 1 times. The pilot had the seeds 1000 and 1001, some cells of it with 100 epochs in place of 60.
local cells = require "cells"
local sw = require "swale"

local SHARPER, GAP = 3, 0.005
local MLP = "784-128-128-10, N = 5,000, Fashion-MNIST; batch 500 against 32, 60 epochs"
local HERE = { batch = MLP .. ", batch norm, Adam at 0.001", none = MLP .. ", Adam at 0.001",
  sgd = MLP .. ", SGD with momentum 0.9, the rates that are best on validation: 0.1 and 0.01" }
local NAMES = { batch = "Adam, batch norm", none = "Adam, no batch norm",
  sgd = "SGD, no batch norm, best rates" }
local UPDATES = "15 epochs of batch 32, 234 of batch 500; else as above"
local COLUMNS = "the law of the columns of A: N(0, 1) here"

--- What the pilot said, large over small batch; two seeds where no number is given.
local POWER = {
  accuracy_batch = "0.8 points, 0.7 to 0.9", accuracy_none = "-0.5 points, -0.6 to -0.5",
  sharper_batch = "23 and 22 times", sharper_none = "36 and 5.5 times; 12 seeds give .6 at .05/31",
  sharper_sgd = "1.8 and 2.3 times after 100 epochs: expected not to hold",
  sharper_sgd_03 = "means 73 and 2.6 after 100 epochs: expected to hold",
  sharper_half = "19 times, 122 after 100 epochs", sharper_subspace = "19, 183 after 100",
  sharper_subspace_half = "14, 119 after 100",
  sharper_loss_batch = "16, 104 after 100", sharper_loss_none = "10 and 4.4 times",
  sharper_updates = "one: 21 times",
  invariant_batch = "0.62 (100 epochs) and 1.2 times", invariant_none = "38 and 1.7 times",
  tuned_batch = "106 and 28 times", tuned_none = "8 and 1.8 times",
  gap_batch = "one: 0.4 points; 12 seeds tell 0 from 0.5 points at an s.d. of 0.4",
  gap_none = "of single iterates: 0.9 and -0.5 points",
  gap_tuned_batch = "of single iterates: 0.6 and 0.3 points",
  gap_tuned_none = "of single iterates: 0.4 and -1.4 points",
  distance_batch = "3.6 times, 4.9 after 100 epochs",
  distance_none = "2.4 and 2.5 times: expected not to hold",
  line_batch = "1.2; 1.8 after 100 epochs", line_none = "0.41 and 0.45",
  path_large = "0.67; 0.5 after 100 epochs", path_small = "-0.1; 0.2 after 100 epochs",
  warm_sharpness = "47 times, 300 after 100 epochs", warm_accuracy = "1.5 and 1.3 points",
  warm_few = "1.5 and 0.94 times", threshold_sharpness = "100: 1.8 up to 500, -0.2 beyond",
  threshold_accuracy = "100: 0.9 and -0.1 points",
}

local claims = {}
local function claim(o)
  o.power = POWER[o.id]
  claims[#claims + 1] = o
end

--- Pairs of the largest networks are no part of the quick size.
local function lacks(runs, name)
  return runs.size == "quick" and (name == "F1_whole" or name == "C1") and "not run"
end

local function mean(values) return sw.stats.mean(values).value end

--- What could mislead: training loss, dead units, updates of both ends.
local function beside(name)
  return function(runs)
    if lacks(runs, name) then return lacks(runs, name) end
    local words = {}
    local summary = runs:list("pair", cells.pair(runs, name))[1].summary
    local at, at_small = summary.large.path.epoch, summary.small.path.epoch
    local before = ("loss at epochs %g and %g"):format(at[#at - 1], at_small[#at_small - 1])
    for i, result in ipairs { "train_loss", "loss_before", "dead", "updates" } do
      local label = result == "loss_before" and before or result:gsub("_", " ")
      local large, small = cells.both(runs, name, result)
      words[i] = ("%s %.3g and %.3g"):format(label, mean(large), mean(small))
    end
    return "large and small batch: " .. table.concat(words, ", ")
  end
end

--- The training loss of two lists of runs, of one such function.
local function losses(words, find)
  return function(runs)
    local a, b = find(runs)
    return ("train loss, %s: %.3g and %.3g"):format(words, mean(a), mean(b))
  end
end

local function tuned_losses(name)
  return losses("large and small batch", function(runs)
    return cells.tuned(runs, name, "train_loss")
  end)
end

--- A claim about the ratio of both ends in a setting.
local function ratio(o, name, result)
  o.kind, o.ratio, o.here, o.beside = "greater", true, o.here or HERE[name], beside(name)
  o.data = function(runs) return cells.both(runs, name, result) end
  claim(o)
end

-- ------------------------------------------------------------------ 2.2, both regimes fit

for _, name in ipairs { "batch", "none" } do
  claim { id = "accuracy_" .. name, section = "2.2, table 2", kind = "equivalent", margin = 0.02,
    text = NAMES[name] .. ": both batch sizes reach the same training accuracy, within 2 points",
    paper = "within 0.5 points, F2 1.6", here = HERE[name], seeds = 12,
    beside = beside(name),
    data = function(runs) return cells.both(runs, name, "train_accuracy") end }
end

-- ------------------------------------------------------------------ 2.2.2, sharpness

for _, c in ipairs { { "batch", 12 }, { "none", 12 }, { "sgd", 6 } } do
  ratio({ id = "sharper_" .. c[1], section = "2.2.2, table 3", margin = SHARPER, seeds = c[2],
    text = NAMES[c[1]] .. ": the large batch ends at least 3 times as sharp (full space, 1e-3)",
    here = c[1] == "sgd" and HERE.sgd .. ", where .01 and .03 tie for batch 32" or nil,
    paper = c[1] == "batch" and "9 to 223 times; F1 167" or c[1] == "sgd" and "similar with SGD"
      or "9 to 223 times" }, c[1], "sharpness")
end

claim { id = "sharper_sgd_03", section = "2.2.2, table 3", kind = "greater", ratio = true,
  margin = SHARPER, seeds = 6,
  text = NAMES.sgd .. ", 0.03 for batch 32: the large batch ends at least 3 times as sharp (full"
    .. " space, 1e-3)", paper = "similar with SGD",
  here = MLP .. ", SGD with momentum 0.9, 0.1 and 0.03; .01 and .03 tie on validation for batch 32",
  beside = losses("large and small batch", function(runs)
    return cells.sgd_03(runs, "train_loss")
  end),
  data = function(runs) return cells.sgd_03(runs, "sharpness") end }

ratio({ id = "sharper_half", section = "2.2.2, table 3", margin = SHARPER, seeds = 12,
  text = NAMES.batch .. ": the same with epsilon 5e-4",
  paper = "12 to 104 times; F1 70" }, "batch", "sharpness_half")

ratio({ id = "sharper_subspace", section = "2.2.2, table 4", margin = SHARPER, seeds = 12,
  text = NAMES.batch .. ": the same in the span of 100 random directions, 1e-3",
  paper = "12 to 84 times; F1 84", unconfirmed = COLUMNS }, "batch", "subspace")

ratio({ id = "sharper_subspace_half", section = "2.2.2, table 4", margin = SHARPER, seeds = 12,
  text = NAMES.batch .. ": the same in the span of 100 random directions, 5e-4",
  paper = "11 to 183 times; F1 183", unconfirmed = COLUMNS }, "batch", "subspace_half")

for _, name in ipairs { "batch", "none" } do
  ratio({ id = "sharper_loss_" .. name, section = "2.2.2", margin = SHARPER, seeds = 12,
    text = NAMES[name] .. ": the large batch is at least 3 times as sharp where both trainings"
      .. " reach the same loss", paper = "not compared" }, name, "sharpness_at_loss")
end

ratio({ id = "sharper_updates", section = "2.2.2", margin = SHARPER, seeds = 5,
  text = NAMES.batch .. ": the large batch is at least 3 times as sharp after as many updates",
  paper = "not compared", here = UPDATES },
  "updates", "sharpness")

for _, name in ipairs { "batch", "none" } do
  ratio({ id = "invariant_" .. name, section = "2.2.2", margin = 1, seeds = 12,
    text = NAMES[name] .. ": the loss rises more at the large batch's end within a ball relative to"
      .. " the weights, which rescaling leaves alone (not at equal loss)",
    paper = "not measured" }, name, "companions.adaptive_l2")
end

-- The paper says nothing of rates that suit each batch; the question is whether the order remains.
for _, name in ipairs { "batch", "none" } do
  claim { id = "tuned_" .. name, section = "2.2.2", kind = "greater", ratio = true,
    smallest = 1.5, seeds = 12,
    text = NAMES[name] .. ": the large batch is still sharper with the rates that are best on"
      .. " validation",
    paper = "not compared", here = MLP .. (name == "batch" and "; 0.003 for both"
      or "; 0.001 for 32, 0.003 for 500"),
    beside = tuned_losses(name),
    data = function(runs) return cells.tuned(runs, name, "sharpness") end }
end

-- ------------------------------------------------------------------ 2.2, generalization gap

for _, name in ipairs { "batch", "none" } do
  claim { id = "gap_" .. name, section = "2.2, table 2", kind = "greater", smallest = GAP,
    text = NAMES[name] .. ": the small batch has the better test accuracy",
    paper = "by 0.2 points (F1) to 5.3 (C4)", here = HERE[name], seeds = 12,
    beside = beside(name),
    data = function(runs)
      local large, small = cells.both(runs, name, "test_accuracy")
      return small, large
    end }
end

for _, name in ipairs { "batch", "none" } do
  claim { id = "gap_tuned_" .. name, section = "2.2, table 2", kind = "greater", smallest = GAP,
    text = NAMES[name] .. ": the small batch has the better test accuracy with the rates that are"
      .. " best on validation",
    paper = "not compared", here = MLP .. (name == "batch" and "; 0.003 for both"
      or "; 0.001 for 32, 0.003 for 500"), seeds = 12, beside = tuned_losses(name),
    data = function(runs)
      local large, small = cells.tuned(runs, name, "test_accuracy")
      return small, large
    end }
end

-- ------------------------------------------------------------------ 2.2, 3: the way and the line

for _, name in ipairs { "batch", "none" } do
  claim { id = "distance_" .. name, section = "3", kind = "greater", ratio = true, margin = 3,
    text = NAMES[name] .. ": the small batch ends at least 3 times as far from the initial weights",
    paper = "3 to 10 times", here = HERE[name], seeds = 12, beside = beside(name),
    data = function(runs)
      local large, small = cells.both(runs, name, "distance")
      return small, large
    end }
end

for _, name in ipairs { "batch", "none" } do
  claim { id = "line_" .. name, section = "2.2.1, figure 3", kind = "greater", smallest = 0.05,
    text = NAMES[name] .. ": a quarter of the way from each end, on both sides, the training loss"
      .. " rises more at the large batch's",
    paper = "visibly narrower, no number", here = HERE[name], seeds = 12, beside = beside(name),
    data = function(runs) return cells.both(runs, name, "rise") end }
end

claim { id = "path_large", section = "3, figure 6", kind = "greater", smallest = 0.1,
  text = "large batch: sharpness rises as the loss falls (exponent of 1 / loss above 0)",
  paper = "rises", here = HERE.batch, seeds = 12, beside = beside "batch",
  data = function(runs) return cells.both(runs, "batch", "slope"), 0 end }

claim { id = "path_small", section = "3, figure 6", kind = "greater", smallest = 0.1,
  text = "small batch: sharpness falls as the loss falls (exponent of 1 / loss below 0), over the"
    .. " whole way",
  paper = "stays flat, then falls", here = HERE.batch, seeds = 12, beside = beside "batch",
  data = function(runs)
    local _, small = cells.both(runs, "batch", "slope")
    return small:map(function(x) return -x end), 0
  end }

-- ------------------------------------------------------------------ 4, warm start

local WARM = "batch 32 for 0, 1, 8 or 60 epochs, then batch 500 for 60; else as above"

--- A result of the large batch after the first (none), second, … number of epochs of the small.
local function after(runs, i, result)
  return runs:values("warm_start", {}, ("after%d.%s"):format(i, result))
end

--- The same after all epochs of the small batch.
local function after_all(runs, result)
  return after(runs, runs.size == "quick" and 3 or 4, result)
end

local function geometric(values) return math.exp(mean(values:map(math.log))) end

local function beside_warm(runs)
  local function alone(result) return runs:values("warm_start", {}, "small." .. result) end
  return ("train loss without %.3g, after one epoch %.3g, after all %.3g; small batch alone: test"
    .. " accuracy %.4f, sharpness %.3g, large batch after all: %.4f, %.3g"):format(
    mean(after(runs, 1, "train_loss")), mean(after(runs, 2, "train_loss")),
    mean(after_all(runs, "train_loss")), mean(alone "test_accuracy"), geometric(alone "sharpness"),
    mean(after_all(runs, "test_accuracy")), geometric(after_all(runs, "sharpness")))
end

claim { id = "warm_sharpness", section = "4, figure 5", kind = "greater", ratio = true,
  margin = SHARPER, seeds = 10, here = WARM, beside = beside_warm,
  text = "the large batch ends at least 3 times less sharp after all epochs of the small one than"
    .. " without",
  paper = "falls to that of the small batch, no number; here a factor of 3 is tested",
  data = function(runs) return after(runs, 1, "sharpness"), after_all(runs, "sharpness") end }

claim { id = "warm_accuracy", section = "4, figure 5", kind = "greater", smallest = GAP, seeds = 10,
  text = "and its test accuracy is better than without them", here = WARM, beside = beside_warm,
  paper = "recovers that of the small batch",
  data = function(runs)
    return after_all(runs, "test_accuracy"), after(runs, 1, "test_accuracy")
  end }

claim { id = "warm_few", section = "4, figure 5", kind = "equivalent", ratio = true, margin = 2,
  text = "one epoch of the small batch does not help: the large one ends as sharp, within a factor"
    .. " of 2", paper = "few epochs do not help", here = WARM, seeds = 10, beside = beside_warm,
  data = function(runs) return after(runs, 2, "sharpness"), after(runs, 1, "sharpness") end }

-- ------------------------------------------------------------------ 2.2.3, threshold

local BATCHES = "batches 32, 64, 128, 500, 1,000, 2,500 (N / 2); else as above"

--- The slope of a row over the logarithms of the batch sizes, between two places.
local function slope(row, levels, first, last)
  return math.log(row[last] / row[first]) / math.log(levels[last] / levels[first])
end

--- How well the smallest and the largest batch fit.
local function beside_batches(runs)
  local loss, levels = cells.by_batch(runs, "train_loss")
  local accuracy = cells.by_batch(runs, "train_accuracy")
  local function of(rows, k) return mean(rows:map(function(row) return row[k] end)) end
  return ("batches %d and %d: train loss %.3g and %.3g, train accuracy %.4f and %.4f"):format(
    levels[1], levels[#levels], of(loss, 1), of(loss, #levels), of(accuracy, 1),
    of(accuracy, #levels))
end

--- Where a level stands.
local function place(levels, level)
  for k, other in ipairs(levels) do
    if other == level then return k end
  end
  error(("there is no batch size %d"):format(level))
end

claim { id = "threshold_sharpness", section = "2.2.3, figure 4", kind = "greater", smallest = 0.1,
  text = "the exponent of sharpness over the batch size is larger up to 500 than beyond",
  paper = "sharpness stops rising near the threshold", here = BATCHES, seeds = 10,
  beside = beside_batches,
  data = function(runs)
    local rows, levels = cells.by_batch(runs, "sharpness")
    local middle = place(levels, runs.size == "quick" and 50 or 500)
    return rows:map(function(row) return slope(row, levels, 1, middle) end),
      rows:map(function(row) return slope(row, levels, middle, #levels) end)
  end }

claim { id = "threshold_accuracy", section = "2.2.3, figure 4", kind = "greater", smallest = GAP,
  text = "test accuracy is lower for batches of 1,000 and 2,500 than for 32 to 128",
  paper = "drops beyond 15,000 (F2) and 500 (C1)", here = BATCHES, seeds = 10,
  beside = beside_batches,
  data = function(runs)
    local rows = cells.by_batch(runs, "test_accuracy")
    return rows:map(function(row) return (row[1] + row[2] + row[3]) / 3 end),
      rows:map(function(row) return (row[#row - 1] + row[#row]) / 2 end)
  end }

-- ------------------------------------------------------------------ shown without a verdict

for _, c in ipairs {
  { "distance", "distance", "the small batch ends so many times as far from the initial weights",
    "3 to 10 times", function(large, small) return small / large end },
  { "gap", "test_accuracy", "test accuracy of the small batch less that of the large one",
    "not compared", function(large, small) return small - large end } } do
  claim { id = c[1] .. "_updates", section = "2.2, 3", kind = "shown", paper = c[4],
    text = NAMES.batch .. ", as many updates: " .. c[3], beside = beside "updates", here = UPDATES,
    data = function(runs)
      local large, small = cells.both(runs, "updates", c[2])
      return large:with(small, c[5])
    end }
end

for _, c in ipairs {
  { "F1", "F1, N = 10,000, batch 1,000 against 32, 20 epochs", "167 times", "0.22 points" },
  { "F1_whole", "F1, N = 55,000, batch 5,500 against 256, 2 epochs", "167 times", "0.22 points" },
  { "C1", "C1, N = 2,000, Fashion-MNIST, batch 200 against 32, 4 epochs", "25 times",
    "2.78 points (CIFAR-10)" } } do
  claim { id = c[1] .. "_sharper", section = "table 3", kind = "shown", here = c[2],
    text = c[1]:gsub("_whole", " (55,000)") .. ": sharpness of the large batch's end over that of"
      .. " the small one's", paper = c[3], beside = beside(c[1]),
    data = function(runs)
      if lacks(runs, c[1]) then return lacks(runs, c[1]) end
      local large, small = cells.both(runs, c[1], "sharpness")
      return large:with(small, function(a, b) return a / b end)
    end }
  claim { id = c[1] .. "_gap", section = "table 2", kind = "shown", here = c[2],
    text = c[1]:gsub("_whole", " (55,000)") .. ": test accuracy of the small batch less that of the"
      .. " large one", paper = c[4], beside = beside(c[1]),
    data = function(runs)
      if lacks(runs, c[1]) then return lacks(runs, c[1]) end
      local large, small = cells.both(runs, c[1], "test_accuracy")
      return small:with(large, function(a, b) return a - b end)
    end }
end

local REMEDIES = { augmentation = "shifts of 2 pixels and flips, no rotation",
  conservative = "3 steps of Adam a batch", robust = "2 gradients a batch" }

for _, remedy in ipairs { "augmentation", "conservative", "robust" } do
  local function remedied(runs, result)
    return runs:values("remedies", { remedy = remedy }, result)
  end
  claim { id = "remedy_" .. remedy, section = "5, appendix E", kind = "shown",
    text = remedy .. " training with the large batch: test accuracy, less that without",
    paper = "all help, and the ends stay fairly sharp",
    here = HERE.batch .. "; " .. REMEDIES[remedy],
    unconfirmed = "the settings of the appendix",
    beside = function(runs)
      local function with_and_without(result)
        local with, without = remedied(runs, result), cells.both(runs, "batch", result)
        without = with:with(without, function(_, x) return x end) -- the same seeds
        return geometric(with), geometric(without)
      end
      local sharp, sharp_without = with_and_without "sharpness"
      local loss, loss_without = with_and_without "train_loss"
      return ("of the same seeds, geometric means: sharpness %.3g, without %.3g; training loss"
        .. " %.3g, without %.3g"):format(sharp, sharp_without, loss, loss_without)
    end,
    data = function(runs)
      local large = cells.both(runs, "batch", "test_accuracy")
      return remedied(runs, "test_accuracy"):with(large, function(a, b) return a - b end)
    end }
end

return sw.claims(claims)
