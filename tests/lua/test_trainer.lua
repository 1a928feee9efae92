local core = require "swale.core"
local harness = require "trainer_harness"
local lu = require "luaunit"
local sw = require "swale"

TestTrainer = {}

local digits = sw.data.load "digits"
local fake_run, net, new = harness.fake_run, harness.net, harness.new
local weights_after = harness.weights_after

-- ------------------------------------------------------------------ training

function TestTrainer:test_learns()
  local trainer = new()
  local before = trainer:evaluate()
  trainer:fit { epochs = 5 }
  local after = trainer:evaluate()
  lu.assert_true(after.loss < 0.5 * before.loss)
  lu.assert_true(after.accuracy > 0.85)
  lu.assert_equals(after.examples, 300)
end

function TestTrainer:test_the_same_seed_gives_the_same_bits()
  local a, b = weights_after({}, { steps = 30 }), weights_after({}, { steps = 30 })
  lu.assert_equals(a, b)
  lu.assert_not_equals(weights_after({ seed = 2 }, { steps = 30 }), a)
end

function TestTrainer:test_fit_again_goes_on()
  local trainer = new()
  trainer:fit { epochs = 1 }
  trainer:fit { examples = 100 }
  trainer:fit { steps = 3 }
  local steps = trainer:state().step
  lu.assert_equals(trainer:weights():table(), weights_after({}, { steps = steps }))
end

function TestTrainer:test_a_measurement_changes_nothing()
  lu.assert_equals(
    weights_after({ measure = { noise_scale = sw.every { steps = 3 } } }, { steps = 40 }),
    weights_after({}, { steps = 40 }))
end

function TestTrainer:test_a_function_gives_what_the_number_gives()
  lu.assert_equals(weights_after({ lr = function() return 0.05 end }, { steps = 40 }),
    weights_after({}, { steps = 40 }))
  lu.assert_equals(weights_after({ lr = sw.schedule.constant(0.05) }, { steps = 40 }),
    weights_after({}, { steps = 40 }))
end

function TestTrainer:test_an_instance_is_trained_in_place()
  local model = net():build { seed = 5 }
  local trainer = new { model = model }
  lu.assert_is(trainer.model, model)
  local before = model:weights():table()
  trainer:fit { steps = 1 }
  lu.assert_not_equals(model:weights():table(), before)
end

function TestTrainer:test_targets_of_a_regression()
  local x = sw.tensor { { 0 }, { 1 }, { 2 }, { 3 } }
  local data = sw.data.from_tensors { train = { x = x, y = 2 * x + 1 } }
  local trainer = new { model = sw.nn.Linear(1, 1), data = data, loss = sw.loss.mse, batch_size = 4,
    lr = 0.02 }
  trainer:fit { steps = 300 }
  local found = trainer:evaluate("last", { on = "train" })
  lu.assert_true(found.loss < 1e-6)
  lu.assert_nil(found.accuracy)
end

-- ------------------------------------------------------------------ rules and the live state

