--- Fits that are ended from inside: trainer:stop, and until_ of fit.
local harness = require "trainer_harness"
local lu = require "luaunit"
local sw = require "swale"

TestStop = {}

local fake_run, new = harness.fake_run, harness.new

local function weights_after(n) return new():fit({ steps = n }):weights():table() end

function TestStop:test_a_hook_of_a_step_ends_a_fit()
  local trainer = new()
  trainer:on("step", function(s, t) if s.step == 7 then t:stop "seven" end end)
  lu.assert_is(trainer:fit { steps = 20 }, trainer)
  lu.assert_equals({ trainer:state().step, trainer:stopped() }, { 7, "seven" })
  lu.assert_equals(trainer:weights():table(), weights_after(7))
end

function TestStop:test_a_rule_ends_a_fit_after_the_update_that_it_is_called_for()
  local trainer
  trainer = new { lr = function(s)
    if s.step == 4 then trainer:stop() end
    return 0.05
  end }
  trainer:fit { steps = 20 }
  lu.assert_equals({ trainer:state().step, trainer:stopped() }, { 5, "trainer:stop()" })
end

-- Steps between marks are made at once: a hook of the epoch stops there.
function TestStop:test_a_hook_of_an_epoch_ends_a_fit_of_whole_strides()
  local trainer, epochs = new(), 0
  trainer:on("epoch", function(s, t)
    epochs = epochs + 1
    if s.epoch >= 2 then t:stop() end
  end)
  trainer:fit { epochs = 5 }
  lu.assert_equals({ epochs, trainer:state().step }, { 2, math.ceil(2 * 1197 / 32) })
end

function TestStop:test_the_next_fit_goes_on_from_there_to_the_same_bits()
  local trainer, stopping = new(), true
  trainer:on("step", function(s, t) if stopping and s.step == 7 then t:stop() end end)
  trainer:fit { steps = 20 }
  stopping = false
  trainer:fit { steps = 20 }
  lu.assert_equals({ trainer:state().step, trainer:stopped() }, { 27 })
  lu.assert_equals(trainer:weights():table(), weights_after(27))
end

function TestStop:test_the_record_has_the_reason_and_the_end_is_as_ever()
  local run, trainer, ended = fake_run(), new(), 0
  trainer:on("end", function() ended = ended + 1 end)
  trainer:fit { steps = 20, run = run,
    until_ = function(s) return s.step == 7 and "loss is low" end }
  local line = run:of("stop")[1]
  lu.assert_equals({ line.step, line.reason, ended }, { 7, "loss is low", 1 })
  lu.assert_equals(run:of("step")[1].step, 7)
  lu.assert_equals(run.checkpoints[#run.checkpoints].name, "step-00000007")
  local other = new():restore(run.checkpoints[#run.checkpoints].tensors,
    run.checkpoints[#run.checkpoints].metadata)
  lu.assert_equals(other:fit({ steps = 3 }):weights():table(), weights_after(10))
end

-- Events of the last step happen before the end: here a capture and a measurement.
function TestStop:test_events_that_are_due_happen()
  local swa = sw.average.SWA { every = { steps = 7 } }
  local trainer = new { average = swa, measure = { norm = sw.measurement { every = { steps = 7 },
    function(m) return m.weights:norm() end } } }
  trainer:on("step", function(s, t) if s.step == 7 then t:stop() end end)
  trainer:fit { steps = 20 }
  lu.assert_equals(swa.count, 1)
  lu.assert_equals(trainer:state().norm, trainer:weights():norm())
end

-- ------------------------------------------------------------------ until_

function TestStop:test_until_is_asked_once_after_each_update_and_its_events()
  local asked, made = {}, {}
  local trainer = new { measure = { half = sw.measurement { every = { steps = 3 },
    function(m) return m.state.step / 2 end } } }
  trainer:fit { steps = 8, until_ = function(s)
    asked[#asked + 1], made[#made + 1] = s.step, s.half == s.half and s.half or 0
  end }
  lu.assert_equals(asked, { 1, 2, 3, 4, 5, 6, 7 }) -- at 8 the fit is over
  lu.assert_equals(made, { 0, 0, 1.5, 1.5, 1.5, 3, 3 })
  trainer:on("step", function() trainer.lr = 0.05 end) -- replaces the rules at each step
  asked = {}
  trainer:fit { steps = 4, until_ = function(s) asked[#asked + 1] = s.step end }
  lu.assert_equals(asked, { 9, 10, 11 })
end

function TestStop:test_until_gives_true_or_a_reason()
  local trainer = new()
  trainer:fit { steps = 9, until_ = function(s) return s.step >= 5 end }
  lu.assert_equals(trainer:state().step, 5)
  lu.assert_str_contains(trainer:stopped(), "until_ at ")
  lu.assert_str_contains(trainer:stopped(), "test_stop.lua:")
  trainer:fit { steps = 2 } -- it belonged to the fit before
  lu.assert_equals(trainer:state().step, 7)
  lu.assert_error_msg_contains("returned 3; it returns true or a reason to end the fit",
    trainer.fit, trainer, { steps = 2, until_ = function() return 3 end })
end

-- ------------------------------------------------------------------ where it is refused

function TestStop:test_refused_where_no_fit_makes_steps()
  local trainer, failure = new(), nil
  lu.assert_error_msg_contains("no fit is running", trainer.stop, trainer)
  trainer:on("end", function(_, t) failure = select(2, pcall(t.stop, t)) end)
  trainer:fit { steps = 2 }
  lu.assert_str_contains(tostring(failure), "no fit is running")
  lu.assert_error_msg_contains("reason must be", function() trainer:stop {} end)
end

function TestStop:test_a_measurement_cannot_stop_its_training()
  local trainer, failure
  trainer = new { measure = { own = sw.measurement { every = { steps = 2 }, function()
    failure = select(2, pcall(trainer.stop, trainer))
    return 0
  end } } }
  trainer:fit { steps = 5 }
  lu.assert_equals(trainer:state().step, 5)
  lu.assert_str_contains(tostring(failure), "not inside a measurement")
end

-- One trainer trains in a hook of another: each stop ends its own fit.
function TestStop:test_fits_inside_fits()
  local outer, inner = new(), new()
  inner:on("step", function(s, t) if s.step == 2 then t:stop() end end)
  outer:on("step", function(s)
    if s.step == 3 then inner:fit { steps = 9 } end
  end)
  outer:fit { steps = 6 }
  lu.assert_equals({ outer:state().step, inner:state().step }, { 6, 2 })
end
