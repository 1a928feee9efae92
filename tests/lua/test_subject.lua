-- measure/subject.lua: a loss over a sample, its gradient and Hessian products, part by part.
local lu = require "luaunit"
local subject = require "swale.measure.subject"
local sw = require "swale"

local nn = sw.nn

TestSubject = {}

local SPEC = subject.spec {}
local EPSILON <const> = 2 ^ -52

local function of(model, sample, o)
  return subject.of("test", model, sample, require("swale.options").check("test", o, SPEC))
end

local function setup(norm)
  local layer = nn.Sequential { nn.Linear(5, 6), norm or nn.Tanh(), nn.Tanh(), nn.Linear(6, 3) }
  local data = sw.data.gaussian_mixture { n = 37, features = 5, classes = 3 }
  return layer:build { seed = 3 }, data.train
end

--- |a - b| / |b|
local function relative(a, b) return a:to("float64"):distance(b:to "float64") / b:norm() end

local function direction(n) return sw.randn({ n }, "float64", sw.random(5)) end

function TestSubject:test_parts_add_up_to_the_whole()
  local model, sample = setup()
  local whole = of(model, sample, { dtype = "float64" })
  local parts = of(model, sample, { dtype = "float64", batch_size = 10 })
  local loss = model:loss_on(sample)
  local w = model:weights():to "float64"
  lu.assert_almost_equals(parts:value(), loss(w), 40 * EPSILON)
  local value, gradient = parts:value_and_gradient()
  lu.assert_almost_equals(value, loss(w), 40 * EPSILON)
  lu.assert_true(relative(gradient, loss:gradient(w)) < 100 * EPSILON)
  local v = direction(whole.size)
  for _, kind in ipairs { "hvp", "gauss_newton" } do
    local exact = loss[kind](loss, w, v)
    for _, memory in ipairs { 2 ^ 30, 1 } do
      local o = { kind = kind, memory = memory }
      lu.assert_true(relative(parts:operator(o)(v), exact) < 100 * EPSILON)
      lu.assert_true(relative(whole:operator(o)(v), exact) < 100 * EPSILON)
    end
  end
end

function TestSubject:test_a_batch_of_tensors_is_a_sample()
  local model, sample = setup()
  local x, y = sample:gather((function()
    local list = {}
    for i = 1, 37 do list[i] = i end
    return list
  end)())
  local parts = of(model, { x = x, y = y }, { batch_size = 7 })
  lu.assert_equals(parts.n, 37)
  lu.assert_almost_equals(parts:value(), of(model, sample):value(), 1e-6)
end

function TestSubject:test_over_selects_weights()
  local model, sample = setup()
  local all = of(model, sample, { dtype = "float64" })
  local some = of(model, sample, { dtype = "float64", over = "^3%." })
  local n = all.size
  lu.assert_equals(some.selected, 3 * 6 + 3)
  local _, gradient = all:value_and_gradient()
  local _, part = some:value_and_gradient()
  lu.assert_equals(part:table(), gradient:narrow(1, n - 20, 21):table())
  local h = model:loss_on(sample):full_hessian(model:weights():to "float64")
  local block = h:narrow(1, n - 20, 21):narrow(2, n - 20, 21)
  local v = direction(21)
  local exact = block:matmul(v:reshape { 21, 1 }):reshape { 21 }
  lu.assert_true(relative(some:operator()(v), exact) < 1000 * EPSILON)
  local odd = of(model, sample, { over = function(path) return path:find "bias" end })
  lu.assert_equals(odd.selected, 9)
  local u = direction(9)
  lu.assert_equals(odd:select(odd:expand(u)):table(), u:table())
end

function TestSubject:test_weight_decay_is_part_of_the_objective()
  local model, sample = setup()
  local data = of(model, sample, { dtype = "float64" })
  local decayed = of(model, sample, { dtype = "float64", weight_decay = 0.3 })
  local w = data.weights
  lu.assert_almost_equals(decayed:value() - data:value(), 0.15 * w:dot(w), 1e-14)
  local _, plain = data:value_and_gradient()
  local _, gradient = decayed:value_and_gradient()
  lu.assert_true((gradient - plain):distance(w * 0.3) < 1e-14)
  local v = direction(data.size)
  lu.assert_true((decayed:operator()(v) - data:operator()(v)):distance(v * 0.3) < 1e-13)
end

function TestSubject:test_coupled_examples_are_one_part()
  local model, sample = setup(nn.BatchNorm(6))
  lu.assert_true(of(model, sample, { mode = "train" }).whole)
  lu.assert_false(of(model, sample).whole)
  local trained = of(model, sample, { mode = "train", batch_size = 5 })
  local loss = model:loss_on(sample, sw.loss.cross_entropy, { mode = "train" })
  lu.assert_equals(trained:value(), loss(model:weights()))
  local weighted = of((setup()), sample,
    { loss = sw.loss.cross_entropy { weight = { 1, 2, 3 } }, batch_size = 5 })
  lu.assert_true(weighted.whole)
end

function TestSubject:test_the_model_is_left_alone()
  local model, sample = setup(nn.BatchNorm(6))
  local w, buffers = model:weights():clone(), model:buffers():clone()
  local s = of(model, sample, { mode = "train" })
  s:value_and_gradient()
  s:operator()(direction(s.size))
  s.weights:fill(0)
  lu.assert_equals(model:weights():table(), w:table())
  lu.assert_equals(model:buffers():table(), buffers:table())
end

function TestSubject:test_buffers_may_be_others()
  local model, sample = setup(nn.BatchNorm(6))
  local others = model:reestimate(sample)
  local s = of(model, sample, { buffers = others })
  local before = s:value()
  model:buffers():copy(others)
  lu.assert_equals(of(model, sample):value(), before)
end

function TestSubject:test_misuse_names_the_remedy()
  local model, sample = setup()
  local data = sw.data.gaussian_mixture { n = 37, features = 5, classes = 3 }
  lu.assert_error_msg_contains("layer:build()", of, nn.Linear(5, 3), sample)
  lu.assert_error_msg_contains("data.train:sample(1000)", of, model, data)
  lu.assert_error_msg_contains("{ x =, y = }", of, model, sw.ones { 3 })
  lu.assert_error_msg_contains("over matches no parameter: 0.weight", of, model, sample,
    { over = "conv" })
  lu.assert_error_msg_contains("no Lua pattern", of, model, sample, { over = "[" })
  lu.assert_error_msg_contains("weights has 3 elements", of, model, sample,
    { weights = sw.ones { 3 } })
end
