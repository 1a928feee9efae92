-- sw.measure.exact: enumeration, beside problems whose answers have a formula.
local lu = require "luaunit"
local sw = require "swale"

TestExact = {}

local EPSILON <const> = 2 ^ -52

--- Agreement to some roundings of sums over n examples.
local function assert_close(got, wanted, n)
  lu.assert_true(math.abs(got - wanted) <= 50 * n * EPSILON * math.abs(wanted),
    ("%.17g is not %.17g"):format(got, wanted))
end

local NAMES = { "loss", "signal", "noise", "curvature", "noise_curvature", "b_simple", "b_noise",
  "eps_max" }

function TestExact:test_linear_regression_agrees_with_its_formulas()
  local problem = sw.data.linear_regression { features = 4, n = 40, noise = 0.5 }
  local model = problem:model({ 0.3, -1, 2, 0.5 }):build()
  local got, gradients = sw.measure.exact(model, problem.data.train, { loss = problem.loss })
  local wanted = problem:exact(model:weights())
  for _, name in ipairs(NAMES) do assert_close(got[name], wanted[name], 40) end
  lu.assert_equals(gradients:shape(), { 40, 4 })
end

function TestExact:test_weight_decay_and_over()
  local net = sw.nn.Sequential { sw.nn.Linear(4, 3), sw.nn.Tanh(), sw.nn.Linear(3, 2) }
  local model = net:build { seed = 2 }
  local split = sw.data.gaussian_mixture { n = 30, features = 4 }.train
  local plain = sw.measure.exact(model, split)
  local o = { weight_decay = 0.1, over = "^2" }
  local decayed = sw.measure.exact(model, split, o)
  local n = #plain.gradient
  local w = model:weights():to("float64"):narrow(1, n - 7, 8)
  lu.assert_true(decayed.gradient:distance(plain.gradient:narrow(1, n - 7, 8) + w * 0.1) < 1e-14)
  local block = plain.covariance:narrow(1, n - 7, 8):narrow(2, n - 7, 8)
  lu.assert_true((decayed.covariance - block):contiguous():norm() < 1e-14)
  for i = 1, 8 do
    local at = n - 8 + i
    lu.assert_almost_equals(decayed.hessian:get(i, i), plain.hessian:get(at, at) + 0.1, 1e-14)
  end
end

function TestExact:test_what_cannot_be_enumerated_is_refused()
  local net = sw.nn.Sequential { sw.nn.Linear(2, 3), sw.nn.BatchNorm(3), sw.nn.Linear(3, 2) }
  local model, split = net:build(), sw.data.gaussian_mixture { n = 10 }.train
  lu.assert_error_msg_contains("coupled", sw.measure.exact, model, split, { mode = "train" })
  lu.assert_error_msg_contains("2 are needed", sw.measure.exact, model, split:sample(1))
  local wide = sw.nn.Linear(200, 100):build()
  local rows = sw.data.from_tensors { classes = 100,
    train = { x = sw.randn { 3, 200 }, y = sw.tensor({ 0, 1, 2 }, "int32") } }
  lu.assert_error_msg_contains("data.train:sample(500)", sw.measure.exact, wide, rows.train)
end
