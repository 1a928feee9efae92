--- swale check, and the plans of trainers it is made of.
local command = require "command"
local folders = require "swale.folders"
local lu = require "luaunit"
local sw = require "swale"

TestCheck = command.in_a_folder()

function TestCheck:check(...) return command.swale(self.dir, { "check", "a.lua", ... }) end

local function contains(text, ...)
  for _, part in ipairs { ... } do lu.assert_str_contains(text, part) end
end

local function trainer_of(o)
  o.data, o.model = sw.data.load "digits", sw.nn.Linear(64, 10)
  o.lr = o.lr or 0.01
  return sw.Trainer(o)
end

--- A plan's numbers are those of the training that follows.
local function is_exact(trainer, length)
  local s = trainer:state()
  local step, examples = s.step, s.examples
  local plan = trainer:plan(length)
  trainer:fit(length)
  s = trainer:state()
  lu.assert_equals({ plan.updates, plan.examples }, { s.step - step, s.examples - examples })
  return plan
end

function TestCheck:test_rows_have_all_weights()
  local net = sw.zoo.char_transformer { vocabulary = 5, length = 4, layers = 1, heads = 2,
    size = 4 }
  local rows, sum = require("swale.check.layers").rows(net, { features = { 4 }, index = true,
    labels = true, target = { 4 } }), 0
  for _, row in ipairs(rows) do sum = sum + row.weights end
  lu.assert_equals(sum, net:build():weights():numel())
end

function TestCheck:test_a_plan_of_a_fixed_batch()
  local trainer = trainer_of { batch_size = 32 }
  local plan = is_exact(trainer, { epochs = 2 })
  lu.assert_equals({ plan.smallest, plan.largest, plan.live }, { 32, 32, false })
  is_exact(trainer, { steps = 7 })
  is_exact(trainer, { examples = 100 })
  is_exact(trainer, { epochs = 0.3 })
end

function TestCheck:test_a_plan_of_a_schedule_goes_on_from_where_it_is()
  local step = sw.schedule.step { value = 16, gamma = 2, period = 1 }
  local trainer = trainer_of { batch_size = step }
  local plan = is_exact(trainer, { epochs = 2.5 })
  lu.assert_equals({ plan.smallest, plan.largest }, { 16, 64 })
  plan = is_exact(trainer, { epochs = 2 })
  lu.assert_equals({ plan.smallest, plan.largest }, { 64, 256 })
  local sum = 0
  for batch, n in pairs(plan.batch_sizes) do sum = sum + batch * n end
  lu.assert_equals(sum, plan.examples)
end