function TestTrainer:test_a_rule_is_asked_once_before_each_step()
  local seen = {}
  new { lr = function(s)
    seen[#seen + 1] = s.step
    return 0.01
  end }:fit { steps = 4 }
  lu.assert_equals(seen, { 0, 1, 2, 3 })
end

function TestTrainer:test_a_rule_with_an_initial_value_is_asked_from_the_second_step_on()
  local seen, sizes = {}, {}
  local trainer = new { batch_size = sw.rule(8, function(s, mem)
    mem.calls = (mem.calls or 0) + 1
    seen[#seen + 1], sizes[#sizes + 1] = s.step, s.batch_size
    return 8 + mem.calls
  end) }
  trainer:fit { steps = 4 }
  lu.assert_equals(seen, { 1, 2, 3 })
  lu.assert_equals(sizes, { 8, 9, 10 })
  lu.assert_equals(trainer:state().examples, 8 + 9 + 10 + 11)
end

function TestTrainer:test_each_trainer_has_its_own_memory_of_a_rule()
  local counts = {}
  local rule = sw.rule(32, function(s, mem)
    mem.n = (mem.n or 0) + 1
    counts[s.step] = mem.n
    return 32
  end)
  new({ batch_size = rule }):fit { steps = 5 }
  new({ batch_size = rule }):fit { steps = 5 }
  lu.assert_equals(counts, { 1, 2, 3, 4 })
end

function TestTrainer:test_the_state_of_the_last_step()
  local states = {}
  new { lr = function(s)
    states[#states + 1] = { s.loss, s.grad_norm, s.epoch, s.lr, s.batch_size, s.momentum }
    return 0.01 * #states
  end }:fit { steps = 2 }
  lu.assert_nan(states[1][1])
  lu.assert_nan(states[1][2])
  lu.assert_nan(states[1][4])
  lu.assert_true(states[2][1] > 0 and states[2][2] > 0)
  lu.assert_almost_equals(states[2][3], 32 / 1197, 1e-12)
  lu.assert_equals({ table.unpack(states[2], 4) }, { 0.01, 32, 0.9 })
end

function TestTrainer:test_batches_are_rounded_down()
  local trainer = new { batch_size = function() return 7.9 end }
  trainer:fit { steps = 2 }
  lu.assert_equals(trainer:state().examples, 14)
  lu.assert_equals(new({ batch_size = 3.7 }):fit({ steps = 1 }):state().batch_size, 3)
end

function TestTrainer:test_rules_that_a_hook_replaces()
  local asked, rates = {}, {}
  local function rule(name, value)
    return function(s)
      asked[#asked + 1] = ("%s %d"):format(name, s.step)
      return value
    end
  end
  local trainer = new { lr = rule("a", 0.01), batch_size = sw.rule(4, rule("b", 8.5)) }
  trainer:on("step", function(s)
    rates[#rates + 1] = ("%g %d"):format(s.lr, s.batch_size)
    if s.step == 2 then trainer.lr = rule("c", 0.02) end
    if s.step == 3 then trainer.batch_size = 5 end
  end)
  trainer:fit { steps = 4 }
  lu.assert_equals(asked, { "a 0", "a 1", "b 1", "b 2", "c 2", "c 3" })
  lu.assert_equals(rates, { "0.01 4", "0.01 8", "0.02 8", "0.02 5" })
end

local function refused(changes, words)
  local trainer = new(changes)
  lu.assert_error_msg_contains(words, trainer.fit, trainer, { steps = 5 })
  return trainer
end

function TestTrainer:test_what_a_rule_may_not_say()
  refused({ lr = function(s) return s.step == 2 and 0 / 0 or 0.1 end }, "gave nan for step 3")
  refused({ lr = function() end }, "test_trainer.lua:")
  refused({ lr = function() return "fast" end }, 'gave "fast" for step 1')
  refused({ lr = function() return -1 end }, "must not be negative")
  refused({ batch_size = function() return 0.5 end }, "the batch_size rule")
  refused({ batch_size = function() return 0 end }, "at least 1 example")
  refused({ batch_size = function() return 1e12 end }, "1 to 2147483647 examples")
  refused({ batch_size = sw.rule(8, function() return 1 / 0 end) }, "finite number")
end

function TestTrainer:test_an_unknown_field_of_the_state()
  refused({ lr = function(s) return s.learning_rate end },
    'the state has no "learning_rate"; did you mean "lr"?')
end

function TestTrainer:test_a_measurement_that_is_not_made_names_measure()
  refused({ lr = function(s) return s.noise_scale.value end }, "measure = { noise_scale")
end

function TestTrainer:test_the_noise_scale_is_never_nil()
  local statuses = {}
  local trainer = new { measure = { noise_scale = sw.every { steps = 1 } },
    lr = function(s)
      statuses[#statuses + 1] = s.noise_scale.status
      return 0.01
    end }
  trainer:fit { steps = 170 }
  lu.assert_equals(statuses[1], "pending")
  lu.assert_not_equals(statuses[170], "pending") -- eight blocks of 20 updates
  local noise = trainer:state().noise_scale
  lu.assert_true(0 <= noise.low and noise.low <= noise.high)
end

function TestTrainer:test_an_error_in_a_rule_passes_through_and_training_goes_on()
  local angry = true
  local trainer = refused({ lr = function(s)
    if s.step == 3 and angry then error("my own words") end
    return 0.05
  end }, "my own words")
  angry = false
  trainer:fit { steps = 2 }
  lu.assert_equals(trainer:weights():table(), weights_after({}, { steps = 5 }))
end

function TestTrainer:test_fit_within_a_rule_is_refused()
  local trainer
  trainer = new { lr = function() trainer:fit { steps = 1 } end }
  lu.assert_error_msg_contains("Trainer:fit: already running", trainer.fit, trainer, { steps = 1 })
end

--- A coroutine that was dropped within a fit never ends it; the weights stay where they were.
function TestTrainer:test_a_fit_whose_coroutine_is_gone()
  local yielding = true
  local trainer = new { lr = function()
    if yielding then coroutine.yield() end
    return 0.05
  end }
  local fit = coroutine.wrap(function() trainer:fit { steps = 9 } end)
  for _ = 1, 3 do fit() end -- two steps
  lu.assert_error_msg_contains("already running", trainer.fit, trainer, { steps = 1 })
  fit, yielding = nil, false -- luacheck: ignore 311
  trainer:fit { steps = 3 }
  lu.assert_equals(trainer:state().step, 5)
  lu.assert_equals(trainer:weights():table(), weights_after({}, { steps = 5 }))
end

function TestTrainer:test_a_rule_that_yields()
  local trainer = new { lr = function()
    coroutine.yield()
    return 0.05
  end }
  local fit = coroutine.create(function() trainer:fit { steps = 2 } end)
  lu.assert_true(coroutine.resume(fit))
  lu.assert_error_msg_contains("already running", trainer.fit, trainer, { steps = 1 })
  while coroutine.status(fit) ~= "dead" do assert(coroutine.resume(fit)) end
  lu.assert_equals(trainer:weights():table(), weights_after({}, { steps = 2 }))
end

function TestTrainer:test_a_rule_that_never_comes_back_harms_nothing()
  local trainer = new { lr = function() coroutine.yield() end }
  local fit = coroutine.create(function() trainer:fit { steps = 2 } end)
  coroutine.resume(fit)
  coroutine.close(fit)
  trainer.lr = 0.05
  trainer:fit { steps = 2 }
  lu.assert_equals(trainer:weights():table(), weights_after({}, { steps = 2 }))
  coroutine.resume(coroutine.create(function()
    new({ lr = function() coroutine.yield() end }):fit { steps = 1 }
  end))
  collectgarbage()
  collectgarbage()
end

function TestTrainer:test_settings_may_change_between_and_within()
  local trainer = new()
  trainer:fit { steps = 2 }
  trainer.lr = 0.01
  trainer.batch_size = sw.rule(16, function() return 16 end)
  trainer:fit { steps = 2 }
  lu.assert_equals(trainer:state().lr, 0.01)
  lu.assert_equals(trainer:state().examples, 2 * 32 + 2 * 16)
  trainer.momentum = function(s)
    trainer.lr = 0.001
    return s.step > 4 and 0.5 or 0.9
  end
  trainer:fit { steps = 2 }
  lu.assert_equals({ trainer:state().lr, trainer:state().momentum }, { 0.001, 0.5 })
  lu.assert_error_msg_contains('"learning_rate" cannot be set; did you mean "lr"?',
    function() trainer.learning_rate = 1 end)
end

-- ------------------------------------------------------------------ events and records

function TestTrainer:test_captures_lie_after_the_start()
  local swa = sw.average.SWA { start = { epochs = 2 }, every = { epochs = 1 }, keep = true }
  local run = fake_run()
  new({ average = swa }):fit { epochs = 5, run = run }
  lu.assert_equals(swa.count, 3)
  local marks = {}
  for i, line in ipairs(run:of "capture") do
    lu.assert_equals(line.n, i)
    marks[i] = line.examples // 1197
    lu.assert_true(line.examples % 1197 < 32)
  end
  lu.assert_equals(marks, { 3, 4, 5 })
end

function TestTrainer:test_captures_by_steps()
  local swa = sw.average.SWA { start = { steps = 4 }, every = { steps = 2 }, keep = true }
  new({ average = swa }):fit { steps = 10 }
  lu.assert_equals(swa.count, 3)
  local mixed = sw.average.SWA { start = { epochs = 1 }, every = { steps = 10 } }
  new({ average = mixed }):fit { steps = 60 } -- an epoch has 38 steps
  lu.assert_equals(mixed.count, 3)
end

function TestTrainer:test_the_average_is_the_mean_of_what_was_captured()
  local swa = sw.average.SWA { every = { steps = 3 }, keep = true }
  local trainer = new { average = swa }
  trainer:fit { steps = 9 }
  local sum = swa.captured[1] + swa.captured[2] + swa.captured[3]
  local difference = (swa:weights() - sum * (1 / 3)):norm()
  lu.assert_true(difference < 1e-6 * swa:weights():norm())
  lu.assert_equals(swa.captured[3]:table(), trainer:weights():table())
end

function TestTrainer:test_a_large_batch_crosses_several_marks_once()
  local swa = sw.average.SWA { every = { examples = 10 } }
  new({ average = swa }):fit { steps = 3 }
  lu.assert_equals(swa.count, 3)
end

function TestTrainer:test_a_line_every_ten_steps_and_one_at_the_end()
  local run, steps = fake_run(), {}
  new():fit { steps = 25, run = run }
  for i, line in ipairs(run:of "step") do
    steps[i] = line.step
    lu.assert_equals(line.examples, 32 * line.step)
    lu.assert_true(line.loss > 0 and line.grad_norm > 0 and line.lr == 0.05)
  end
  lu.assert_equals(steps, { 10, 20, 25 })
  lu.assert_equals(run.last_progress.total, 25)
end

function TestTrainer:test_the_loss_of_a_line_is_the_mean_since_the_last()
  local losses, run = {}, fake_run()
  new({ lr = function(s)
    if s.step > 0 then losses[s.step] = s.loss end
    return 0.05
  end }):fit { steps = 11, run = run }
  local sum = 0
  for i = 1, 10 do sum = sum + losses[i] end
  lu.assert_almost_equals(run:of("step")[1].loss, sum / 10, 1e-12)
end

function TestTrainer:test_the_end_of_an_epoch()
  local run = fake_run()
  local swa = sw.average.SWA { start = { epochs = 1 }, every = { epochs = 1 } }
  local trainer = new { average = swa }
  trainer:fit { epochs = 2, run = run }
  local epochs = run:of "epoch"
  lu.assert_equals(#epochs, 2)
  lu.assert_nil(epochs[1].swa_valid_loss)
  lu.assert_almost_equals(epochs[2].valid_loss, trainer:evaluate().loss, 1e-12)
  lu.assert_almost_equals(epochs[2].swa_valid_accuracy, trainer:evaluate("swa").accuracy, 1e-12)
  lu.assert_true(epochs[2].loss < epochs[1].loss)
  lu.assert_equals(#run.checkpoints, 2)
end

function TestTrainer:test_a_checkpoint_holds_what_training_needs()
  local run = fake_run()
  local trainer = new { average = sw.average.SWA { every = { steps = 5 } } }
  trainer:fit { steps = 10, run = run }
  local saved = run.checkpoints[#run.checkpoints]
  lu.assert_equals(saved.weights, trainer:weights():table())
  lu.assert_equals(saved.tensors.momentum:shape(), trainer:weights():shape())
  lu.assert_equals(saved.tensors.average:table(), trainer.average:weights():table())
  lu.assert_equals({ saved.metadata.step, saved.metadata.average_count }, { "10", "2" })
  lu.assert_equals(core.json_decode(saved.metadata.segments)[3].path, "2.weight")
end

function TestTrainer:test_a_batch_that_changes_is_recorded()
  local run = fake_run()
  new({ batch_size = sw.rule(8, function(s) return s.step >= 3 and 16 or 8 end) })
    :fit { steps = 6, run = run }
  local changes = run:of "batch_size"
  lu.assert_equals(#changes, 1)
  lu.assert_equals({ changes[1].step, changes[1].from, changes[1].to }, { 4, 8, 16 })
end

function TestTrainer:test_noise_is_recorded_where_it_is_measured()
  local run = fake_run()
  new({ measure = { noise_scale = sw.every { steps = 1 } } }):fit { steps = 170, run = run }
  local lines = run:of "step"
  local line = lines[#lines]
  lu.assert_not_equals(line.noise_scale_status, "pending")
  lu.assert_true(line.noise_scale_low >= 0)
end

-- ------------------------------------------------------------------ what goes wrong

function TestTrainer:test_a_loss_that_is_not_finite()
  local run = fake_run()
  local trainer = new { lr = 1e12 }
  local ok, fault = pcall(trainer.fit, trainer, { steps = 200, run = run })
  lu.assert_false(ok)
  lu.assert_equals(fault.kind, "diverged")
  local step = math.tointeger(fault.message:match "^step (%d+): the loss is %a+ %(last finite ")
  lu.assert_equals(step, trainer:state().step + 1)
  lu.assert_str_contains(fault.message, ("at step %d; lr 1e+12, gradient norm"):format(step - 1))
  lu.assert_equals(run.lines[#run.lines].step, step - 1)
  lu.assert_equals(run.checkpoints[#run.checkpoints].metadata.step, tostring(step - 1))
end

function TestTrainer:test_ctrl_c_ends_in_good_order()
  core.catch_signals()
  local run = fake_run()
  local trainer = new { lr = function(s)
    if s.step == 5 then io.popen("kill -INT $PPID"):close() end
    return 0.05
  end }
  local ok, fault = pcall(trainer.fit, trainer, { epochs = 1000, run = run })
  core.clear_interrupt()
  lu.assert_false(ok)
  lu.assert_is(fault, core.INTERRUPTED)
  lu.assert_equals(#run.checkpoints > 0, true)
  lu.assert_equals(run.checkpoints[#run.checkpoints].metadata.step, tostring(trainer:state().step))
  trainer.lr = 0.05
  trainer:fit { steps = 1 }
end

-- w is used twice, and a layer that subtracts the mean over the batch couples examples.
function TestTrainer:test_per_example_norms_that_cannot_be_had()
  local measure = { noise_scale = sw.every { steps = 5 } }
  local twice = sw.nn.Lambda(function(x, p) return x:matmul(p.w):relu():matmul(p.w):matmul(p.v) end,
    { w = { shape = { 64, 64 } }, v = { shape = { 64, 10 } } })
  lu.assert_error_msg_contains('none of "w": its gradient is not', new,
    { model = twice, measure = measure })
  local coupled = sw.nn.Sequential { sw.nn.Linear(64, 10),
    function(x) return x - x:mean(1, true) end }
  lu.assert_error_msg_contains('none of "0.weight": its gradient is made of coupled examples', new,
    { model = coupled, measure = measure })
end

function TestTrainer:test_measure_comes_before_the_first_step()
  local trainer = new()
  trainer:state()
  trainer:measure("noise_scale", sw.every { steps = 2 })
  trainer:fit { steps = 4 }
  local late = new():fit { steps = 1 }
  lu.assert_error_msg_contains("before the first step", late.measure, late, "noise_scale",
    sw.every { steps = 2 })
end

function TestTrainer:test_an_unknown_field()
  local trainer = new()
  lu.assert_error_msg_contains('the trainer has no "learning_rate"; did you mean "lr"?',
    function() return trainer.learning_rate end)
  lu.assert_error_msg_contains('the trainer has no "fti"; did you mean "fit"?',
    function() trainer:fti(1) end)
  lu.assert_nil(trainer.average)
end

function TestTrainer:test_refusals()
  local function refuses(changes, words) lu.assert_error_msg_contains(words, new, changes) end
  refuses({ learning_rate = 1 }, 'unknown option "learning_rate"; did you mean "lr"?')
  refuses({ lr = "fast" }, "lr must be a finite number, a schedule, a rule or a function")
  refuses({ lr = -1 }, "lr is -1")
  refuses({ batch_size = 0 }, "at least 1 example")
  refuses({ model = 3 }, "model must be a layer or an instance of one")
  refuses({ data = {} }, "no train split")
  refuses({ optimizer = sw.optim.SGD { lr = 1 } }, "lr is given twice")
  refuses({ momentum = 0.5 }, "momentum is given twice")
  refuses({ measure = { noise_scal = 1 } }, 'did you mean "noise_scale"?')
  refuses({ measure = { noise_scale = sw.every(1) } }, "every so many whole steps")
  refuses({ model = sw.nn.Linear(64, 9) }, "the model has 9 outputs, the data 10 classes")
  refuses({ model = sw.nn.Linear(65, 10) }, "nn.Linear(64, 10) takes that")
  refuses({ loss = sw.loss.mse }, "in loss.mse of output (batch, 10) and labels (batch)")
  refuses({ model = sw.nn.Lambda(function() end, { w = sw.ones(3) }) },
    "nn.Lambda: the function gave nil; it has to return what it computed from x")
  lu.assert_error_msg_contains("needs lr", sw.Trainer, { model = net(), data = digits })
  local trainer = new()
  lu.assert_error_msg_contains("how long?", trainer.fit, trainer, {})
  lu.assert_error_msg_contains("called as trainer:fit { epochs = 12, run = run }", trainer.fit,
    trainer, 1, fake_run())
  lu.assert_error_msg_contains("methods are called with a colon: trainer:fit", trainer.fit,
    { epochs = 1 })
  lu.assert_error_msg_contains("run must be the run that an experiment is given, not a table",
    trainer.fit, trainer, { epochs = 1, run = {} })
  lu.assert_error_msg_contains("one unit", trainer.fit, trainer, { epochs = 1, steps = 3 })
  lu.assert_error_msg_contains("steps must be a whole number above 0, not 0", trainer.fit, trainer,
    { steps = 0 })
end

function TestTrainer:test_splits_must_be_alike()
  local function refuses(words, valid)
    local data = sw.data.from_tensors { train = { x = sw.ones { 9, 3 }, y = sw.zeros { 9, 2 } },
      valid = valid }
    lu.assert_error_msg_contains(words, sw.Trainer,
      { model = sw.nn.Linear(3, 2), data = data, lr = 0.1, loss = sw.loss.mse })
  end
  local x = sw.ones { 4, 3 }
  refuses("data.train has targets (2), but data.valid has neither labels nor targets", { x = x })
  refuses("but data.valid has targets (1)", { x = x, y = sw.ones { 4, 1 } })
  local flat = sw.data.from_tensors { train = { x = x, y = sw.zeros(4) } }
  lu.assert_error_msg_contains("the target has shape (batch), expected (batch, 1), as the output",
    sw.Trainer, { model = sw.nn.Linear(3, 1), data = flat, lr = 0.1, loss = sw.loss.mse })
end

-- ------------------------------------------------------------------ evaluation

function TestTrainer:test_evaluate_agrees_with_the_model()
  local trainer = new { eval_batch = 7 }
  trainer:fit { steps = 20 }
  local index = {}
  for i = 1, #digits.test do index[i] = i end
  local x, y = digits.test:gather(index)
  local logits = trainer.model:forward(x)
  local found = trainer:evaluate("last", { on = "test" })
  lu.assert_almost_equals(found.loss, sw.ops.cross_entropy(logits, y):mean():item(), 1e-6)
  local hits, guess = 0, logits:argmax():table()
  for i, label in ipairs(y:table()) do hits = hits + (guess[i] == label and 1 or 0) end
  lu.assert_almost_equals(found.accuracy, hits / #index, 1e-12)
  lu.assert_str_contains(tostring(found), "(test, 300 examples)")
end

function TestTrainer:test_a_loss_that_gives_a_mean_is_evaluated_too()
  local function mean(output, target) return sw.loss.cross_entropy(output, target):mean() end
  local a = new({ loss = mean, eval_batch = 64 }):fit { steps = 10 }
  local b = new():fit { steps = 10 }
  lu.assert_equals(a:weights():table(), b:weights():table())
  lu.assert_almost_equals(a:evaluate().loss, b:evaluate().loss, 1e-6)
  lu.assert_almost_equals(a:evaluate().accuracy, b:evaluate().accuracy, 1e-12)
end

function TestTrainer:test_a_loss_that_gives_a_sum_is_refused()
  lu.assert_error_msg_contains("a loss function that returns one number must return the mean", new,
    { loss = function(output, target) return sw.loss.cross_entropy(output, target):sum() end })
end

function TestTrainer:test_a_mean_has_the_same_norms()
  local measure = { noise_scale = sw.every { steps = 1 } }
  local function mean(output, target) return sw.loss.cross_entropy(output, target):mean() end
  local a = new({ loss = mean, measure = measure }):fit { steps = 170 }
  local b = new({ measure = measure }):fit { steps = 170 }
  lu.assert_equals(a:state().noise_scale, b:state().noise_scale)
end

function TestTrainer:test_best_is_chosen_on_valid()
  local trainer = new { lr = function(s) return s.epoch < 2 and 0.05 or 3 end }
  trainer:fit { epochs = 3 }
  lu.assert_true(trainer:best_epoch() < 2.1)
  lu.assert_true(trainer:evaluate("best").accuracy > trainer:evaluate("last").accuracy)
end

function TestTrainer:test_what_evaluate_takes()
  local trainer = new { average = sw.average.SWA { start = { epochs = 9 } } }
  local function refuses(words, ...)
    lu.assert_error_msg_contains(words, trainer.evaluate, trainer, ...)
  end
  refuses('did you mean "last"?', "lst")
  refuses("nothing was captured; averaging begins after 9 epochs", "swa")
  refuses('no "best" yet', "best")
  refuses('did you mean "test"?', "last", { on = "tset" })
  refuses("3 weights, the model has", sw.zeros { 3 })
  lu.assert_almost_equals(trainer:evaluate(trainer:weights():clone()).loss,
    trainer:evaluate().loss, 1e-12)
  lu.assert_equals(trainer:evaluate("last", { on = digits.train:sample(50) }).examples, 50)
end

function TestTrainer:test_report()
  local run = fake_run()
  local trainer = new { average = sw.average.SWA { start = 1 } }
  trainer:fit { epochs = 3 }
  local rows = trainer:report(run)
  lu.assert_equals(#rows, 4)
  lu.assert_str_contains(rows[3].name, "mean of 2 captured iterates")
  lu.assert_almost_equals(rows[4].test_accuracy,
    trainer:evaluate("swa", { on = "test" }).accuracy, 1e-12)
  lu.assert_str_contains(run.printed[1], "test accuracy")
end

function TestTrainer:test_a_report_without_captures_says_so()
  local run = fake_run()
  local trainer = new { average = sw.average.SWA { start = 5 } }
  trainer:fit { epochs = 1 }
  lu.assert_equals(#trainer:report(run), 2)
  lu.assert_str_contains(run.printed[2], "no captures: averaging begins after 5 epochs")
end

-- ------------------------------------------------------------------ memory that runs out

-- Makes, trains and evaluates with the n-th allocation of the core failing, for n = 1, 2, … until
-- nothing fails any more. Every failure is a clean error.
function TestTrainer:test_every_allocation_may_fail()
  local function all()
    local trainer = new { measure = { noise_scale = sw.every { steps = 1 } },
      average = sw.average.SWA { every = { steps = 2 } } }
    trainer:fit { steps = 3 }
    trainer:evaluate "swa"
  end
  all()
  local n, failed = 0, 0
  local ok
  repeat
    n = n + 1
    core.fail_allocation(n, true)
    local message
    ok, message = pcall(all)
    core.fail_allocation(0)
    if not ok then
      failed = failed + 1
      lu.assert_str_contains(tostring(message), "memory")
    end
  until ok or n == 2000
  lu.assert_true(ok)
  lu.assert_true(failed > 20)
end
