-- A training in pieces: where each begins and ends, durations of less than an example, and
-- continuing from a checkpoint.
local harness = require "trainer_harness"
local lu = require "luaunit"
local sw = require "swale"

TestPieces = {}

local function make(n, batch, changes)
  local o = { model = sw.nn.Linear(1, 1), loss = sw.loss.mse, lr = 0.1, batch_size = batch,
    seed = 1, data = sw.data.from_tensors {
      train = { x = sw.ones { n, 1 }, y = sw.ones { n, 1 } } } }
  for key, value in pairs(changes or {}) do o[key] = value end
  return sw.Trainer(o)
end

-- Batches of 400 of 500 examples: 10 epochs are ceil(5000 / 400) = 13 steps, however they are cut.
function TestPieces:test_ten_epochs_are_ten_times_one()
  local whole, cut = make(500, 400), make(500, 400)
  whole:fit { epochs = 10 }
  local steps = {}
  for i = 1, 10 do
    lu.assert_equals(cut:plan({ epochs = 1 }).updates, math.ceil(i * 500 / 400)
      - math.ceil((i - 1) * 500 / 400))
    cut:fit { epochs = 1 }
    steps[i] = cut:state().step
  end
  lu.assert_equals(steps, { 2, 3, 4, 5, 7, 8, 9, 10, 12, 13 })
  lu.assert_equals(whole:state().step, 13)
  lu.assert_equals(cut:weights():table(), whole:weights():table())
end

-- Marks of 100 examples: the first batch passes four of them.
function TestPieces:test_an_end_that_is_passed_makes_no_step()
  local trainer, steps = make(500, 400), {}
  for i = 1, 6 do steps[i] = trainer:fit({ examples = 100 }):state().step end
  lu.assert_equals(steps, { 1, 1, 1, 1, 2, 2 })
end

function TestPieces:test_a_piece_after_an_interrupt_begins_where_the_trainer_is()
  local trainer = make(500, 400)
  local stop = true
  trainer:on("step", function(s) if stop and s.step == 2 then error "enough" end end)
  lu.assert_error_msg_contains("enough", trainer.fit, trainer, { epochs = 10 })
  stop = false
  trainer:fit { epochs = 1 } -- from example 800: the next two batches reach 1300
  lu.assert_equals(trainer:state().step, 4)
end

function TestPieces:test_steps_between_epochs()
  local trainer = make(500, 400)
  trainer:fit { epochs = 1 }:fit { steps = 1 } -- example 1200, which the step's mark is
  lu.assert_equals(trainer:fit({ epochs = 1 }):state().examples, 2000)
end

-- 0.1 * 3 is 0.30000000000000004; a tenth of 10 examples is one.
function TestPieces:test_rounding_makes_no_example()
  local trainer = make(10, 1):fit { epochs = 0.1 * 3 }
  lu.assert_equals(trainer:state().step, 3)
  for _ = 1, 7 do trainer:fit { epochs = 0.1 } end
  lu.assert_equals(trainer:state().step, 10)
end

function TestPieces:test_less_than_an_example_is_refused_everywhere()
  local trainer = make(10, 1):fit { epochs = 0.3 }
  local function refused(f, ...)
    lu.assert_error_msg_contains("less than one", f, ...)
  end
  refused(trainer.fit, trainer, { epochs = 1e-8 })
  refused(trainer.fit, trainer, { epochs = 0.1 * 3 - 0.3 })
  refused(trainer.plan, trainer, { epochs = 1e-8 })
  lu.assert_equals(trainer:state().step, 3)
  local tiny, sch = { epochs = 1e-10 }, sw.schedule
  for _, changes in ipairs {
    { average = sw.average.SWA { every = tiny } }, { average = sw.average.EMA { every = tiny } },
    { average = sw.average.LastK { k = 2, every = tiny } },
    { average = sw.average.SWA { start = tiny } }, { record = tiny },
    { lr = sch.cyclic { max = 1, min = 0, period = tiny } },
    { lr = sch.linear { from = 0, to = 1, epochs = 1e-10 } },
    { lr = sch.scale(sch.step { value = 1, period = tiny }, 2) },
    { lr = sch.chain { { 1, epochs = 1e-10 }, 0.1 } },
    { lr = sch.chain { { function() return 1 end, epochs = 1e-10 }, 0.1 } },
    { batch_size = sch.piecewise { values = { 1, 2 }, at = { tiny } } },
    { batch_size = sch.anneal { lr = 1, batch = 1, factor = 2, at = { tiny },
      by = "batch" }.batch },
    { lr = sch.warmup_stable_decay { max = 1, warmup = tiny, decay = 1 } } } do
    refused(make, 10, 1, changes)
  end
  refused(function() trainer.average = sw.average.SWA { every = tiny } end)
  refused(function() trainer.lr = sch.cosine { from = 1, epochs = 1e-10 } end)
  refused(sw.every, { steps = 0.5 })
  refused(sch.linear, { from = 0, to = 1, examples = 0.5 })
  refused(sch.values, sch.constant(1), { epochs = 1e-10 })
end

-- ------------------------------------------------------------------ restore

local function digits(changes) return harness.new(changes) end

-- 13 epochs in batches of 100, with a break after 6: as without it, in a trainer of its own.
function TestPieces:test_restore_goes_on_to_the_bit()
  for _, optimizer in ipairs { sw.optim.SGD { momentum = 0.9 }, sw.optim.Adam {}, sw.optim.AdamW {},
    function(w, g, kept, hyper)
      kept.m = kept.m and kept.m:scale(0.5):add(1, g) or g:clone()
      w:add(-hyper.lr, kept.m)
    end } do
    local function o()
      return { optimizer = optimizer, batch_size = 100, lr = 0.01, average = sw.average.SWA {} }
    end
    local whole = digits(o()):fit { epochs = 13 }
    local run = harness.fake_run()
    digits(o()):fit { epochs = 6, run = run }
    local saved = run.checkpoints[#run.checkpoints]
    local tensors = {}
    for name, value in pairs(saved.tensors) do tensors[name] = value:clone() end
    local other = digits(o()):restore(tensors, saved.metadata):fit { epochs = 7 }
    lu.assert_equals(other:state().examples, whole:state().examples)
    lu.assert_equals(other:weights():table(), whole:weights():table())
    lu.assert_equals(other.average:weights():table(), whole.average:weights():table())
  end
end

function TestPieces:test_restore_after_a_fault()
  local run = harness.fake_run()
  local function lr(s) return s.step == 60 and 1e39 or 0.05 end
  local trainer = digits { lr = sw.rule(0.05, lr) }
  local ok = pcall(trainer.fit, trainer, { epochs = 3, run = run })
  lu.assert_false(ok)
  local saved = run.checkpoints[#run.checkpoints]
  lu.assert_error_msg_contains("trainer:restore", trainer.fit, trainer, { epochs = 1 })
  trainer:restore({ weights = sw.tensor(saved.weights), momentum = saved.tensors.momentum * 0 },
    saved.metadata)
  lu.assert_equals(trainer:state().fault, false)
  trainer.lr = 0.01
  trainer:fit { steps = 5 }
  lu.assert_equals(trainer:state().step, tonumber(saved.metadata.step) + 5)
  lu.assert_error_msg_contains("no step", trainer.restore, trainer,
    { weights = trainer:weights() }, {})
  lu.assert_error_msg_contains("3 weights, the model has", trainer.restore, trainer,
    { weights = sw.ones { 3 } }, saved.metadata)
end
