-- Second derivatives, in double, against the definition: columns of the Hessian are central
-- differences of gradients, J is by differences of outputs, H_L by differences of losses.
local core = require "swale.core"
local lu = require "luaunit"
local nn = require "swale.nn"
local sw = require "swale"

TestSecond = {}

local STEP = 1e-4

-- The derivative at 0 of f, vectors or outputs: (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12 h
local function derivative(f)
  return (8 * (f(STEP) - f(-STEP)) - (f(2 * STEP) - f(-2 * STEP))) * (1 / 12 / STEP)
end

local function normal(shape, seed)
  return core.random(seed, "test"):fill_normal(core.zeros(shape, "float64"), 0, 1)
end

local function labels(n, classes)
  local y = core.zeros({ n }, "int32")
  for i = 1, n do y:set(i, (i * 7 + i // 3) % classes) end
  return y
end

local function largest(t)
  local flat, most = t:contiguous():reshape { -1 }, 0
  for i = 1, flat:numel() do most = math.max(most, math.abs(flat:get(i))) end
  return most
end

local function check_near(got, want, tolerance, what)
  local worst = largest(got - want) / math.max(largest(want), 1e-3)
  lu.assert_true(worst <= tolerance, ("%s: off by %.2g of the largest"):format(what, worst))
end

local function unit(n, i)
  local v = core.zeros({ n }, "float64")
  v:set(i, 1)
  return v
end

-- ------------------------------------------------------------------ problems

local function mlp(activation, inputs, outputs)
  return nn.Sequential { nn.Linear(inputs, 4), activation, nn.Linear(4, 3), activation,
    nn.Linear(3, outputs) }
end

local function problem(layer, batch, loss, mode)
  local model = layer:build { seed = 3 }
  return { loss = model:loss_on(batch, loss, { mode = mode or "train" }), model = model,
    w = model:weights():to "float64" }
end

local function classified(layer, features, classes, loss, mode)
  local shape = { 6, table.unpack(features) }
  return problem(layer, { x = normal(shape, 5), y = labels(6, classes) }, loss, mode)
end

local function fitted(layer, target, loss)
  return problem(layer, { x = normal({ 6, 3 }, 5), y = target }, loss)
end

local ACTIVATIONS = { relu = nn.ReLU(), leaky = nn.LeakyReLU(), gelu = nn.GELU(), silu = nn.SiLU(),
  softplus = nn.Softplus(), tanh = nn.Tanh(), sigmoid = nn.Sigmoid() }

-- By name: functions that make { loss, w, model }. Networks of the zoo belong here, at tiny sizes.
local PROBLEMS = {}

for name, activation in pairs(ACTIVATIONS) do
  PROBLEMS[name] = function() return classified(mlp(activation, 3, 4), { 3 }, 4) end
end

local tanh = function(outputs) return mlp(nn.Tanh(), 3, outputs) end
function PROBLEMS.mse() return fitted(tanh(2), normal({ 6, 2 }, 7), sw.loss.mse) end
function PROBLEMS.smoothing()
  return classified(tanh(4), { 3 }, 4, sw.loss.label_smoothing(0.1))
end
function PROBLEMS.soft_cross_entropy()
  local q = core.apply("softmax", nil, normal({ 6, 4 }, 7))
  return fitted(tanh(4), q, sw.loss.soft_cross_entropy)
end
function PROBLEMS.logistic() return classified(tanh(1), { 3 }, 2, sw.loss.logistic) end
function PROBLEMS.hinge() return classified(tanh(4), { 3 }, 4, sw.loss.hinge) end
function PROBLEMS.lambda()
  local layer = nn.Lambda(function(x, p) return x * (p.beta * x):sigmoid() end,
    { beta = sw.ones { 4 } })
  return classified(nn.Sequential { nn.Linear(3, 4), layer, nn.Linear(4, 3) }, { 3 }, 3)
end
function PROBLEMS.images()
  return classified(nn.Sequential { nn.Flatten(), mlp(nn.Tanh(), 6, 3) }, { 2, 3 }, 3)
end

function PROBLEMS.convolution()
  return classified(nn.Sequential { nn.Conv2d(2, 4, 3, { padding = 1, stride = 2 }), nn.Tanh(),
    nn.Conv2d(4, 2, 3, { padding = 2, dilation = 2, groups = 2 }), nn.SiLU(), nn.Flatten(),
    nn.Linear(12, 3) }, { 5, 4, 2 }, 3)
end
function PROBLEMS.batch_norm()
  return classified(nn.Sequential { nn.Linear(3, 4), nn.BatchNorm(4), nn.ReLU(), nn.Linear(4, 3),
    nn.BatchNorm(3), nn.GELU(), nn.Linear(3, 3) }, { 3 }, 3)
end
function PROBLEMS.smooth_norm() -- with third derivatives that differences find
  return classified(nn.Sequential { nn.Conv2d(2, 3, 3), nn.BatchNorm(3), nn.Tanh(), nn.Flatten(),
    nn.Linear(12, 4), nn.BatchNorm(4), nn.GELU(), nn.Linear(4, 3) }, { 4, 4, 2 }, 3)
end
function PROBLEMS.ghosts()
  return classified(nn.Sequential { nn.Linear(3, 4), nn.BatchNorm(4, { ghost = 3 }), nn.Tanh(),
    nn.Linear(4, 3) }, { 3 }, 3)
end

local function residual_network()
  return nn.Sequential { nn.Conv2d(2, 3, 3, { padding = 1, bias = false }), nn.BatchNorm(3),
    nn.ReLU(), nn.MaxPool2d(2), nn.ReflectionPad2d(1),
    nn.Residual { body = nn.Conv2d(3, 3, 3, { padding = 1 }) }, nn.GroupNorm(1, 3),
    nn.AvgPool2d(2, { stride = 1 }), nn.LayerNorm(3, { eps = 0.1 }), nn.GELU(), nn.GlobalAvgPool(),
    nn.Linear(3, 3) }
end
function PROBLEMS.residual() return classified(residual_network(), { 6, 4, 2 }, 3) end
function PROBLEMS.dropout() -- masks come from the seed: the same for all derivatives
  return classified(nn.Sequential { nn.Linear(3, 6), nn.Tanh(), nn.Dropout(0.4), nn.Linear(6, 3) },
    { 3 }, 3)
end
function PROBLEMS.running_statistics()
  local p = classified(residual_network(), { 6, 4, 2 }, 3, nil, "eval")
  core.random(1, "test"):fill_uniform(p.model:buffers(), 0.5, 1.5)
  return p
end

-- ------------------------------------------------------------------ the definition

local function hessian_by_differences(p)
  local n = #p.w
  local h = core.zeros({ n, n }, "float64")
  for j = 1, n do
    local e = unit(n, j)
    h:select(2, j):copy(derivative(function(t) return p.loss:gradient(p.w:clone():add(t, e)) end))
  end
  return h
end

local function check_hessian(p)
  local full = p.loss:full_hessian(p.w)
  check_near(full, hessian_by_differences(p), 1e-10, "against differences")
  check_near(full, full:transpose(1, 2):contiguous(), 1e-14, "symmetry")
  local v = normal({ #p.w }, 11)
  local product = sw.ops.matmul(full, v:reshape { -1, 1 }):reshape { -1 }
  check_near(p.loss:hvp(p.w, v), product, 1e-13, "against the columns")
end

for name, make in pairs(PROBLEMS) do
  TestSecond["test_hessian_" .. name] = function() check_hessian(make()) end
end

-- ------------------------------------------------------------------ what follows from it

function TestSecond:test_products_are_symmetric()
  local p = PROBLEMS.gelu()
  local u, v = normal({ #p.w }, 1), normal({ #p.w }, 2)
  local a, b = u:dot(p.loss:hvp(p.w, v)), v:dot(p.loss:hvp(p.w, u))
  lu.assert_almost_equals(a, b, 1e-14 * u:norm() * v:norm())
end

function TestSecond:test_along_a_direction()
  for _, name in ipairs { "tanh", "relu", "hinge", "mse", "residual", "running_statistics",
    "batch_norm", "ghosts" } do
    local p = PROBLEMS[name]()
    local v = normal({ #p.w }, 2)
    local value, slope, curvature = p.loss:along(p.w, v)
    lu.assert_almost_equals(value, p.loss(p.w), 1e-14)
    lu.assert_almost_equals(slope, p.loss:gradient(p.w):dot(v), 1e-13)
    lu.assert_almost_equals(curvature, p.loss:hvp(p.w, v):dot(v), 1e-12)
  end
end

function TestSecond:test_gradient_of_the_curvature()
  for _, name in ipairs { "tanh", "gelu", "smooth_norm", "ghosts", "convolution" } do
    local p = PROBLEMS[name]()
    local v = normal({ #p.w }, 2)
    local curvature, gradient = p.loss:curvature_gradient(p.w, v)
    local function at(w) return p.loss:hvp(w, v):dot(v) end
    lu.assert_almost_equals(curvature, at(p.w), 1e-12 * math.abs(curvature) + 1e-12)
    for seed = 3, 5 do
      local d = normal({ #p.w }, seed)
      local slope = derivative(function(t) return at(p.w:clone():add(t, d)) end)
      lu.assert_almost_equals(gradient:dot(d), slope, 1e-8 * gradient:norm() * d:norm())
    end
  end
end

function TestSecond:test_gradient_of_the_squared_gradient_norm()
  local p = PROBLEMS.softplus()
  local g = p.loss:gradient(p.w)
  local squared, gradient = p.loss:squared_gradient_norm(p.w)
  lu.assert_almost_equals(squared, g:dot(g), 1e-15)
  check_near(gradient, 2 * p.loss:hvp(p.w, g), 1e-13, "2 H g")
end

local function outputs(p, w)
  local buffers = p.model:buffers()
  return p.model:forward(p.loss.batch.x, w, buffers and buffers:to "float64")
end

local function outputs_by_differences(p, v)
  return derivative(function(t) return outputs(p, p.w:clone():add(t, v)) end)
end

function TestSecond:test_norms_of_the_examples_gradients()
  local model = nn.Sequential { nn.Conv2d(2, 3, 3), nn.BatchNorm(3), nn.Tanh(), nn.Flatten(),
    nn.Linear(12, 4) }:build()
  local w, batch = model:weights():to "float64", { x = normal({ 5, 4, 4, 2 }, 3), y = labels(5, 4) }
  local f = sw.compile(sw.loss.cross_entropy, model, { mode = "eval" })
  local squares = f:example_norms(w, batch)
  lu.assert_equals(squares:shape(), { 5 })
  for i = 1, 5 do
    local one = { x = batch.x:narrow(1, i, 1), y = batch.y:narrow(1, i, 1) }
    local _, g = f:value_and_gradient(w, one)
    lu.assert_almost_equals(squares:get(i), g:dot(g), 1e-12 * g:dot(g))
  end
  local training = sw.compile(sw.loss.cross_entropy, model)
  lu.assert_error_msg_contains("example_norms needs per-example gradient norms, but there are none",
    training.example_norms, training, w, batch)
end

function TestSecond:test_tangents_of_the_outputs()
  for _, name in ipairs { "silu", "relu", "images", "running_statistics" } do
    local p = PROBLEMS[name]()
    local v = normal({ #p.w }, 2)
    local output, along = p.loss:jvp(p.w, v)
    check_near(output, outputs(p, p.w), 1e-13, "outputs")
    check_near(along, outputs_by_differences(p, v), 1e-8, "tangents")
  end
end

-- v'J' H_L J v: the second difference of the loss as a function of the outputs, along J v.
local function gauss_newton_by_differences(p, v)
  local z, along, h = outputs(p, p.w), outputs_by_differences(p, v), 1e-4
  local function value(t)
    return sw.ops.mean(p.loss.compiled.loss(z + t * along, p.loss.batch.y)):item()
  end
  return (value(h) - 2 * value(0) + value(-h)) / h ^ 2
end

function TestSecond:test_gauss_newton()
  for _, name in ipairs { "tanh", "relu", "mse", "smoothing", "soft_cross_entropy" } do
    local p = PROBLEMS[name]()
    local full = p.loss:full_hessian(p.w, { kind = "gauss_newton" })
    check_near(full, full:transpose(1, 2):contiguous(), 1e-14, "symmetry")
    for seed = 1, 3 do
      local v = normal({ #p.w }, seed)
      local product = p.loss:gauss_newton(p.w, v):dot(v)
      lu.assert_true(product >= 0, name .. ": not below 0")
      lu.assert_almost_equals(product, gauss_newton_by_differences(p, v), 1e-6 * product + 1e-9)
    end
  end
end

function TestSecond:test_a_linear_model_has_only_the_loss_curvature()
  local p = classified(nn.Linear(3, 4), { 3 }, 4)
  local v = normal({ #p.w }, 1)
  check_near(p.loss:gauss_newton(p.w, v), p.loss:hvp(p.w, v), 1e-14, "Gauss-Newton")
  check_hessian(p)
end

function TestSecond:test_no_curvature_is_zero()
  local p = classified(nn.Linear(3, 4), { 3 }, 4, sw.loss.hinge)
  local v = normal({ #p.w }, 1)
  lu.assert_equals(p.loss:hvp(p.w, v):norm(), 0)
  lu.assert_equals(p.loss:gauss_newton(p.w, v):norm(), 0)
  lu.assert_equals(select(3, p.loss:along(p.w, v)), 0)
  lu.assert_equals(select(2, p.loss:curvature_gradient(p.w, v)):norm(), 0)
end

function TestSecond:test_float32()
  for _, name in ipairs { "gelu", "relu", "mse" } do
    local p = PROBLEMS[name]()
    local w, v = p.w:to "float32", normal({ #p.w }, 4)
    for _, kind in ipairs { "hvp", "gauss_newton" } do
      local got = p.loss[kind](p.loss, w, v)
      lu.assert_equals(got:dtype(), "float32")
      check_near(got:to "float64", p.loss[kind](p.loss, p.w, v), 1e-5, kind)
    end
  end
end

-- ------------------------------------------------------------------ linearize

local function check_linearized(name, o)
  local p = PROBLEMS[name]()
  local map, at = p.loss:linearize(p.w, o), p.w:clone()
  p.w:fill(0) -- it keeps the point to itself
  local u, v = normal({ #at }, 1), normal({ #at }, 2)
  local both = map:apply { u, v }
  lu.assert_equals(both[1]:table(), p.loss[o.kind](p.loss, at, u):table())
  lu.assert_equals(both[2]:table(), p.loss[o.kind](p.loss, at, v):table())
  lu.assert_equals(map(u):table(), both[1]:table())
  lu.assert_equals(map.kept, o.memory == nil)
end

function TestSecond:test_linearized()
  for _, name in ipairs { "gelu", "residual", "running_statistics", "mse" } do
    for _, kind in ipairs { "hvp", "gauss_newton" } do
      check_linearized(name, { kind = kind })
      check_linearized(name, { kind = kind, memory = 1 })
    end
  end
end

function TestSecond:test_linearized_at_two_points()
  local p = PROBLEMS.tanh()
  local here, there = p.loss:linearize(p.w), p.loss:linearize(2 * p.w)
  local v = normal({ #p.w }, 1)
  local first = here(v):table()
  lu.assert_equals(there(v):table(), p.loss:hvp(2 * p.w, v):table())
  lu.assert_equals(here(v):table(), first)
end

-- ------------------------------------------------------------------ its price

local function products(program, part)
  local dump = program:dump()
  dump = part and dump:match(part) or dump
  local _, count = dump:gsub("= matmul", "")
  local _, convolutions = dump:gsub("= conv2d", "")
  return count + convolutions
end

-- Of a network of depth products forward: the gradient 3 depth - 1, an HVP 8 depth - 5, a tangent
-- 3 depth - 1. With batch norm a tangent takes a backward pass along, which its ops ask for.
local function check_price(layer, features, coupled)
  local p = classified(layer, features, 3)
  p.loss:gradient(p.w)
  p.loss:hvp(p.w, p.w)
  p.loss:gauss_newton(p.w, p.w)
  p.loss:jvp(p.w, p.w)
  local _, made = next(p.loss.compiled.graphs)
  local function of(kind) return products(made.programs[kind .. " float64"]) end
  local gradient = of "value_and_gradient"
  lu.assert_true(gradient > 0)
  lu.assert_true(of "hvp" <= 8 / 3 * gradient, "hvp: " .. of "hvp" .. " for " .. gradient)
  local further = products(p.loss:linearize(p.w).program, "again at a rerun\n(.*)")
  lu.assert_true(further <= 2 * gradient, "further: " .. further .. " for " .. gradient)
  lu.assert_true(further < of "hvp")
  if coupled then return end
  lu.assert_true(of "gauss_newton" <= 2 * gradient, "gauss_newton: " .. of "gauss_newton")
  lu.assert_true(of "jvp" <= gradient, "jvp: " .. of "jvp")
end

function TestSecond:test_products_counted()
  for _, activation in pairs(ACTIVATIONS) do
    check_price(nn.Sequential { nn.Linear(3, 8), activation, nn.Linear(8, 8), activation,
      nn.Linear(8, 8), activation, nn.Linear(8, 3) }, { 3 })
  end
  check_price(nn.Sequential { nn.Conv2d(2, 4, 3, { padding = 1 }), nn.BatchNorm(4), nn.ReLU(),
    nn.MaxPool2d(2), nn.Conv2d(4, 4, 3, { padding = 1 }), nn.BatchNorm(4), nn.ReLU(), nn.Flatten(),
    nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 3) }, { 4, 4, 2 }, true)
end

-- ------------------------------------------------------------------ misuse

function TestSecond:test_misuse()
  local p = PROBLEMS.tanh()
  local short = core.zeros({ 3 }, "float64")
  local wrong = ("v has 3 elements, the model has %d weights"):format(#p.w)
  lu.assert_error_msg_contains("hvp: " .. wrong, p.loss.hvp, p.loss, p.w, short)
  lu.assert_error_msg_contains("hvp: v must be a tensor", p.loss.hvp, p.loss, p.w, 3)
  lu.assert_error_msg_contains("linearize: " .. wrong, p.loss:linearize(p.w), short)
  lu.assert_error_msg_contains("linearize: w has 3 elements", p.loss.linearize, p.loss, short)
  lu.assert_error_msg_contains('kind must be one of "hvp", "gauss_newton"', p.loss.linearize,
    p.loss, p.w, { kind = "fisher" })
  lu.assert_error_msg_contains("a batch is { x = tensor, y = tensor }",
    p.loss.compiled.hvp, p.loss.compiled, p.w, {}, p.w)
end
