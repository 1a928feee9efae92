--- What a measurement is given: a model with copies of the weights, a sample, random numbers; and
--- that none of it reaches the training.
local harness = require "trainer_harness"
local lu = require "luaunit"
local sw = require "swale"

TestMeasureGiven = {}

local new, fake_run = harness.new, harness.fake_run

-- Calls f in a measurement every other step of 4; gives the trainer and the lines of the record.
local function measured(f, o, changes)
  o, changes = o or {}, changes or {}
  o[1], o.every = f, { steps = 2 }
  changes.measure = { mine = sw.measurement(o) }
  local run, trainer = fake_run(), new(changes)
  trainer:fit { steps = 4, run = run }
  local lines = run:of "measurement"
  lu.assert_equals(#lines, 2)
  return lines, trainer
end

local function sound(lines)
  for _, line in ipairs(lines) do lu.assert_nil(line.error) end
  return lines
end

function TestMeasureGiven:test_the_model_has_the_weights_and_is_one_object()
  local seen = {}
  sound(measured(function(m)
    lu.assert_equals(m.model:weights():table(), m.weights:table())
    lu.assert_equals(m.model:buffers():table(), m.buffers:table())
    lu.assert_true(rawequal(m.s, m.state))
    seen[#seen + 1] = m.model
    m.model:weights():fill(3)
    m.model:buffers():fill(3)
    return m.seed
  end, nil, { seed = 7, model = sw.nn.Sequential { sw.nn.Linear(64, 8), sw.nn.BatchNorm(8),
    sw.nn.Linear(8, 10) } }))
  lu.assert_is(seen[1], seen[2])
end

function TestMeasureGiven:test_the_loss_is_that_of_the_training()
  local loss = sw.loss.cross_entropy { label_smoothing = 0.1 }
  local lines, trainer = measured(function(m)
    lu.assert_is(m.loss, loss)
    return m.model:loss_on(m.sample)(m.weights)
  end, { sample = 50 }, { loss = loss })
  sound(lines)
  local sample = trainer.data.train:select(require("swale.core").random(1, "measure/mine")
    :permutation(#trainer.data.train):narrow(1, 1, 50):contiguous())
  lu.assert_equals(lines[2].mine, trainer.model:loss_on(sample, loss)(trainer:weights()))
end

function TestMeasureGiven:test_the_sample_is_fixed_and_of_its_own()
  local seen = {}
  local function note(m)
    lu.assert_equals(#m.sample, 20)
    seen[#seen + 1] = m.sample.x:table()
    return 0
  end
  sound(measured(note, { sample = 20 }))
  sound(measured(note, { sample = 20 }))
  sound(measured(note, { sample = 20 }, { seed = 2 }))
  for i = 2, 4 do lu.assert_equals(seen[i], seen[1]) end
  lu.assert_not_equals(seen[5], seen[1])
end

function TestMeasureGiven:test_the_sample_is_of_what_is_trained_on()
  local subset = {}
  for i = 1, 30 do subset[i] = 10 * i end
  local _, trainer = measured(function(m)
    lu.assert_equals({ #m.sample, m.sample.drawn_from }, { 30, 30 }) -- all: fewer than 1000
    return 0
  end, nil, { subset = subset })
  local x, seen = trainer.data.train:gather(subset), {}
  local entry = trainer.engine.measurements.by_name.mine
  for i = 1, 30 do
    for j = 1, 30 do
      if x:narrow(1, i, 1):distance(entry.sample.x:narrow(1, j, 1):reshape { 1, 64 }) == 0 then
        seen[i] = true
      end
    end
  end
  lu.assert_equals(#seen, 30)
end

function TestMeasureGiven:test_a_split_is_the_sample()
  local data = sw.data.load "digits"
  sound(measured(function(m)
    lu.assert_is(m.sample, data.test)
    return 0
  end, { sample = data.test }))
  local lines = measured(function(m) return #m.sample end, { sample = 100000 })
  lu.assert_str_contains(lines[1].error, "measure: mine: sample: asked for 100000 examples, there")
  lu.assert_error_msg_contains("measurement: sample must be a whole number above 0 or a split",
    sw.measurement, { every = 1, sample = 0, print })
end

function TestMeasureGiven:test_random_numbers_are_those_of_sw_rand()
  local drawn = {}
  sound(measured(function(m)
    drawn[#drawn + 1] = { m.random:uniform(), sw.rand({ 1 }):item() }
    return 0
  end))
  local stream = require("swale.core").random(1, "measure/mine", 2)
  lu.assert_equals(drawn[1][1], stream:uniform())
  lu.assert_not_equals(drawn[1], drawn[2])
end

function TestMeasureGiven:test_what_was_compiled_is_used_again()
  local graphs = {}
  sound(measured(function(m)
    local loss = m.model:loss_on(m.sample)
    loss(m.weights)
    graphs[#graphs + 1] = loss.compiled.graphs
    return 0
  end, { sample = 10 }))
  lu.assert_is(graphs[1], graphs[2])
  lu.assert_not_nil(next(graphs[1]))
end

function TestMeasureGiven:test_unknown_names_are_refused()
  local lines = measured(function(m) return m.modle end)
  lu.assert_str_contains(lines[1].error, 'has no "modle"; did you mean "model"?')
  lines = measured(function(m) return m.rando end)
  lu.assert_str_contains(lines[1].error, 'did you mean "random"?')
end

-- ------------------------------------------------------------------ protection

-- A training in which f is called with all that a script has.
local function weights_after(f)
  local model = sw.nn.Sequential { sw.nn.Linear(64, 8), sw.nn.BatchNorm(8), sw.nn.ReLU(),
    sw.nn.Linear(8, 10) }:build { seed = 3 }
  local given, run = { weights = model:weights(), buffers = model:buffers(),
    view = model:parameter "1.weight", model = model }, fake_run()
  given.trainer = new { model = model, measure = { mine = sw.measurement { every = { steps = 3 },
    function(m)
      if f then f(given, m) end
      return 1
    end } } }
  given.trainer:fit { steps = 10, run = run }
  return { model:weights():table(), model:buffers():table() }, run:of "measurement"[1].error
end

function TestMeasureGiven:test_writing_into_the_trained_vectors_is_undone_and_reported()
  local plain = weights_after()
  for name, f in pairs {
    weights = function(g) g.weights:fill(2) end, buffers = function(g) g.buffers:fill(2) end,
    view = function(g) g.view:add(1e-3, g.view:clone()) end,
    model = function(g) g.model:weights():copy(g.weights * 2) end,
    nan = function(g) g.weights:fill(0 / 0) end,
    error = function(g)
      g.weights:fill(2)
      error "on purpose"
    end,
  } do
    local found, message = weights_after(f)
    lu.assert_equals(found, plain, name)
    lu.assert_str_contains(message, name == "error" and "on purpose"
      or "it wrote into the weights of its training, which are as before")
  end
end

function TestMeasureGiven:test_the_trainer_shows_copies()
  local plain = weights_after()
  local found, message = weights_after(function(g, m)
    g.trainer:weights():fill(2)
    g.trainer.model:weights():fill(2)
    g.trainer.model:buffers():fill(2)
    lu.assert_is(g.trainer.model, m.model)
  end)
  lu.assert_equals({ found, message }, { plain, nil })
end
