-- Options of a trainer besides the four numbers, and its messages.
local harness = require "trainer_harness"
local lu = require "luaunit"
local sw = require "swale"

TestTraining = {}

local fake_run, new, weights_after = harness.fake_run, harness.new, harness.weights_after

-- ------------------------------------------------------------------ averages side by side

local function averaged()
  return { sw.average.SWA { start = { epochs = 1 } }, ema = sw.average.EMA { decay = 0.98 },
    two = sw.average.LastK { k = 2 } }
end

function TestTraining:test_averages_are_evaluated_side_by_side()
  local run, trainer = fake_run(), new { average = averaged() }
  trainer:fit { epochs = 3, run = run }
  local last = run:of("epoch")[3]
  for _, name in ipairs { "swa", "ema", "two" } do
    lu.assert_almost_equals(last[name .. "_valid_loss"], trainer:evaluate(name).loss, 1e-12)
    lu.assert_true(trainer:evaluate(name).accuracy > 0.5)
  end
  lu.assert_equals(trainer.average.ema.count, trainer:state().step)
  lu.assert_equals(trainer.average.two.count, 3)
end

function TestTraining:test_averages_change_nothing_and_are_kept()
  lu.assert_equals(weights_after({ average = averaged() }, { epochs = 2 }),
    weights_after({}, { epochs = 2 }))
  local run = fake_run()
  local trainer = new { average = averaged() }
  trainer:fit { epochs = 2, run = run }
  local saved = run.checkpoints[#run.checkpoints]
  lu.assert_equals(saved.tensors["average.two"]:table(), trainer.average.two:weights():table())
  lu.assert_equals(saved.metadata["average_count.swa"], "1")
end

function TestTraining:test_the_report_has_a_row_for_each()
  local run, trainer = fake_run(), new { average = averaged() }
  trainer:fit { epochs = 3 }
  local names = {}
  for i, row in ipairs(trainer:report(run)) do names[i] = row.name end
  lu.assert_equals(names[3], "mean of 2 captured iterates")
  lu.assert_equals(names[4], "SWA of 2 captures")
  lu.assert_equals(names[6], "two (LastK of 3 captures)")
end

function TestTraining:test_names_of_averages()
  local swa = sw.average.SWA
  lu.assert_error_msg_contains('two averages are called "swa"', new, { average = { swa(), swa() } })
  lu.assert_error_msg_contains('cannot be called "best"', new, { average = { best = swa() } })
  lu.assert_error_msg_contains("average must be an average (sw.average.SWA { … })", new,
    { average = { 3 } })
  local trainer = new()
  lu.assert_error_msg_contains("average = sw.average.EMA", trainer.evaluate, trainer, "ema")
end

-- ------------------------------------------------------------------ groups, batches, order

function TestTraining:test_frozen_parameters_stay()
  local trainer = new { groups = { { match = "^0", frozen = true } } }
  local before = trainer.model:state_dict()
  trainer:fit { steps = 5 }
  local after = trainer.model:state_dict()
  lu.assert_equals(after["0.weight"]:table(), before["0.weight"]:table())
  lu.assert_not_equals(after["2.weight"]:table(), before["2.weight"]:table())
end

function TestTraining:test_factors_of_a_group()
  local function moved(groups)
    local trainer = new { groups = groups, optimizer = sw.optim.SGD {} }
    local before = trainer.model:parameter("2.bias"):clone()
    trainer:fit { steps = 1 }
    return (trainer.model:parameter "2.bias" - before):norm()
  end
  local whole = moved(nil)
  lu.assert_almost_equals(moved { { match = "bias", lr = 0.5 } }, whole / 2, 1e-7)
  lu.assert_almost_equals(moved { { match = function(path) return path == "2.bias" end, lr = 2 } },
    2 * whole, 1e-7)
end

function TestTraining:test_groups_that_are_wrong()
  local function refuses(groups, words)
    lu.assert_error_msg_contains(words, new, { groups = groups })
  end
  refuses({ { match = "fc" } }, "matches no parameter, or an earlier one took them: 0.weight")
  refuses({ { match = "[" } }, "is no Lua pattern")
  refuses({ { match = ".", frozen = true } }, "all parameters are frozen")
  refuses({ match = "bias" }, "groups is a list")
  refuses({ { match = "bias", rate = 1 } }, 'unknown option "rate"; did you mean "lr"?')
  lu.assert_error_msg_contains("groups are for native optimizers", new,
    { optimizer = function() end, groups = { { match = "bias" } } })
end

function TestTraining:test_micro_batches_change_next_to_nothing()
  local whole, parts = new { batch_size = 60 }, new { batch_size = 60, micro_batch = 7 }
  whole:fit { steps = 10 }
  parts:fit { steps = 10 }
  local difference = (whole:weights() - parts:weights()):norm()
  lu.assert_true(difference < 1e-4 * whole:weights():norm())
  lu.assert_equals(parts:state().examples, 600)
end

function TestTraining:test_the_rate_follows_the_batch()
  local function rate(o)
    o.batch_size = sw.rule(32, function() return 128 end)
    return new(o):fit({ steps = 2 }):state().lr
  end
  lu.assert_almost_equals(rate {}, 0.05, 1e-12)
  lu.assert_almost_equals(rate { lr_scaling = "linear" }, 0.2, 1e-12)
  lu.assert_almost_equals(rate { lr_scaling = "sqrt" }, 0.1, 1e-12)
  lu.assert_almost_equals(rate { lr_scaling = "sqrt", reference_batch = 128 }, 0.05, 1e-12)
  lu.assert_almost_equals(rate { lr_scaling = "linear",
    optimizer = function() end }, 0.2, 1e-12)
  lu.assert_error_msg_contains("needs a reference_batch", new,
    { lr_scaling = "sqrt", batch_size = function() return 3 end })
  lu.assert_error_msg_contains("goes with lr_scaling", new, { reference_batch = 3 })
end

function TestTraining:test_samplers_and_subsets()
  local data, all = sw.data.load "digits", {}
  for i = 1, 64 do all[i] = i end
  local x, y = data.train:gather(all)
  local small = sw.data.from_tensors { train = { x = x, y = y }, classes = 10 }
  local a = new { data = small, sampler = "sequential" }
  local b = new { subset = all, sampler = "sequential" }
  lu.assert_equals(b:fit({ epochs = 2 }):weights():table(),
    a:fit({ epochs = 2 }):weights():table())
  lu.assert_equals(b:state().examples, 128)
  lu.assert_not_equals(weights_after({ sampler = "independent" }, { steps = 3 }),
    weights_after({}, { steps = 3 }))
  lu.assert_error_msg_contains("position 0 (entry 2)", new, { subset = { 1, 0 } })
end

function TestTraining:test_clipping_limits_the_update()
  local trainer = new { clip_norm = 1e-3, optimizer = sw.optim.SGD {}, lr = 1 }
  local before = trainer:weights():clone()
  trainer:fit { steps = 1 }
  lu.assert_almost_equals((trainer:weights() - before):norm(), 1e-3, 1e-6)
  lu.assert_true(trainer:state().grad_norm > 0.1)
end

-- ------------------------------------------------------------------ hooks

function TestTraining:test_hooks_are_called_when_things_happen()
  local seen, trainer = {}, new {
    average = sw.average.SWA {}, batch_size = sw.rule(32, function(s)
      return s.step >= 40 and 64 or 32
    end) }
  for _, event in ipairs { "step", "epoch", "capture", "batch_size", "end" } do
    trainer:on(event, function(s, who, line)
      lu.assert_is(who, trainer)
      seen[event] = seen[event] or {}
      table.insert(seen[event], { s.step, line })
    end)
  end
  trainer:fit { epochs = 2 }
  lu.assert_equals(#seen.step, trainer:state().step)
  lu.assert_equals(seen.step[3][1], 3)
  lu.assert_equals(#seen.epoch, 2)
  lu.assert_true(seen.epoch[2][2].valid_accuracy > 0.3)
  lu.assert_equals({ seen.capture[2][2].n, #seen["end"] }, { 2, 1 })
  lu.assert_equals({ seen.batch_size[1][1], seen.batch_size[1][2].to }, { 41, 64 })
end

function TestTraining:test_hooks_change_nothing_unless_they_do()
  local watched = new():on("step", function() end)
  lu.assert_equals(watched:fit({ steps = 40 }):weights():table(), weights_after({}, { steps = 40 }))
  local trainer = new()
  trainer:on("step", function(s, t) if s.step == 2 then t.lr = 0.001 end end)
  lu.assert_equals(trainer:fit({ steps = 3 }):state().lr, 0.001)
end

function TestTraining:test_hooks_that_are_not_there()
  local trainer = new()
  lu.assert_error_msg_contains('nothing is called "steps"; did you mean "step"?', trainer.on,
    trainer, "steps", print)
  lu.assert_error_msg_contains("f must be a function", trainer.on, trainer, "step")
end

-- ------------------------------------------------------------------ what is looked at

function TestTraining:test_looking_changes_no_bit()
  local run = fake_run()
  local looked = new():fit { epochs = 2, run = run }
  lu.assert_equals(looked:weights():table(), weights_after({}, { epochs = 2 }))
  local line = run:of("epoch")[2]
  lu.assert_true(line.dead_units["0"] >= 0 and line.dead_units["0"] < 1)
  lu.assert_true(line.update_ratio["0.weight"] > 1e-5 and line.update_ratio["0.weight"] < 1)
  lu.assert_true(line.margin_low < line.margin_mean)
end

function TestTraining:test_dead_units_and_margins_are_counted_right()
  local trainer = new { lr = 0 }
  local bias = trainer.model:parameter "0.bias"
  for unit = 1, 8 do bias:set(unit, -1e6) end
  local run = fake_run()
  trainer:fit { epochs = 1, run = run }
  lu.assert_almost_equals(run:of("epoch")[1].dead_units["0"], 0.5, 1e-7)
  lu.assert_str_contains(table.concat(run.printed, "\n"), "50 % of the units of layer 0 are dead")
  local all = {}
  for i = 1, #trainer.data.valid do all[i] = i end
  local x, y = trainer.data.valid:gather(all)
  local z, labels, sum = trainer.model:forward(x):table(), y:table(), 0
  for i, row in ipairs(z) do
    local mine, other = row[labels[i] + 1], -math.huge
    for c, v in ipairs(row) do if c ~= labels[i] + 1 then other = math.max(other, v) end end
    sum = sum + mine - other
  end
  lu.assert_almost_equals(run:of("epoch")[1].margin_mean, sum / #z, 1e-4)
end

function TestTraining:test_each_thing_is_said_once_and_only_if_there_is_something()
  local run = fake_run()
  local trainer = new()
  for _ = 1, 3 do trainer:fit { epochs = 1, run = run } end
  local text = table.concat(run.printed, "\n")
  lu.assert_equals(select(2, text:gsub("the loss still falls", "")), 1)
  local still = fake_run()
  new({ lr = 1e-9 }):fit { epochs = 1, run = still }
  lu.assert_str_contains(table.concat(still.printed, "\n"), "the rate may be too small")
end

function TestTraining:test_the_best_weights_are_kept()
  local run = fake_run()
  local trainer = new()
  trainer:fit { epochs = 3, run = run }
  local best = run.best[#run.best]
  lu.assert_equals(best.name, "best")
  lu.assert_almost_equals(trainer:evaluate(sw.tensor(best.weights)).loss,
    trainer:evaluate("best").loss, 1e-12)
end

function TestTraining:test_evaluate_says_that_it_took_train()
  local x = sw.randn { 20, 3 }
  local data = sw.data.from_tensors { train = { x = x, y = x:matmul(sw.ones { 3, 1 }) } }
  local trainer = sw.Trainer { model = sw.nn.Linear(3, 1), data = data, lr = 0.01,
    loss = sw.loss.mse }
  lu.assert_str_contains(tostring(trainer:evaluate()), "(train: there is no valid, 20 examples)")
  lu.assert_equals(trainer:evaluate("last", { on = "train" }).on, "train")
end

function TestTraining:test_plain_functions_have_a_memory_too()
  local counts = {}
  new({ lr = function(s, mem)
    mem.n = (mem.n or 0) + 1
    counts[#counts + 1] = mem.n + s.step * 0
    return 0.01
  end }):fit { steps = 3 }
  lu.assert_equals(counts, { 1, 2, 3 })
end

-- A first layer whose weights overflow: the core knows which operation was the first.
function TestTraining:test_a_divergence_names_the_operation()
  local trainer = new { lr = 1e30 }
  local ok, fault = pcall(trainer.fit, trainer, { steps = 50 })
  lu.assert_false(ok)
  lu.assert_equals(fault.kind, "diverged")
  lu.assert_str_contains(fault.message, "\n") -- the core's own words, on a line of their own
end

--- Labels on valid that the training set contradicts: its loss rises.
function TestTraining:test_a_rising_loss_on_valid_is_said_with_its_epoch()
  local digits = sw.data.load "digits"
  local x, y = digits.train:gather { 1, 2, 3, 4, 5, 6, 7, 8 }
  local other = {}
  for i, label in ipairs(y:table()) do other[i] = (label + 1) % 10 end
  local data = sw.data.from_tensors { train = { x = x, y = y },
    valid = { x = x, y = sw.tensor(other, "int32") }, classes = 10 }
  local run = harness.fake_run()
  new({ data = data, batch_size = 4 }):fit { epochs = 20, run = run }
  lu.assert_str_contains(table.concat(run.printed, "\n"), "since epoch 1: it overfits")
end

-- ------------------------------------------------------------------ vectors are vectors

function TestTraining:test_the_loss_on_a_sample_is_a_function_of_weights()
  local trainer = new():fit { steps = 20 }
  local model, sample = trainer.model, trainer.data.train:sample(200)
  local loss, w = model:loss_on(sample), model:weights()
  lu.assert_almost_equals(loss(w), trainer:evaluate(w, { on = sample }).loss, 1e-6)
  local d = sw.randn(#w)
  d = d * (w:norm() / d:norm())
  local slope = (loss(w + 1e-3 * d) - loss(w - 1e-3 * d)) / 2e-3
  lu.assert_almost_equals(slope, loss:gradient(w):dot(d), 2e-2 * math.abs(slope) + 1e-2)
  lu.assert_error_msg_contains("a batch is { x = tensor, y = tensor }", model.loss_on, model, {})
end

function TestTraining:test_check_gradient_takes_a_model_and_names_the_worst()
  local model = harness.net():build { seed = 1 }
  local x, y = sw.data.load("digits").train:gather { 1, 2, 3 }
  local worst, errors, path = sw.check_gradient(model, { x = x, y = y })
  lu.assert_true(worst < 1e-5)
  lu.assert_equals(errors[path], worst)
  lu.assert_error_msg_contains("on which batch?", sw.check_gradient, model)
end
