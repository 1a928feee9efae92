-- Losses that give one number for a batch: which of them may be cut. Rows of NaN, which are no
-- hits.
local lu = require "luaunit"
local ops = require "swale.ops"
local sw = require "swale"

TestAdditive = {}

local function rmse(o, y) return ops.sqrt(ops.mean(ops.square(o - y))) end
local function mse(o, y) return ops.mean(ops.square(o - y)) end

local function make(changes)
  local data = sw.data.from_tensors { train = { x = sw.tensor { { 1 }, { 2 }, { 3 }, { 4 } },
    y = sw.tensor { { 0 }, { 0 }, { 0 }, { 9 } } } }
  local o = { model = sw.nn.Linear(1, 1, { bias = false, init = 1 }), lr = 0.1, batch_size = 4,
    sampler = "sequential", loss = rmse, data = data }
  for key, value in pairs(changes or {}) do o[key] = value end
  return sw.Trainer(o)
end

-- Residuals 1 2 3 -5: sqrt(39 / 4), gradient (1 + 4 + 9 - 20) / 4 / sqrt(39 / 4). A few roundings.
function TestAdditive:test_a_root_of_a_mean_trains_whole()
  local loss = math.sqrt(39 / 4)
  for _, micro in ipairs { false, 4, 5 } do
    local trainer = make { micro_batch = micro or nil }
    lu.assert_almost_equals(trainer:evaluate("last", { on = "train" }).loss, loss, 1e-6)
    trainer:fit { steps = 1 }
    lu.assert_almost_equals(trainer:weights():get(1), 1 + 0.1 * 6 / 4 / loss, 1e-6)
  end
end

function TestAdditive:test_its_parts_are_refused_with_a_remedy()
  for _, micro in ipairs { 1, 2, 3 } do
    lu.assert_error_msg_contains("leave micro_batch out", make, { micro_batch = micro })
  end
  lu.assert_error_msg_contains("micro_batch = 4", make, { micro_batch = 4,
    batch_size = sw.rule(4, function() return 8 end) })
  local trainer = make { eval_batch = 3 }
  lu.assert_error_msg_contains("eval_batch = 4", trainer.evaluate, trainer, "last",
    { on = "train" })
  local data = sw.data.from_tensors { train = { x = sw.randn { 4, 1 }, y = sw.randn { 4, 1 } },
    valid = { x = sw.randn { 9, 1 }, y = sw.randn { 9, 1 } } }
  lu.assert_error_msg_contains("data.valid, 9 examples 8 at a time", make,
    { data = data, eval_batch = 8 })
  lu.assert_error_msg_contains("not a mean over examples", make,
    { measure = { noise_scale = sw.every { steps = 1 } } })
end

-- Functions of the batch that are no mean over its examples.
function TestAdditive:test_kinds()
  for _, loss in ipairs { rmse,
    function(o, y) return ops.log(mse(o, y)) end,
    function(o, y) return ops.square(mse(o, y)) end,
    function(o, y) return ops.max(ops.square(o - y)):reshape {} end,
    function(o, y) return mse(o - ops.mean(o), y) end } do
    lu.assert_error_msg_contains("not a mean over examples", make, { loss = loss, micro_batch = 2 })
  end
end

-- 1 - r of two examples is 0 but for rounding, which must not look like a sum.
function TestAdditive:test_a_correlation_trains_whole()
  local function off(o, y)
    local a, b = o - ops.mean(o), y - ops.mean(y)
    return 1 - ops.sum(a * b) / (ops.sqrt(ops.sum(a * a)) * ops.sqrt(ops.sum(b * b)))
  end
  for seed = 1, 9 do
    local x, y = sw.zeros { 8, 3 }, sw.zeros { 8, 1 }
    sw.random(seed, "x"):fill_normal(x, 0, 1)
    sw.random(seed, "y"):fill_normal(y, 0, 1)
    make({ loss = off, data = sw.data.from_tensors { train = { x = x, y = y } },
      model = sw.nn.Linear(3, 1) }):fit { steps = 1 }
  end
  lu.assert_error_msg_contains("of the same taken twice", make,
    { loss = function(o, y) return ops.sum(ops.square(o - y)) end })
end

-- One value an example that depends on the others: each part would be centred by its own mean.
function TestAdditive:test_a_loss_that_couples_examples_is_evaluated_whole()
  local function centered(o, y)
    local d = o - y
    return ops.square(d - ops.mean(d)):reshape { -1 }
  end
  local function by_largest(o, y)
    return ops.square(o - y):reshape { -1 }, (o / ops.max(ops.abs(o))):reshape { -1 }
  end
  local function evaluate(trainer) return trainer:evaluate("last", { on = "train" }).loss end
  -- residuals 1 2 3 -5, mean 1/4; a few roundings of numbers below 30
  lu.assert_almost_equals(evaluate(make { loss = centered }), 39 / 4 - 1 / 16, 1e-5)
  -- weights 1/4 2/4 3/4 1: 39 / 2.5
  lu.assert_almost_equals(evaluate(make { loss = by_largest }), 15.6, 1e-5)
  for _, loss in ipairs { centered, by_largest } do
    lu.assert_error_msg_contains("eval_batch = 4", evaluate, make { loss = loss, eval_batch = 3 })
    lu.assert_error_msg_contains("leave micro_batch out", make, { loss = loss, micro_batch = 2 })
  end