function TestCheck:test_a_plan_of_a_function_of_progress()
  is_exact(trainer_of { batch_size = function(s) return 8 + s.step // 10 end }, { epochs = 1.5 })
  is_exact(trainer_of { batch_size = function(s) return 8 * (1 + s.epoch) end }, { epochs = 1.5 })
end

function TestCheck:test_a_live_rule_cannot_be_planned()
  local trainer = trainer_of { batch_size = sw.rule(20, function(s) return s.step end) }
  local plan = trainer:plan { steps = 50 }
  lu.assert_equals({ plan.live, plan.updates, plan.at_initial }, { true, nil, 50 })
  trainer.batch_size = function(s) return s.loss > 1 and 8 or 16 end
  plan = trainer:plan(1)
  lu.assert_equals({ plan.live, plan.updates, plan.at_initial }, { true, nil, nil })
  lu.assert_str_contains(tostring(plan), "a live rule chooses")
end

function TestCheck:test_a_function_that_fails_says_so()
  local trainer = trainer_of { batch_size = function(s) return s.step + nil end }
  lu.assert_error_msg_contains("attempt to perform arithmetic", trainer.plan, trainer, 1)
end

function TestCheck:test_a_plan_counts_bytes_and_changes_nothing()
  local trainer = trainer_of { batch_size = 32, momentum = 0.9 }
  local before = trainer:weights():clone()
  local bytes = trainer:plan { epochs = 1 }.bytes
  lu.assert_equals({ bytes.weights, bytes.gradient, bytes.optimizer, bytes.average },
    { 2600, 2600, 2600, 0 })
  lu.assert_true(bytes.workspace > 0 and bytes.data > 64 * 1797 and bytes.total > bytes.data)
  lu.assert_equals((before - trainer:weights()):norm(), 0)
  lu.assert_equals(trainer:state().step, 0)
end

function TestCheck:test_wrong_plans()
  local trainer = trainer_of {}
  lu.assert_error_msg_contains("for how long?", trainer.plan, trainer, {})
  lu.assert_error_msg_contains('unknown option "epoch"', trainer.plan, trainer, { epoch = 1 })
end

-- ------------------------------------------------------------------ the command

function TestCheck:test_what_is_printed()
  command.write_script(self.dir .. "/a.lua")
  local result = self:check("epochs=3", "batch=50")
  lu.assert_equals({ result.code, result.err }, { 0, "" })
  contains(result.out, "nn.Linear(64 -> 10)", "(batch, 10)", "650",
    "fit: 3 epochs: 72 updates with a batch of 50, 3,600 examples", "lr: 0.05", "memory",
    "workspace (batch 50)", "time: about ", "on a copy of the weights")
  lu.assert_false(folders.exists(self.dir .. "/runs"))
  lu.assert_not_str_contains(self:check("--no-time").out, "time:")
end

function TestCheck:test_schedules_and_rules()
  command.write_script(self.dir .. "/a.lua", [[
    trainer.lr = sw.schedule.step { value = 0.8, gamma = 0.5, period = 1 }
    trainer.batch_size = sw.rule(32, function(s) return s.batch_size end)
    trainer.momentum = function(s) return s.loss end
    trainer:fit { epochs = 3, run = run }]])
  contains(self:check().out, "a number of updates that depends on a live rule: 113, if the batch"
    .. " stays at 32", "lr: first 0.8, last 0.2", "batch_size: first 32, last depends on a live",
    "momentum: depends on a live rule")
end

--- The plan begins where a restored checkpoint ended, and its fits add up.
function TestCheck:test_a_plan_after_a_restore()
  command.write_script(self.dir .. "/a.lua", [[
    local n = #data.train
    trainer.lr = sw.schedule.step { value = 0.8, gamma = 0.5, period = 1 }
    local weights = trainer:weights():clone()
    trainer:restore({ weights = weights }, { step = "60", examples = 2 * n .. "" })
    assert(trainer:state().step == 60 and trainer:state().epoch == 2)
    trainer:fit { epochs = 2 }
    assert(trainer:state().step == 60 + trainer:state().examples / 32 - n / 16)
    trainer:fit { epochs = 1 }
    assert(trainer:state().epoch >= 5)]])
  local result = self:check("--no-time")
  lu.assert_equals({ result.code, result.err }, { 0, "" })
  contains(result.out, "lr: first 0.2, last 0.1", "lr: first 0.05, last 0.05")
end

--- A fork is planned from where its original is; until_ makes a plan the most that there is.
function TestCheck:test_forks_and_fits_that_may_end_early()
  command.write_script(self.dir .. "/a.lua", [[
    trainer.lr = sw.schedule.step { value = 0.8, gamma = 0.5, period = 1 }
    trainer:fit { epochs = 2, until_ = function(s) return s.loss < 0.1 end }
    local fork = trainer:fork { batch_size = 64 }
    fork:fit { epochs = 1 }
    assert(fork:state().step == trainer:state().step + 19 and not fork:stopped())]])
  local result = self:check("--no-time")
  lu.assert_equals({ result.code, result.err }, { 0, "" })
  contains(result.out, "fit: 2 epochs at most: 75 updates", "lr: first 0.2",
    "fit: 1 epoch: 19 updates with a batch of 64")
end

function TestCheck:test_what_measurements_cost()
  command.write(self.dir .. "/a.lua", [[
local sw = require "swale"
local function bad() error "no such thing" end
return sw.experiment { name = "a", run = function()
  local data = sw.data.load "digits"
  sw.Trainer { model = sw.nn.Linear(64, 10), data = data, lr = 0.1, batch_size = 25, measure = {
    noise_scale = { every = { steps = 5 } },
    drift = sw.measurement { every = { epochs = 0.5 },
      function(m) return m.weights:distance(m.start) end },
    grows = sw.measurement { every = { steps = 3, factor = 2 }, function() return 1 end },
    ends = sw.measurement { at = { "lr", "end" }, function() return 1 end },
    update = sw.measurement { every = { steps = 40 }, at = "lr", function() return 1 end },
    last_update = { steps = 10 },
    raises = sw.measurement { every = { steps = 1 }, function() error { code = 3 } end },
    bad = sw.measurement { every = { examples = 1000 }, bad } } }:fit { epochs = 2 }
end }]])
  local result = self:check()
  local n = #sw.data.load("digits").train
  lu.assert_equals(result.code, 0)
  contains(result.out, ("measure: noise_scale: every 5 steps, %d times, about"):format(
    math.ceil(2 * n / 25) // 5), "measure: drift: every 0.5 epochs, 4 times, about",
    ("measure: bad: every 1000 examples, %d times; it raises:"):format(2 * n // 1000),
    "it raises: error: { code = 3 }", "measure: last_update: every 10 steps, 9 times, about",
    "measure: grows: every 3, 6, … steps, 6 times, about", "measure: ends: at end, lr, about",
    "measure: update: every 40 steps, at lr, 2 times or more, about")
  contains(self:check("--no-time").out, "measure: drift: every 0.5 epochs, 4 times\n")
end

--- Code behind the training finds what a training leaves.
function TestCheck:test_what_comes_after_the_training()
  command.write_script(self.dir .. "/a.lua", [[
    trainer.average = sw.average.SWA { start = 1, keep = true }
    trainer:fit { epochs = 3, run = run }
    trainer:report(run)
    trainer:report()
    print("not to be seen", trainer:state(), trainer:best_epoch(), #trainer.average.captured)
    run:summary { a = trainer:evaluate("swa", { on = "test" }).accuracy }
    run:plot()
    run:print("%d", trainer:state().step)
    trainer:fit { steps = 5 }]])
  local result = self:check()
  lu.assert_equals({ result.code, result.err }, { 0, "" })
  lu.assert_not_str_contains(result.out, "not to be seen")
  lu.assert_not_str_contains(result.out, "train loss")
  contains(result.out, "fit: 3 epochs: 113 updates", "average", "fit: 5 steps: 5 updates")
end

--- There is no pass over the training set, not even for the statistics of averages.
function TestCheck:test_averages_are_not_re_estimated()
  local reestimate, calls = require "swale.reestimate", 0
  local buffers = reestimate.buffers
  reestimate.buffers = function(o)
    calls = calls + 1
    return buffers(o)
  end
  local function run()
    local nn = sw.nn
    local trainer = sw.Trainer { data = sw.data.load "digits", lr = 0.1,
      average = sw.average.SWA {},
      model = nn.Sequential { nn.Linear(64, 8), nn.BatchNorm(8), nn.Linear(8, 10) } }
    trainer:fit { epochs = 2 }
    trainer:evaluate("swa", { on = "test", batch_norm = "layerwise" })
    trainer:evaluate(trainer:weights():clone())
  end
  local failure = require("swale.check.dry").execute({ run = run }, {}, 1, function() end)
  reestimate.buffers = buffers
  lu.assert_nil(failure)
  lu.assert_equals(calls, 0)
end

function TestCheck:test_errors()
  command.write_script(self.dir .. "/a.lua", "trainer:fit { epochs = p.epochs } error 'too bad'")
  local result = self:check()
  lu.assert_equals(result.code, 0)
  contains(result.err, "what follows the training was not checked", "a.lua:11: too bad")
  command.write_script(self.dir .. "/a.lua", "trainer:fit { epochs = 1 } print(run.directory)")
  contains(self:check().err, 'the run has no "directory"; did you mean "dir"?')
  command.write_script(self.dir .. "/a.lua", "error 'too early'")
  result = self:check()
  lu.assert_equals({ result.code, result.err }, { 1, "swale: a.lua:11: too early\n" })
  command.write_script(self.dir .. "/a.lua", "")
  contains(self:check().err, "trains nothing with a Trainer")
  lu.assert_equals(self:check("lrr=1").code, 2)
  command.write(self.dir .. "/a.lua", "return 1")
  contains(self:check().err, "does not return an experiment")
end

function TestCheck:test_shapes_that_do_not_fit_are_found()
  command.write_script(self.dir .. "/a.lua", [[
    sw.Trainer { model = sw.nn.Linear(65, 10), data = data, lr = 0.1 }:fit(1)]])
  local result = self:check()
  lu.assert_equals(result.code, 1)
  contains(result.err, "the input is (batch, 64): nn.Linear(64, 10) takes that", "in nn.Linear")
end
