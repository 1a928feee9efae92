--- Measurements where there is nothing to measure, or too much: not finite, all zero, 1e-20, 1e20.
local estimate = require "swale.estimate"
local folders = require "swale.folders"
local lu = require "luaunit"
local small = require "small_measures"
local sw = require "swale"
local temporary = require "temporary"

TestMeasureExtremes = {}

local N = small.N
local MESSAGE = "^%S*test_measure_extremes%.lua:%d+: measure%.[%l_]+: "

local sample, model, CALLS = small.sample, small.model, small.CALLS

--- step_cost_ratio alone takes a trainer.
function TestMeasureExtremes:test_all_measurements_of_weights_are_among_the_calls()
  for name in pairs(sw.measure) do
    lu.assert_true(CALLS[name] ~= nil or name == "step_cost_ratio", name)
  end
end

--- All estimates in a result.
local function estimates(value, list, seen)
  if type(value) ~= "table" or seen[value] then return list end
  seen[value] = true
  if estimate.is_estimate(value) then list[#list + 1] = value end
  for _, part in next, value do estimates(part, list, seen) end
  return list
end

local function each(f, net, given, more)
  for name, o in pairs(CALLS) do
    local options = {}
    for key, value in pairs(o) do options[key] = value end
    for key, value in pairs(more or {}) do options[key] = value end
    f(name, pcall(sw.measure[name], net, given, options))
  end
end

--- A message of its caller's line and the measurement, or estimates that do not claim to know.
local function refuses_or_is_pending(name, ok, result)
  if not ok then
    lu.assert_not_nil(tostring(result):find(MESSAGE), name .. ": " .. tostring(result))
    return
  end
  for _, e in ipairs(estimates(result, {}, {})) do
    lu.assert_not_equals(e.status, "resolved", name .. ": " .. tostring(e.target))
    lu.assert_true(e.reason ~= nil, name .. ": " .. tostring(e))
  end
end

local function is_an_interval(name, ok, result)
  if not ok then
    lu.assert_not_nil(tostring(result):find(MESSAGE), name .. ": " .. tostring(result))
    return
  end
  for _, e in ipairs(estimates(result, {}, {})) do
    lu.assert_true(e.low <= e.high, name)
    lu.assert_true(e.status ~= "resolved" or e.value - e.value == 0, name .. ": " .. tostring(e))
  end
end

function TestMeasureExtremes:test_numbers_that_are_not_finite()
  for _, bad in ipairs { 0 / 0, 1 / 0, 1e30 } do
    local net, given = model(), sample()
    net:weights():scale(bad)
    each(refuses_or_is_pending, net, given)
    net = model()
    given.x:select(1, 1):fill(bad)
    each(bad == 1e30 and is_an_interval or refuses_or_is_pending, net, given)
  end
end

function TestMeasureExtremes:test_nothing_to_measure()
  local zero, given = model(), sample()
  zero:weights():fill(0)
  each(is_an_interval, zero, given)
  given.x:fill(0)
  each(is_an_interval, model(), given)
  given = sample()
  each(is_an_interval, model(), { x = given.x:narrow(1, 1, 1), y = given.y:narrow(1, 1, 1) })
  each(is_an_interval, model(), given, { loss = function(out, y)
    local loss = sw.loss.cross_entropy(out, y)
    return loss - loss
  end })
end

--- The edge of a fit without errors: gradients are 0, so that there is no direction, and no mean.
function TestMeasureExtremes:test_edge_of_gradients_that_vanish()
  local net = sw.nn.Linear(4, 1, { bias = false }):build { seed = 1 }
  net:weights():fill(1)
  local given = { x = sw.ones { N, 4 }, y = sw.full({ N, 1 }, 4) }
  for _, batch in ipairs { 3, N } do
    local edge = sw.measure.edge(net, given, { batch_size = batch, draws = 30, interaction = true,
      loss = sw.loss.mse })
    for _, name in ipairs { "batch_sharpness", "ratio_of_means", "interaction" } do
      lu.assert_equals(edge[name].status, "pending", name)
      lu.assert_str_contains(edge[name].reason, "is 0 or not finite")
    end
  end
end

--- A loss times c has a Hessian times c, and the same directions.
function TestMeasureExtremes:test_edge_does_not_depend_on_the_size_of_the_loss()
  local function edge(c)
    return sw.measure.edge(model(), sample(), { batch_size = 4, draws = 30, top = false,
      interaction = true, loss = function(out, y) return sw.loss.cross_entropy(out, y) * c end })
  end
  local plain = edge(1)
  for _, c in ipairs { 1e-20, 1e-10, 1e10, 1e20 } do
    local scaled = edge(c)
    for _, name in ipairs { "batch_sharpness", "ratio_of_means", "interaction" } do
      for _, field in ipairs { "value", "low", "high" } do
        lu.assert_almost_equals(scaled[name][field] / c / plain[name][field], 1, 1e-3)
      end
    end
  end
end

--- float32 has no squares below 1e-38: B_simple, a ratio, would be of what remains of them.
function TestMeasureExtremes:test_noise_of_gradients_whose_squares_are_lost()
  local function noise(c, dtype)
    return sw.measure.noise(model(), sample(), { dtype = dtype,
      loss = function(out, y) return sw.loss.cross_entropy(out, y) * c end }).b_simple
  end
  local wanted = noise(1).value
  lu.assert_almost_equals(noise(1e-10).value / wanted, 1, 1e-3)
  lu.assert_almost_equals(noise(1e-20, "float64").value / wanted, 1, 1e-3)
  for _, c in ipairs { 1e-20, 1e-30 } do
    local lost = noise(c)
    lu.assert_equals(lost.status, "pending")
    lu.assert_str_contains(lost.reason, "float64")
  end
end

--- Pictures of results that are all 0.
function TestMeasureExtremes:test_plots_of_zeros()
  local zero, dir = model(), temporary.folder()
  zero:weights():fill(0)
  local sharpness = sw.measure.sharpness(zero, sample(), CALLS.sharpness)
  sharpness:plot(dir .. "/zero.svg")
  lu.assert_str_contains(folders.read(dir .. "/zero.svg"), "</svg>")
  sw.plot { file = dir .. "/bars.svg", x = { "a", "b" }, y = { 0, 0 }, as = "bars" }
  lu.assert_str_contains(folders.read(dir .. "/bars.svg"), "</svg>")
  folders.remove(dir)
end
