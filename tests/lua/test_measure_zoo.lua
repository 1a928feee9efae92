--- A run with every measurement on has the bits of one with none: over the zoo, with batch norms,
--- dropout and averages, errors and writes inside measurements included; and where rules read
--- measurements, those of a run without any that is given the recorded rates and batches.
local core = require "swale.core"
local harness = require "trainer_harness"
local lu = require "luaunit"
local measure = require "swale.measurements"
local sw = require "swale"
local tiny = require "tiny_zoo"

TestMeasureZoo = {}

local N, STEPS <const> = 12, 4

local function data_of(features)
  local random = core.random(1, "test")
  local function indices(shape, below)
    local t = core.zeros(shape, "int32")
    for i = 1, shape[1] do
      if #shape == 1 then t:set(i, random:integer(below) - 1) end
      for k = 1, shape[2] or 0 do t:set(i, k, random:integer(below) - 1) end
    end
    return t
  end
  if features == "words" then
    local shape = { N, tiny.LENGTH }
    return sw.data.from_tensors { train = { x = indices(shape, tiny.WORDS),
      y = indices(shape, tiny.WORDS) }, classes = tiny.WORDS, vocabulary = tiny.WORDS }
  end
  local x = random:fill_normal(core.zeros { N, table.unpack(features) }, 0, 1)
  return sw.data.from_tensors { train = { x = x, y = indices({ N }, tiny.CLASSES) },
    classes = tiny.CLASSES }
end

-- One that writes into all it can reach, computes with the model, draws, and raises at times.
local function vandal(of)
  return sw.measurement { every = { steps = 1 }, at = { "start", "average", "epoch", "end" },
    sample = 5, function(m)
    local loss = m.model:loss_on(m.sample, nil, { mode = "train" })
    loss:gradient(m.weights)
    m.weights:fill(7)
    m.model:weights():fill(3)
    m.state.lr = 1e9
    of.trainer:evaluate("last", { on = "train" })
    of.weights:fill(m.random:uniform())
    if of.buffers then of.buffers:fill(9) end
    math.random()
    if m.state.step % 2 == 0 then error "on purpose" end
    return 1
  end }
end

local function train(layer, data, prepare)
  local model = layer:build { seed = 3 }
  local ema = sw.average.EMA { start = 0, decay = 0.9 }
  local trainer = sw.Trainer { model = model, data = data, lr = 0.01, batch_size = 4, seed = 5,
    optimizer = sw.optim.SGD { momentum = 0.9 }, average = ema }
  local asked = prepare and prepare(trainer, model) or 0
  local losses, run = {}, harness.fake_run()
  trainer:on("step", function(s) losses[s.step] = s.loss end)
  trainer:fit { steps = STEPS, run = run }
  local buffers = model:buffers()
  return { losses, model:weights():table(), buffers and buffers:table() or {},
    ema:weights():table(), math.random() }, run, asked
end

-- Options that make measurements cheap; those that have one are made once.
local CHEAP <const> = { probes = 6, draws = 2, tolerance = 0.5 }

-- Every built-in measurement that this network does not refuse.
local function ask_all(trainer, model)
  local asked = 0
  for _, name in ipairs(measure.NAMES) do
    local o = { every = { steps = 2 } }
    if not measure.row(name).along then o.sample = 5 end
    for key, value in pairs(CHEAP) do
      if measure.row(name).options[key] then o[key], o.every = value, { steps = 3 } end
    end
    if pcall(trainer.measure, trainer, name, o) then asked = asked + 1 end
  end
  trainer:measure("vandal", vandal { trainer = trainer, weights = model:weights(),
    buffers = model:buffers() })
  return asked
end

local function check(name)
  local layer, features = tiny.network(name)
  local data = data_of(features)
  local give_back = require("swale.experiment.globals").borrow_random(5, "script", 1)
  math.randomseed(3)
  local plain = train(layer, data)
  math.randomseed(3)
  local watched, run, asked = train(layer, data, ask_all)
  give_back()
  lu.assert_equals(watched, plain)
  lu.assert_true(asked >= 4, "measurements are refused")
  local errors = 0
  for _, line in ipairs(run:of "measurement") do
    if line.name == "vandal" then
      errors = errors + 1
      lu.assert_str_contains(line.error, line.step % 2 == 0 and "on purpose" or "it wrote into")
    else
      lu.assert_nil(line.error, line.name)
    end
  end
  lu.assert_equals(errors, STEPS + 1) -- once at a step, and before the first
end

for _, name in ipairs(sw.zoo.names()) do
  TestMeasureZoo["test_" .. name] = function() check(name) end
end

-- ------------------------------------------------------------------ rules that read measurements

local function net()
  return sw.nn.Sequential { sw.nn.Linear(64, 16), sw.nn.ReLU(), sw.nn.Dropout(0.3),
    sw.nn.Linear(16, 10) }
end

-- The rate and the batch size follow what is measured, and change on the way.
local function steered(run)
  local measures = { noise_scale = { every = { steps = 1 } },
    distance = { every = { steps = 3 } }, mine = sw.measurement { at = "batch_size",
      function(m) return m.model:loss_on(m.sample)(m.weights) end } }
  return harness.new { model = net(), measure = measures, record = { steps = 1 },
    lr = function(s) return s.distance > 0.1 and 0.05 / (1 + s.distance) or 0.05 end,
    batch_size = function(s)
      if s.mine < 2 then return 24 end
      return s.noise_scale.low > 3 and 48 or s.step < 40 and 32 or 16
    end }:fit { steps = 120, run = run }:weights():table()
end

function TestMeasureZoo:test_a_replay_of_recorded_rates_and_batches_has_the_same_bits()
  local run, lr, batch, sizes = harness.fake_run(), {}, {}, {}
  local weights = steered(run)
  for _, line in ipairs(run:of "step") do
    lr[line.step], batch[line.step] = line.lr, line.batch_size
    sizes[line.batch_size] = true
  end
  lu.assert_equals(#lr, 120)
  local n = 0
  for _ in pairs(sizes) do n = n + 1 end
  lu.assert_true(n >= 3, "the rules did not follow the measurements")
  local replayed = harness.new { model = net(), lr = function(s) return lr[s.step + 1] end,
    batch_size = function(s) return batch[s.step + 1] end }:fit { steps = 120 }
  lu.assert_equals(replayed:weights():table(), weights)
end
