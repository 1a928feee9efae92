--- The cheap built-in measurements, against what the test computes itself.
local harness = require "trainer_harness"
local lu = require "luaunit"
local sw = require "swale"

TestMeasureRows = {}

local new, fake_run = harness.new, harness.fake_run

-- The weights after each step, the first ones at 0, and the lines of a measurement.
local function watched(name, what, steps)
  local run, weights = fake_run(), {}
  local trainer = new { measure = { [name] = what } }
  weights[0] = trainer:weights():table()
  trainer:on("step", function(s) weights[s.step] = trainer:weights():table() end)
  trainer:fit { steps = steps, run = run }
  for _, line in ipairs(run:of "measurement") do lu.assert_nil(line.error) end
  return run:of "measurement", weights, trainer
end

local function minus(a, b)
  local d = {}
  for i = 1, #a do d[i] = a[i] - b[i] end
  return d
end

local function dot(a, b)
  local sum = 0
  for i = 1, #a do sum = sum + a[i] * b[i] end
  return sum
end

local function norm(a) return math.sqrt(dot(a, a)) end
local function angle(a, b) return math.acos(dot(a, b) / (norm(a) * norm(b))) end

function TestMeasureRows:test_weight_norm_distance_and_angle()
  local lines, w = watched("weight_norm", { steps = 4 }, 8)
  lu.assert_almost_equals(lines[2].weight_norm, norm(w[8]), 1e-5)
  lines, w = watched("distance", { steps = 4 }, 8)
  lu.assert_almost_equals(lines[2].distance, norm(minus(w[8], w[0])), 1e-6)
  lines, w = watched("angle", { steps = 4 }, 8)
  lu.assert_almost_equals(lines[2].angle, angle(w[8], w[0]), 1e-6)
end

function TestMeasureRows:test_angles_near_both_ends_are_precise()
  local between = require("swale.measure.angle").between
  for _, small in ipairs { 1e-3, 1e-5 } do
    local a, b = sw.tensor({ 1, 0 }, "float64"), sw.tensor({ 1, small }, "float64")
    lu.assert_almost_equals(between(a, b) / math.atan(small), 1, 1e-9)
    lu.assert_almost_equals((math.pi - between(a, b * -3)) / math.atan(small), 1, 1e-9)
  end
  lu.assert_almost_equals(between(sw.tensor { 2, 0 }, sw.tensor { 0, 5 }), math.pi / 2, 1e-7)
  lu.assert_nan(between(sw.tensor { 0, 0 }, sw.tensor { 0, 5 }))
end

-- At marks of every kind, in fits of any length, the update is that of the last step alone.
function TestMeasureRows:test_the_update_before_a_mark()
  for _, every in ipairs { { steps = 1 }, { steps = 3 }, { steps = 1, factor = 2 } } do
    local lines, w = watched("last_update", every, 9)
    lu.assert_equals(#lines, every.factor and 4 or 9 // every.steps)
    for _, line in ipairs(lines) do
      local k = line.step
      local update = minus(w[k], w[k - 1])
      lu.assert_almost_equals(line["last_update.ratio"] / (norm(update) / norm(w[k - 1])), 1, 1e-5)
      if k > 1 then
        local wanted = angle(update, minus(w[k - 1], w[0]))
        lu.assert_almost_equals(line["last_update.angle"], wanted, 1e-4)
      else
        lu.assert_nan(line["last_update.angle"])
      end
    end
  end
end

function TestMeasureRows:test_the_update_where_fits_are_cut()
  local whole, cut = watched("last_update", { steps = 4 }, 12), fake_run()
  local trainer = new { measure = { last_update = { steps = 4 } } }
  for _, n in ipairs { 3, 1, 4, 2, 2 } do trainer:fit { steps = n, run = cut } end
  for i, line in ipairs(cut:of "measurement") do
    lu.assert_equals({ line.step, line["last_update.ratio"] },
      { whole[i].step, whole[i]["last_update.ratio"] })
  end
  lu.assert_equals(#cut:of "measurement", 3)
end

function TestMeasureRows:test_a_rule_reads_the_parts_of_an_update()
  local seen = {}
  local trainer = new { measure = { last_update = { steps = 2 } }, lr = function(s)
    seen[#seen + 1] = s.last_update.ratio
    return 0.05
  end }
  trainer:fit { steps = 4 }
  lu.assert_nan(seen[1])
  lu.assert_true(seen[3] > 0)
  lu.assert_equals(trainer:state().last_update.ratio ~= seen[4], true)
end

function TestMeasureRows:test_an_update_has_no_changes()
  lu.assert_error_msg_contains("last_update: at: it compares with the weights before the step",
    new, { measure = { last_update = { at = "lr" } } })
  lu.assert_error_msg_contains("measured every so many whole steps", new,
    { measure = { last_update = { epochs = 1 } } })
end

-- Biases below all activations, for some units.
function TestMeasureRows:test_dead_units()
  local net = sw.nn.Sequential { sw.nn.Linear(64, 8), sw.nn.ReLU(),
    sw.nn.Residual { sw.nn.Sequential { sw.nn.Linear(8, 8), sw.nn.ReLU() } }, sw.nn.Linear(8, 10) }
  local model = net:build { seed = 1 }
  local function dead()
    local run = fake_run()
    local asked = { dead_fraction = { every = { steps = 1 }, sample = 200 } }
    new({ model = model, lr = 0, measure = asked }):fit { steps = 1, run = run }
    lu.assert_nil(run:of "measurement"[1].error)
    return run:of "measurement"[1].dead_fraction
  end
  model:parameter "0.bias":fill(100)
  local second
  for path in pairs(model:parameters()) do
    if path:find "^2.*bias$" then second = model:parameter(path) end
  end
  second:fill(1e4)
  lu.assert_equals(dead(), 0)
  model:parameter "0.bias":narrow(1, 1, 3):fill(-100)
  lu.assert_equals(dead(), 3 / 16)
  second:fill(-1e4)
  lu.assert_equals(dead(), 11 / 16)
end

function TestMeasureRows:test_dead_units_of_channels()
  local data = sw.data.from_tensors { train = { x = sw.randn({ 12, 6, 6, 2 }, sw.random(1)),
    y = sw.tensor({ 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2 }, "int32") }, classes = 3 }
  local model = sw.nn.Sequential { sw.nn.Conv2d(2, 4, 3), sw.nn.ReLU(), sw.nn.GlobalAvgPool(),
    sw.nn.Linear(4, 3) }:build { seed = 1 }
  model:parameter "0.bias":fill(50)
  model:parameter "0.bias":narrow(1, 2, 1):fill(-50)
  local run = fake_run()
  sw.Trainer { model = model, data = data, lr = 0, batch_size = 4,
    measure = { dead_fraction = sw.every { steps = 1 } } }:fit { steps = 1, run = run }
  lu.assert_equals(run:of "measurement"[1].dead_fraction, 1 / 4)
end

function TestMeasureRows:test_a_network_without_rectifiers_has_no_dead_fraction()
  lu.assert_error_msg_contains("measure: dead_fraction: the network has no layer that rectifies",
    new, { model = sw.nn.Linear(64, 10), measure = { dead_fraction = { epochs = 1 } } })
end
