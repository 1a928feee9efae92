-- What followed on the five papers, and the tests that decide it here. Rates and lengths of
-- averages are chosen on validation. A test accuracy is "not worse" if it is not below by half a
-- point. The pilot had the seeds 1000 to 1002.
local sw = require "swale"

local claims = {}
local function claim(c) claims[#claims + 1] = c end

local HALF_POINT = 0.005

-- ------------------------------------------------------------------ edge of stability

local EDGE = "784-64-10, tanh, squared error, N = 1,000, Fashion-MNIST, lr 0.4"

local function edge(runs, batch, result) return runs:values("edge", { batch = batch }, result) end

--- Loss and drift of batch sharpness over the late half, means over seeds.
local function edge_beside(batch)
  return function(runs)
    local function mean(result) return sw.stats.mean(edge(runs, batch, result)).value end
    return ("train loss %.2g; sharpness of the last quarter over that of the one before %.2f; ratio"
      .. " of means %.2f"):format(mean "beside.train_loss", mean "drift", mean "ratio_of_means")
  end
end

-- Within a factor of 1.1 of 1.1 is between 1 and 1.21 times 2 / lr.
claim { id = "edge_full", section = "Cohen et al. 2021", kind = "equivalent", ratio = true,
  margin = 1.1, seeds = 10, power = "bounds set after the pilot: 1.085, s.d. of log 0.015",
  text = "with full batches the largest eigenvalue ends between 1 and 1.21 times 2 / lr",
  paper = "just above 2 / lr",
  here = EDGE .. ", 500 updates, mean of the second half; in units of 2 / lr, against 1.1",
  beside = edge_beside(0),
  data = function(runs) return edge(runs, 0, "top"), 1.1 end }

claim { id = "edge_batch", section = "Andreyev and Beneventano 2024", kind = "equivalent",
  ratio = true, margin = 1.1, seeds = 10,
  power = "pilot: 0.86, s.d. of log 0.02: expected not to hold",
  text = "with batch 16 batch sharpness stays within 10 % of 2 / lr",
  paper = "2 / lr; 10 % is not the paper's",
  here = EDGE .. ", batch 16, 300 epochs, mean of the second half",
  beside = edge_beside(16),
  data = function(runs) return edge(runs, 16, "sharpness"), 1 end }

claim { id = "edge_lower", section = "Andreyev and Beneventano 2024", kind = "greater",
  ratio = true, smallest = 1.1, seeds = 10, power = "pilot: 1.81, s.d. of log 0.05",
  text = "with batch 8 the largest eigenvalue stays below that of full batches",
  paper = "lower, the more so the smaller the batch",
  here = EDGE .. ", full batch over batch 8, 80 epochs; the ratio depends on the length",
  beside = edge_beside(8),
  data = function(runs) return edge(runs, 0, "top"), edge(runs, 8, "top") end }

-- ------------------------------------------------------------------ Hoffer's corrections

local HOFFER = "784-64-10 with batch norm, N = 5,000, Fashion-MNIST, SB 32, LB 512, SGD 0.9, 40"
  .. " epochs"

local function hoffer(runs, method, result)
  return runs:values("hoffer", { method = method }, result or "test.accuracy")
end

local function hoffer_beside(...)
  local methods = { ... }
  return function(runs)
    local words = {}
    for i, m in ipairs(methods) do
      words[i] = ("%s: train loss %.2g, %d updates"):format(m,
        sw.stats.mean(hoffer(runs, m, "beside.train_loss")).value,
        math.floor(sw.stats.mean(hoffer(runs, m, "beside.updates")).value))
    end
    return table.concat(words, "; ")
  end
end

claim { id = "hoffer_gap", section = "Hoffer et al. 2017, table 1", kind = "greater",
  smallest = HALF_POINT, seeds = 24, power = "pilot: 0.5 points, s.d. 0.46",
  text = "at equal epochs and rate the large batch has the lower test accuracy",
  paper = "1 to 5 points lower", unconfirmed = "rates and epochs of the table", here = HOFFER,
  beside = hoffer_beside("small", "large"),
  data = function(runs) return hoffer(runs, "small"), hoffer(runs, "large") end }

-- The whole gap of the pilot was half a point: any part of it counts.
claim { id = "hoffer_part", section = "Hoffer et al. 2017, table 1", kind = "greater",
  smallest = 0.001, seeds = 24, power = "pilot: 0.3 points, s.d. 0.22, of a gap of 0.53",
  text = "the root of the rate and ghost batch norm raise it at equal epochs",
  paper = "part of the gap", unconfirmed = "rates and epochs of the table", here = HOFFER,
  beside = function(runs)
    return ("the whole gap is %.2f points; %s"):format(100 * sw.stats.mean(hoffer(runs, "small")
      :with(hoffer(runs, "large"), function(a, b) return a - b end)).value,
      hoffer_beside("large", "ghost")(runs))
  end,
  data = function(runs) return hoffer(runs, "ghost"), hoffer(runs, "large") end }

claim { id = "hoffer_closed", section = "Hoffer et al. 2017, table 1", kind = "greater",
  margin = -HALF_POINT, seeds = 8,
  power = "pilot: -1.6 points, s.d. 0.5: expected not to hold; -1.3 with weight decay 0.001",
  text = "with as many updates besides, the large batch is not worse than the small one",
  paper = "the gap vanishes", unconfirmed = "rates and epochs of the table",
  here = HOFFER .. ", adapted 640 epochs", beside = hoffer_beside("small", "adapted"),
  data = function(runs) return hoffer(runs, "adapted"), hoffer(runs, "small") end }

for _, c in ipairs { { "small", 24, "0.12, s.d. of log 0.02: expected not to hold" },
  { "large", 24, "2.3, s.d. of log 0.1" } } do
  local method = c[1]
  claim { id = "hoffer_log_" .. method, section = "Hoffer et al. 2017, figure 2", kind = "greater",
    ratio = true, smallest = 1.5, seeds = c[2], power = "pilot: " .. c[3],
    text = ("%s batch: the distance from the start is nearer a line over log t than over the root"
      .. " of t"):format(method),
    paper = "like log t", here = HOFFER .. ", before the first cut; variance left by the root over"
      .. " that by log t; neither fits if the exponent is far from 0 and 1/2",
    beside = function(runs)
      return ("variance left by log t %.3f; exponent of a power law %.2f"):format(
        sw.stats.mean(hoffer(runs, method, "rest.log")).value,
        sw.stats.mean(hoffer(runs, method, "power")).value)
    end,
    data = function(runs)
      return hoffer(runs, method, "rest.sqrt"), hoffer(runs, method, "rest.log")
    end }
end

-- ------------------------------------------------------------------ tuned batch sizes

local SHALLUE = "784-64-10, N = 5,000, Fashion-MNIST, SGD, 4 rates for each batch"
local STEPS = "validation loss 0.5"

--- A result of a batch size at the rate that is best by `chosen`, a quantity on validation.
local function tuned(runs, batch, chosen, result)
  local lr = runs:best("shallue", { batch = batch }, "lr", chosen, "min")
  return runs:values("shallue", { batch = batch, lr = lr }, result), lr
end

--- Updates to the target; none where it was not reached.
local function to_target(run)
  return run.summary.reached and run.summary.steps_to_target or nil
end

local function updates(runs, batches)
  local columns = {}
  for k, batch in ipairs(batches) do
    columns[k] = tuned(runs, batch, "steps_to_target", to_target)
  end
  return batches, runs:join(table.unpack(columns))
end

--- The rates chosen, so that one at the end of its grid is seen.
local function rates(chosen, batches)
  return function(runs)
    local words = {}
    for k, batch in ipairs(batches) do
      local _, lr = tuned(runs, batch, chosen, chosen)
      words[k] = ("%d: %g"):format(batch, lr)
    end
    return "rates by batch " .. table.concat(words, ", ")
  end
end

claim { id = "shallue_test", section = "Shallue et al. 2019", kind = "greater",
  margin = -HALF_POINT,
  text = "with tuned rates the best test accuracy of a large batch is not worse",
  paper = "no evidence that it is", here = SHALLUE .. ", batch 512 less batch 8", seeds = 12,
  power = "pilot: 0.7 points over 2 seeds", beside = rates("best_valid_loss", { 8, 512 }),
  data = function(runs)
    return (tuned(runs, 512, "best_valid_loss", "test.accuracy")),
      (tuned(runs, 8, "best_valid_loss", "test.accuracy"))
  end }

claim { id = "shallue_perfect", section = "Shallue et al. 2019", kind = "slope", log = true,
  above = -1.25, below = -0.75, seeds = 8, power = "pilot: -0.97, s.d. 0.03",
  text = "from batch 8 to 32 the updates to the target fall like 1 / B",
  paper = "perfect scaling: exponent -1", here = SHALLUE .. ", " .. STEPS,
  beside = rates("steps_to_target", { 8, 16, 32 }),
  data = function(runs) return updates(runs, { 8, 16, 32 }) end }

claim { id = "shallue_flat", section = "Shallue et al. 2019", kind = "slope", log = true,
  above = -0.5, seeds = 8, power = "pilot: -0.28, s.d. 0.04",
  text = "from batch 128 to 512 they fall less than like the root of 1 / B",
  paper = "diminishing returns, then none", here = SHALLUE .. ", " .. STEPS,
  beside = rates("steps_to_target", { 128, 512 }),
  data = function(runs) return updates(runs, { 128, 512 }) end }

--- B_crit of S = S_min (1 + B_crit / B), least squares of log S: the best on a grid of 1 %.
local function hyperbola(batches, steps)
  local best, least = nil, math.huge
  for k = 0, 1000 do
    local b_crit, sum, squares = 1.01 ^ k, 0, 0
    for i, batch in ipairs(batches) do
      local rest = math.log(steps[i]) - math.log(1 + b_crit / batch)
      sum, squares = sum + rest, squares + rest * rest
    end
    local left = squares - sum * sum / #batches
    if left < least then best, least = b_crit, left end
  end
  return best
end

--- The Pareto fit of each seed, at the rates that are best over all seeds.
local function pareto(runs)
  local batches, rows = updates(runs, { 8, 16, 32, 128, 512 })
  return rows:map(function(steps) return hyperbola(batches, steps) end)
end

local CRITICAL = "784-64-10, N = 5,000, Fashion-MNIST, SGD; branches of half an epoch at the"
  .. " target, rate k lr, k by factors of 2, tolerance 0.02"

-- The paper makes no such comparison: it asks whether branches measure what the fit does.
claim { id = "critical", section = "control", kind = "equivalent", ratio = true,
  margin = 2, seeds = 8, power = "pilot: 0.15, s.d. of log 0.4: expected not to hold",
  text = "the critical batch size of branches is within a factor of 2 of the Pareto fit's",
  paper = "no number", here = CRITICAL,
  data = function(runs) return runs:values("critical", {}, "b_crit"), pareto(runs) end }

claim { id = "critical_noise", section = "Merrill et al. 2025", kind = "shown",
  text = "critical batch size of branches over the noise scale B_simple at the same weights",
  paper = "Adam: far above 1", here = CRITICAL,
  data = function(runs)
    return runs:values("critical", {}, function(run)
      return run.summary.b_crit / run.summary.b_simple
    end)
  end }

-- ------------------------------------------------------------------ scaling rules

local function distance(runs, optimizer, rule)
  return runs:values("scaling", { optimizer = optimizer }, "distance." .. rule)
end

for _, c in ipairs {
  { "sgd", "sqrt", "linear", "Goyal et al. 2017", "the rate grows like the batch",
    "pilot: 2.2, s.d. of log 0.25" },
  { "adam", "linear", "sqrt", "Malladi et al. 2022", "the rate grows like the root of the batch",
    "pilot: 1.18, s.d. of log 0.06, below the declared 1.25: expected not to hold: nearer, by less"
      .. " than declared" },
} do
  claim { id = "scaling_" .. c[1], section = c[4], kind = "greater", ratio = true, smallest = 1.25,
    text = ("%s: 8 times the batch follows the base nearer if %s"):format(c[1], c[5]),
    paper = "it coincides", seeds = 20, power = c[6],
    here = ("784-64-10, N = 5,000, Fashion-MNIST, batch 16 to 128, 10 epochs, distance of"
      .. " validation losses by the %s rule over that by the %s one"):format(c[2], c[3]),
    beside = function(runs)
      return ("distance of log validation losses %.3f"):format(
        sw.stats.mean(distance(runs, c[1], c[3])).value)
    end,
    data = function(runs) return distance(runs, c[1], c[2]), distance(runs, c[1], c[3]) end }
end

-- ------------------------------------------------------------------ averages

local AVERAGES = "784-64-10, N = 20,000, Fashion-MNIST, batch 32, SGD 0.9, 8 epochs, the best of 3"
  .. " rates for each; test loss"

--- Test losses of one result, at its rate that is best on validation.
local function average(runs, name)
  local lr = runs:best("averages", {}, "lr", name .. ".valid.loss", "min")
  return runs:values("averages", { lr = lr }, name .. ".test.loss"), lr
end

--- The loss on a split of the average that is best on validation.
local function best_average(training, split)
  return function(run)
    local best
    for _, family in ipairs { "ema", "lawa", "swa" } do
      local found = run.summary[training][family]
      if not best or found.valid.loss < best.valid.loss then best = found end
    end
    return best[split].loss
  end
end

--- The best average of the constant rate, at its rate that is best on validation.
local function averaged(runs)
  local lr = runs:best("averages", {}, "lr", best_average("constant", "valid"), "min")
  return runs:values("averages", { lr = lr }, best_average("constant", "test")), lr
end

claim { id = "lawa", section = "Sanyal et al. 2023", kind = "greater", ratio = true,
  smallest = 1.01, seeds = 12,
  power = "pilot at lr 0.01: 0.99, s.d. of log 0.007: expected not to hold",
  text = "at a constant rate the mean of the last checkpoints is better than EMA",
  paper = "better than EMA and SWA",
  here = AVERAGES .. " of EMA over LAWA's; SWA takes nearly the same checkpoints",
  beside = function(runs)
    local words = {}
    for i, family in ipairs { "ema", "lawa", "swa" } do
      local losses, lr = average(runs, "constant." .. family)
      words[i] = ("%s %.4f at lr %g"):format(family:upper(), sw.stats.mean(losses).value, lr)
    end
    return "test loss: " .. table.concat(words, ", ")
  end,
  data = function(runs)
    return (average(runs, "constant.ema")), (average(runs, "constant.lawa"))
  end }

claim { id = "no_replacement", section = "Ajroldi et al. 2025", kind = "greater", ratio = true,
  smallest = 1.01, seeds = 12,
  power = "pilot at lr 0.01: 0.984, s.d. of log 0.008: expected not to hold",
  text = "averaging at a constant rate does not reach a decayed rate without averaging",
  paper = "averaging does not replace annealing", here = AVERAGES .. " of the best of 13 averages,"
    .. " chosen on validation, over that of the decayed rate", beside = function(runs)
    local _, constant = averaged(runs)
    local _, decayed = average(runs, "decayed.last")
    return ("rates: constant %g, decayed from %g"):format(constant, decayed)
  end,
  data = function(runs) return (averaged(runs)), (average(runs, "decayed.last")) end }

claim { id = "mild_gain", section = "Ajroldi et al. 2025", kind = "equivalent", ratio = true,
  margin = 1.02, seeds = 12,
  power = "pilot at lr 0.01: 1.001, s.d. of log 0.0007; 1.019 at 0.02",
  text = "on top of a decayed rate averaging changes the loss by less than 2 %",
  paper = "a mild gain", here = AVERAGES .. "; the rate falls to 0, where the last weights hardly"
    .. " move: partly so by construction",
  data = function(runs)
    local last, lr = average(runs, "decayed.last")
    return last, runs:values("averages", { lr = lr }, best_average("decayed", "test"))
  end }

-- ------------------------------------------------------------------ cool-downs

local WSD = "784-64-10, N = 50,000, Fashion-MNIST, batch 32, Adam, the better of 2 rates for each;"
  .. " test loss, the last fifth cools down"
local LENGTHS = { 1, 2, 4 }

--- Test losses of a way to end a training of some epochs, at its rate that is best on validation.
local function ended(runs, epochs, way)
  local name = ("of_%d.%s"):format(25 * epochs, way)
  local lr = runs:best("wsd", {}, "lr", name .. ".valid.loss", "min")
  return runs:values("wsd", { lr = lr }, name .. ".test.loss"), lr
end

--- The geometric mean over the three lengths.
local function lengths(runs, way)
  local product
  for _, epochs in ipairs(LENGTHS) do
    local losses = ended(runs, epochs, way)
    product = product and product:with(losses, function(a, b) return a * b end) or losses
  end
  return product:map(function(x) return x ^ (1 / #LENGTHS) end)
end

for i, power in ipairs { "0.972, s.d. of log 0.005, at one rate; 0.992 on one seed at 2 rates",
  "0.988, s.d. of log 0.006, at one rate", "1.003, s.d. of log 0.012, at one rate" } do
  local epochs = LENGTHS[i]
  claim { id = "cool_down_" .. epochs, section = "Hägele et al. 2024", kind = "equivalent",
    ratio = true, margin = 1.02, seeds = 20, power = "pilot: " .. power,
    text = ("a cool-down branched from one training reaches the loss of the cosine of %d epoch%s")
      :format(epochs, epochs > 1 and "s" or ""), paper = "they match", here = WSD,
    beside = function(runs)
      local _, cooled = ended(runs, epochs, "cooled")
      local _, cosine = ended(runs, epochs, "cosine")
      return ("rates: cool-down %g, cosine %g"):format(cooled, cosine)
    end,
    data = function(runs)
      return (ended(runs, epochs, "cooled")), (ended(runs, epochs, "cosine"))
    end }
end

claim { id = "merging", section = "Tian et al. 2025", kind = "greater", ratio = true,
  margin = 1 / 1.02, seeds = 20,
  text = "merged checkpoints of the constant rate lose less than 2 % to the cool-down",
  paper = "as good or better", here = WSD .. ", cool-down's over that of 11 merged checkpoints;"
    .. " on average over 1, 2 and 4 epochs", power = "pilot: 0.992, s.d. of log 0.002",
  data = function(runs) return lengths(runs, "cooled"), lengths(runs, "merged") end }

claim { id = "merging_control", section = "control", kind = "shown",
  text = "loss of the constant rate over that of the cool-down, what merging has to win back",
  paper = "no number", here = WSD .. "; on average over 1, 2 and 4 epochs",
  data = function(runs)
    return lengths(runs, "constant"):with(lengths(runs, "cooled"), function(a, b)
      return a / b
    end)
  end }

-- ------------------------------------------------------------------ Seesaw

local SEESAW = "784-64-10, N = 20,000, Fashion-MNIST, Adam, batch 32 to 512, 8 epochs"

claim { id = "seesaw", section = "Meterez et al. 2025", kind = "equivalent", ratio = true,
  margin = 1.02, seeds = 20, power = "pilot: 1.006, s.d. of log 0.003",
  text = "Seesaw reaches the test loss of the cosine on as many examples", paper = "the same loss",
  here = SEESAW, beside = function(runs)
    local function train(way)
      return sw.stats.mean(runs:values("seesaw", {}, way .. ".train_loss")).value
    end
    return ("train loss %.3f, cosine %.3f, constant rate %.3f"):format(train "seesaw",
      train "cosine", train "constant")
  end,
  data = function(runs)
    return runs:values("seesaw", {}, "seesaw.test.loss"),
      runs:values("seesaw", {}, "cosine.test.loss")
  end }

-- Without this one, "the same" would show nothing.
claim { id = "seesaw_control", section = "control", kind = "greater", ratio = true, margin = 1.02,
  seeds = 20, power = "pilot: 1.17, s.d. of log 0.03",
  text = "annealing matters here: the constant rate is worse than the cosine by more than 2 %",
  paper = "no number", here = SEESAW, data = function(runs)
    return runs:values("seesaw", {}, "constant.test.loss"),
      runs:values("seesaw", {}, "cosine.test.loss")
  end }

claim { id = "seesaw_saved", section = "Meterez et al. 2025", kind = "shown",
  text = "share of the updates that Seesaw saves", paper = "about 36 % of the time", here = SEESAW,
  data = function(runs) return runs:values("seesaw", {}, "saved") end }

-- ------------------------------------------------------------------ SVAG

local SVAG = "784-64-10, N = 5,000, Fashion-MNIST, batch 32"

local function svag(runs, lr, l)
  return runs:values("svag", { lr = lr }, ("l%d.train_loss"):format(l))
end

claim { id = "svag_same", section = "Li, Malladi, Arora 2021", kind = "equivalent", ratio = true,
  margin = 1.05, seeds = 20, power = "pilot: 1.012, s.d. of log 0.004",
  text = "at a small rate SGD has the train loss of its differential equation",
  paper = "l makes no difference",
  here = SVAG .. ", lr 0.02, 800 updates, lr times updates = 16, l 1 over l 8",
  data = function(runs) return svag(runs, 0.02, 1), svag(runs, 0.02, 8) end }

claim { id = "svag_breaks", section = "Li, Malladi, Arora 2021", kind = "greater", ratio = true,
  margin = 1.05, seeds = 20, power = "pilot: 1.31, s.d. of log 0.07",
  text = "at 16 times the rate and 4 times the time its train loss is above that of the equation by"
    .. " more than 5 %",
  paper = "the equation fails where linear scaling does",
  here = SVAG .. ", lr 0.32, 200 updates, lr times updates = 64, l 1 over l 8",
  data = function(runs) return svag(runs, 0.32, 1), svag(runs, 0.32, 8) end }

claim { id = "svag_between", section = "Li, Malladi, Arora 2021", kind = "shown",
  text = "train loss of SGD over that of the equation at 8 times the rate", paper = "no number",
  here = SVAG .. ", lr 0.16, 400 updates, lr times updates = 64, l 1 over l 8",
  data = function(runs)
    return svag(runs, 0.16, 1):with(svag(runs, 0.16, 8), function(a, b) return a / b end)
  end }

return sw.claims(claims)
