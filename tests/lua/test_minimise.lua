--- Minimising whole functions: L-BFGS-B and Newton's method, against known minima.
package.path = debug.getinfo(1, "S").source:match "^@(.-)[^/]*$" .. "?.lua;" .. package.path
local lu = require "luaunit"
local core = require "swale.core"
local harness = require "core_harness"
local needs = require "needs"
local sw = require "swale"

TestLbfgsb, TestNewton = {}, {}

function TestLbfgsb:setUp() needs.lbfgsb() end

local lbfgsb, newton = sw.optim.lbfgsb, sw.optim.newton

local function T(values) return sw.tensor(values, "float64") end

local function near(got, want, tolerance)
  lu.assert_equals(got:shape(), want:shape())
  lu.assert_true((got - want):abs():max():item() <= tolerance, tostring(got))
end

--- 100 (b - a^2)^2 + (1 - a)^2, least at (1, 1).
local function rosenbrock(x)
  local a, b = x[1], x[2]
  return 100 * (b - a * a) ^ 2 + (1 - a) ^ 2,
    T { -400 * a * (b - a * a) - 2 * (1 - a), 200 * (b - a * a) }
end

local function rosenbrock_hessian(x)
  local a, b = x[1], x[2]
  return T { { 1200 * a * a - 400 * b + 2, -400 * a }, { -400 * a, 200 } }
end

--- sum h (x - c)^2 / 2: within bounds least where c is cut to them.
local function parabola(h, c)
  return function(x)
    local d = x - c
    return (h * d):dot(d) / 2, h * d
  end
end

local START = T { -1.2, 1 }

-- ------------------------------------------------------------------ L-BFGS-B

function TestLbfgsb:test_without_bounds()
  local m = lbfgsb(rosenbrock, START)
  lu.assert_equals(m.status, "converged")
  near(m.x, T { 1, 1 }, 1e-8)
  lu.assert_equals(m.value, (rosenbrock(m.x)))
  lu.assert_true(m.gradient:abs():max():item() <= 1e-8)
  lu.assert_true(m.evaluations >= m.iterations and m.iterations > 10)
end

--- With a <= 0.5 the minimum is at b = a^2 on the bound.
function TestLbfgsb:test_a_bound_that_holds()
  local m = lbfgsb(rosenbrock, sw.tensor { -1.2, 1 }, { lower = -2, upper = 0.5 })
  lu.assert_equals(m.status, "converged")
  near(m.x, T { 0.5, 0.25 }, 1e-8)
  lu.assert_equals(m.x[1], 0.5)
end

function TestLbfgsb:test_a_parabola_is_cut_to_its_box()
  local n = 50
  local h = sw.rand({ n }, "float64", sw.random(1, "h")) + 0.1
  local c = sw.randn({ n }, "float64", sw.random(1, "c")) * 3
  local lower, upper = sw.full({ n }, -1, "float64"), sw.full({ n }, 2, "float64")
  for i = 1, n, 7 do lower:set(i, -math.huge) end
  for i = 3, n, 5 do upper:set(i, math.huge) end
  local m = lbfgsb(parabola(h, c), sw.full({ n }, 9), { lower = lower, upper = upper })
  lu.assert_equals(m.status, "converged")
  near(m.x, sw.ops.maximum(sw.ops.minimum(c, upper), lower), 1e-7)
end

--- Never above a bound, in any evaluation.
function TestLbfgsb:test_every_point_is_in_the_box()
  local function f(x)
    lu.assert_true(x:max():item() <= 0.3 and x:min():item() >= -0.7)
    return -x:dot(x), x * -2
  end
  local m = lbfgsb(f, sw.randn({ 20 }, "float64", sw.random(2, "x")) * 0.1,
    { lower = -0.7, upper = 0.3 })
  lu.assert_equals(m.status, "converged")
  for i = 1, 20 do lu.assert_true(m.x[i] == -0.7 or m.x[i] == 0.3) end
end