end

-- Means, with terms that have no examples in them: cut or whole, the same step.
function TestAdditive:test_means_may_be_cut()
  for _, loss in ipairs { mse,
    function(o, y) return mse(o, y) * 3 + 0.5 end,
    function(o, y) return ops.sum(ops.square(o - y)) / ops.sum(o * 0 + 1) end,
    function(o, y) return ops.mean(ops.abs(o - y)) + ops.mean(ops.square(o)) end } do
    local whole, cut = make { loss = loss }, make { loss = loss, micro_batch = 1, eval_batch = 1 }
    whole:fit { steps = 1 }
    cut:fit { steps = 1 }
    -- some ten roundings of numbers below 16
    lu.assert_almost_equals(cut:weights():get(1), whole:weights():get(1), 1e-5)
    lu.assert_almost_equals(cut:evaluate("last", { on = "train" }).loss,
      whole:evaluate("last", { on = "train" }).loss, 1e-5)
  end
end

-- ------------------------------------------------------------------ rows of NaN

--- A norm over the batch even in evaluation: one example left to itself has no variance.
function TestAdditive:test_coupled_networks_are_not_cut_to_find_out()
  local net = sw.nn.Sequential { sw.nn.Linear(1, 3), sw.nn.BatchNorm(3, { track = false }),
    sw.nn.Linear(3, 1) }
  lu.assert_nil(make({ model = net, loss = mse }).engine.eval_graph.uneven)
end

TestNaNRows = {}

local function labelled(y, classes, outputs, changes)
  local o = { model = sw.nn.Linear(1, outputs, { init = 0 }), lr = 0.1,
    data = sw.data.from_tensors { train = { x = sw.ones { #y, 1 }, y = sw.tensor(y, "int32") },
      classes = classes } }
  for key, value in pairs(changes or {}) do o[key] = value end
  return sw.Trainer(o)
end

function TestNaNRows:test_they_are_no_hits()
  local trainer = labelled({ 0, 0, 1, 0 }, 3, 3)
  local found = trainer:evaluate(sw.full({ 6 }, 0 / 0), { on = "train" })
  lu.assert_nan(found.loss)
  lu.assert_equals(found.accuracy, 0)
  lu.assert_equals(trainer:evaluate(sw.zeros { 6 }, { on = "train" }).accuracy, 0.75)
  local logit = labelled({ 0, 0, 1, 0 }, 2, 1, { loss = sw.loss.logistic })
  lu.assert_equals(logit:evaluate(sw.full({ 2 }, 0 / 0), { on = "train" }).accuracy, 0)
  lu.assert_equals(logit:evaluate(sw.zeros { 2 }, { on = "train" }).accuracy, 0.75)
end

-- Several labels an example, each with a logit of its own: hits (1, 1), (1/2) and, of NaN, (0, 1).
function TestNaNRows:test_several_labels()
  local data = sw.data.from_tensors { classes = 2, train = {
    x = sw.tensor { { 1, -1 }, { 2, 3 }, { 0 / 0, 4 } },
    y = sw.tensor({ { 1, 0 }, { 0, 1 }, { 0, 1 } }, "int32") } }
  local same = sw.nn.Lambda(function(h, p) return h * p.one end, { one = sw.ones(1) })
  local trainer = sw.Trainer { model = same, data = data, lr = 0.1, loss = sw.loss.logistic }
  lu.assert_almost_equals(trainer:evaluate("last", { on = "train" }).accuracy, 2 / 3, 2e-7)
end

-- Of four rows one is NaN: the others count.
function TestNaNRows:test_one_row()
  local data = sw.data.from_tensors { train = { x = sw.tensor { { 1 }, { 1 }, { 0 / 0 }, { 1 } },
    y = sw.tensor({ 0, 0, 0, 1 }, "int32") }, classes = 2 }
  local trainer = labelled({ 0 }, 2, 2, { data = data })
  lu.assert_equals(trainer:evaluate(sw.zeros { 4 }, { on = "train" }).accuracy, 0.5)
end

function TestNaNRows:test_best_of_nothing_but_nan()
  local data = sw.data.from_tensors { train = { x = sw.ones { 4, 1 }, y = sw.zeros { 4, 1 } },
    valid = { x = sw.full({ 1, 1 }, 0 / 0), y = sw.zeros { 1, 1 } } }
  local trainer = sw.Trainer { model = sw.nn.Linear(1, 1), loss = sw.loss.mse, data = data,
    lr = 0.1, batch_size = 4 }
  lu.assert_error_msg_contains('no "best" yet', trainer.evaluate, trainer, "best")
  trainer:fit { epochs = 2 }
  lu.assert_error_msg_contains("the loss on data.valid was NaN", trainer.evaluate, trainer, "best")
  lu.assert_nil(trainer:best_epoch())
end