--- An end that is not convergence is said, and the best iterate is given.
function TestLbfgsb:test_other_ends()
  local at_start = rosenbrock(START)
  local function ends(o, f)
    local m = lbfgsb(f or rosenbrock, START, o)
    lu.assert_true(m.value <= at_start)
    lu.assert_equals(m.value, (rosenbrock(m.x)))
    lu.assert_true(#m.reason > 10)
    return m.status, m
  end
  local status, m = ends { iterations = 3 }
  lu.assert_equals({ status, m.iterations }, { "iterations", 3 })
  status, m = ends { evaluations = 5 }
  lu.assert_equals({ status, m.evaluations }, { "evaluations", 5 })
  local seen
  status, m = ends { until_ = function(x, value, gradient)
    seen = { x = x, value = value, gradient = gradient:clone() }
    return value < 1
  end }
  lu.assert_equals({ status, m.value < 1, m.value }, { "stopped", true, seen.value })
  near(seen.x, m.x, 0)
  near(seen.gradient, m.gradient, 0)
  local calls = 0
  status = ends({}, function(x)
    calls = calls + 1
    local value, gradient = rosenbrock(x)
    return calls > 4 and 0 / 0 or value, gradient
  end)
  lu.assert_equals(status, "not_finite")
  status, m = ends({}, function(x)
    local value, gradient = rosenbrock(x)
    return value, gradient * -1
  end)
  lu.assert_equals(status, "abnormal")
  lu.assert_str_contains(m.reason, "ABNORMAL")
end

--- Several solvers keep their states apart.
--- The library would print a line about a slope of 0.
function TestLbfgsb:test_no_slope_within_the_bounds_is_convergence_without_a_print()
  local out = harness.run_child([[
    local function run(x0, g, lower, upper)
      local solver <close> = core.lbfgsb(core.tensor(x0, "float64"), lower, upper,
        { tolerance = 0, decrease = 0 })
      local task, n = solver:step(), 0
      while (task == "evaluate" or task == "iterate") and n < 20 do
        n = n + 1
        if task == "evaluate" then
          solver:gradient():copy(core.tensor(g, "float64"))
          task = solver:step(1)
        else
          task = solver:step()
        end
      end
      print(task, n, solver:reason())
    end
    local function full(v) return core.zeros({ 2 }, "float64"):fill(v) end
    run({ 1, 2 }, { 0, 0 })
    run({ 1, 2 }, { 1e-170, 0 })
    run({ 1, 0.5 }, { -3, 1e-30 }, full(-1), full(1))
    run({ -1, 1 }, { 3, -2 }, full(-1), full(1))]])
  lu.assert_equals(out, ("converged\t1\tCONVERGENCE: NO SLOPE WITHIN THE BOUNDS\n"):rep(4))
end

--- A slope that is small beside one into a bound counts, where it moves x.
function TestLbfgsb:test_slopes_of_unlike_sizes()
  local m = lbfgsb(function(x)
    return 1e20 * x[1] + (x[2] - 3) ^ 2, T { 1e20, 2 * (x[2] - 3) }
  end, T { 0, 0 }, { lower = 0 })
  near(m.x, T { 0, 3 }, 1e-6)
end

function TestLbfgsb:test_one_inside_another()
  local function f(x)
    near(lbfgsb(rosenbrock, START).x, T { 1, 1 }, 1e-8)
    return rosenbrock(x)
  end
  local inside, alone = lbfgsb(f, START), lbfgsb(rosenbrock, START)
  lu.assert_equals(inside.x:table(), alone.x:table())
  lu.assert_equals(inside.evaluations, alone.evaluations)
end

function TestLbfgsb:test_misuse()
  local function raises(text, ...) lu.assert_error_msg_contains(text, lbfgsb, ...) end
  raises("f must be a function x -> value, gradient, or model:loss_on(sample), not 3", 3, START)
  raises("x0 must be a vector with elements, not", rosenbrock, 1)
  raises("no number is between the bounds 1, 2 and 1", rosenbrock, START, { lower = 2, upper = 1 })
  raises("upper must be a vector of 2 elements, got (3)", rosenbrock, START, { upper = T { 1, 2,
    3 } })
  raises("not finite at x0", function() return 0 / 0, T { 0, 0 } end, START)
  raises("element 2 of x0 is not finite", rosenbrock, T { 1, 0 / 0 })
  raises("f must return a number and a gradient of 2 elements, not 1 and nil",
    function() return 1 end, START)
  raises("memory must be an integer from 1 to 100, got 101", rosenbrock, START, { memory = 101 })
end

-- ------------------------------------------------------------------ Newton

function TestNewton:test_one_step_on_a_parabola()
  for _, method in ipairs { "cholesky", "cg" } do
    local n = 6
    local b = sw.randn({ n, n }, "float64", sw.random(3, "b"))
    local h, c = b:matmul(b:t()), sw.randn({ n }, "float64", sw.random(3, "c"))
    for i = 1, n do h:set(i, i, h:get(i, i) + 1) end
    local function f(x)
      local d = x - c
      local g = h:matmul(d:reshape { n, 1 }):reshape { n }
      return g:dot(d) / 2, g
    end
    local x0 = sw.zeros({ n }, "float64")
    local m = newton(f, x0, { method = method, tolerance = 1e-20,
      hessian = function() return h end })
    lu.assert_equals(m.status, "converged")
    near(m.x, c, 1e-9)
    local first = newton(f, x0, { method = method, tolerance = 2 * f(x0),
      hessian = function() return h end })
    lu.assert_equals(first.iterations, 0) -- the decrement is the height above the minimum
    lu.assert_almost_equals(first.decrement, (f(x0)), 1e-5 * f(x0))
  end
end

function TestNewton:test_rosenbrock()
  for _, method in ipairs { "cholesky", "cg" } do
    local m = newton(rosenbrock, START, { method = method, hessian = rosenbrock_hessian,
      tolerance = 1e-16 })
    lu.assert_equals(m.status, "converged")
    near(m.x, T { 1, 1 }, 1e-7)
  end
end

--- Of the loss of a model, its products are known: logistic regression with weight decay.
local function regression()
  local data = sw.data.gaussian_mixture { classes = 3, features = 4, n = 200, seed = 5 }
  local model = sw.nn.Linear(data.features, data.classes):build { seed = 1 }
  local o = require("swale.options").check("t", { weight_decay = 0.01, dtype = "float64" },
    require("swale.measure.subject").spec {})
  return require("swale.measure.subject").of("t", model, data.train, o), model, data
end

function TestNewton:test_both_methods_and_lbfgsb_find_the_minimum_of_a_regression()
  local subject, model = regression()
  local dense = newton(subject, model:weights(), { tolerance = 1e-18 })
  local cg = newton(subject, model:weights(), { method = "cg", tolerance = 1e-18 })
  local quasi = lbfgsb(subject, model:weights(), { tolerance = 1e-10, decrease = 0 })
  lu.assert_equals({ dense.status, cg.status, quasi.status },
    { "converged", "converged", "converged" })
  near(cg.x, dense.x, 1e-7)
  near(quasi.x, dense.x, 1e-7)
  lu.assert_true(dense.gradient:norm() < 1e-8)
  local rough = newton(subject, model:weights(), { tolerance = 1e-3 })
  local height = rough.value - dense.value -- the decrement estimates it
  lu.assert_true(rough.decrement < 1e-3 and height > 0)
  lu.assert_true(math.abs(rough.decrement / height - 1) < 0.2, rough.decrement / height)
end

function TestNewton:test_a_loss_is_an_objective()
  local _, model, data = regression()
  local m = newton(model:loss_on(data.train), model:weights(), { iterations = 3 })
  lu.assert_true(m.value < model:loss_on(data.train)(model:weights()))
  lu.assert_equals(m.status, "iterations")
  lu.assert_equals(m.products, 3 * model:weights():numel())
end

--- Products in float32, from an object that can be called.
function TestNewton:test_a_linearized_loss_is_a_hessian()
  local subject, model, data = regression()
  local loss = model:loss_on(data.train)
  local function f(x)
    local value, gradient = loss:value_and_gradient(x:to "float32")
    gradient = gradient:to "float64"
    return value + 0.005 * x:dot(x), gradient:add(0.01, x)
  end
  local function hessian(x)
    return setmetatable({ products = loss:linearize(x:to "float32") }, {
      __call = function(sum, v) return sum.products(v):add(0.01, v:to "float32") end })
  end
  local exact = newton(subject, model:weights(), { tolerance = 1e-18 })
  for _, method in ipairs { "cholesky", "cg" } do
    local m = newton(f, model:weights(), { method = method, hessian = hessian, tolerance = 1e-8 })
    lu.assert_equals(m.status, "converged")
    near(m.x, exact.x, 1e-3)
    lu.assert_true(m.products > 0)
    local plain = newton(f, model:weights(), { method = method, iterations = 1,
      hessian = function(x) return loss:linearize(x:to "float32") end })
    lu.assert_equals(plain.iterations, 1)
  end
end

--- A matrix in float32 is as good.
function TestNewton:test_a_hessian_in_float32()
  for _, method in ipairs { "cholesky", "cg" } do
    local m = newton(rosenbrock, START, { method = method, tolerance = 1e-12,
      hessian = function(x) return rosenbrock_hessian(x):to "float32" end })
    lu.assert_equals(m.status, "converged")
    near(m.x, T { 1, 1 }, 1e-5)
  end
end

--- x^2 - y^2 + y^4: the saddle at 0 is left, and is no minimum.
local function saddle(x)
  return x[1] ^ 2 - x[2] ^ 2 + x[2] ^ 4, T { 2 * x[1], -2 * x[2] + 4 * x[2] ^ 3 }
end

local function saddle_hessian(x) return T { { 2, 0 }, { 0, -2 + 12 * x[2] ^ 2 } } end

function TestNewton:test_negative_curvature()
  for _, method in ipairs { "cholesky", "cg" } do
    local o = { method = method, hessian = saddle_hessian }
    local m = newton(saddle, T { 1, 0.01 }, o)
    lu.assert_equals(m.status, "converged")
    near(m.x, T { 0, 0.5 ^ 0.5 }, 1e-5)
  end
  local m = newton(saddle, T { 1, 0 }, { hessian = saddle_hessian })
  lu.assert_equals(m.status, "indefinite")
  near(m.x, T { 0, 0 }, 1e-12)
end

function TestNewton:test_other_ends()
  local m = newton(rosenbrock, START, { hessian = rosenbrock_hessian, iterations = 2 })
  lu.assert_equals({ m.status, m.iterations }, { "iterations", 2 })
  m = newton(rosenbrock, START, { hessian = rosenbrock_hessian,
    until_ = function(_, value) return value < 1 end })
  lu.assert_equals({ m.status, m.value < 1 }, { "stopped", true })
  m = newton(function(x)
    local value, gradient = rosenbrock(x)
    return -value, gradient
  end, START, { hessian = rosenbrock_hessian })
  lu.assert_equals(m.status, "no_descent")
  lu.assert_error_msg_contains("needs hessian, as f is a function", newton, rosenbrock, START)
end

-- ------------------------------------------------------------------ names

function TestNewton:test_they_are_no_optimizers_of_a_trainer()
  lu.assert_error_msg_contains("sw.optim.lbfgsb is none that takes batches", sw.Trainer,
    { model = sw.nn.Linear(2, 1), data = sw.data.two_spirals {}, optimizer = lbfgsb, lr = 1 })
end

function TestLbfgsb:test_without_the_library_there_is_a_reason()
  harness.with_folder(function(folder)
    assert(core.write_file(folder .. "/liblbfgsb.so.0", ""))
    local out = harness.run_child([[
      local solver, why, code = core.lbfgsb(core.zeros({ 5 }, "float64"))
      print(solver, code, why)
    ]], { shell = "LD_LIBRARY_PATH=" .. folder .. " exec lua5.4 %s 2>&1" })
    lu.assert_str_contains(out, "nil\tEUNSUPPORTED\tlbfgsb: liblbfgsb.so.0 cannot be loaded: ")
  end)
end
