-- Per-example squared gradient norms: those of a batch are the gradients' of batches of one.
local compile = require "swale.compile"
local core = require "swale.core"
local lu = require "luaunit"
local nn = require "swale.nn"
local ops = require "swale.ops"
local sw = require "swale"

TestNorms = {}

local BATCH, LENGTH, WIDTH, WORDS = 5, 4, 3, 7

local function normal(shape, seed)
  return core.random(seed, "test"):fill_normal(core.zeros(shape, "float64"), 0, 1)
end

local function whole(shape, limit, seed)
  local t, random = core.zeros(shape, "int32"), core.random(seed, "test")
  local flat = t:reshape { -1 }
  for i = 1, flat:numel() do flat:set(i, random:integer(limit) - 1) end
  return t
end

-- A graph with parameters one behind the other: new{ 2, 3 } gives the next one.
local function graph_of(build)
  local g, params, at = core.graph(), {}, 1
  local function new(shape)
    local size = 1
    for _, n in ipairs(shape) do size = size * n end
    params[#params + 1] = g:param(at, shape)
    at = at + size
    return params[#params]
  end
  local loss = build(g, new)
  local grads = g:gradient(loss, params)
  return { g = g, loss = loss, grads = grads, params = params, size = at - 1 }
end

local function gradient_program(n)
  local outputs, offsets, at = { n.loss }, { false }, 1
  for i, grad in ipairs(n.grads) do
    local size = 1
    for _, d in ipairs(n.params[i]:shape()) do size = size * d end
    if grad then
      outputs[#outputs + 1] = grad
      offsets[#outputs] = at
    end
    at = at + size
  end
  return core.program(n.g, outputs, { dtype = "float64", offsets = offsets })
end

local function one_by_one(n, inputs, w)
  local program, squares = gradient_program(n), {}
  for i = 1, BATCH do
    local single, out = {}, core.zeros({ n.size }, "float64")
    for k, x in ipairs(inputs) do single[k] = x:narrow(1, i, 1) end
    program:run { inputs = single, vectors = { w }, out = out }
    squares[i] = out:dot(out)
  end
  return squares
end

local function check(build, inputs)
  local n = graph_of(build)
  local norms = assert(n.g:example_norms(n.grads))
  local w = normal({ n.size }, 3)
  w:scale(0.5)
  local got = core.program(n.g, { norms }, { dtype = "float64" })
    :run { inputs = inputs, vectors = { w }, batch = BATCH }
  local want = one_by_one(n, inputs, w)
  lu.assert_equals(got:shape(), { BATCH })
  for i = 1, BATCH do
    lu.assert_true(want[i] > 1e-3)
    lu.assert_almost_equals(got:get(i), want[i], 1e-12 * want[i])
  end
end

local function refused(build, text)
  local n = graph_of(build)
  local norms, why, code, culprit = n.g:example_norms(n.grads)
  lu.assert_nil(norms)
  lu.assert_equals(code, "EUNSUPPORTED")
  lu.assert_str_contains(why, text)
  return culprit
end

local function squared(y)
  local axes = {}
  for i = 2, y:ndim() do axes[#axes + 1] = i end
  return ops.mean(ops.sumsq(y, axes))
end

-- ------------------------------------------------------------------ sums

local function sequences(g) return g:input(1, "real", { "batch", LENGTH, WIDTH }) end

local SEQUENCES = { normal({ BATCH, LENGTH, WIDTH }, 1) }

local function normalised(x)
  local centred = x - ops.mean(x, -1, true)
  return centred / ops.sqrt(ops.mean(centred * centred, -1, true) + 1e-5)
end

function TestNorms:test_gains_and_biases_of_sequences()
  check(function(g, new)
    local y = normalised(sequences(g)) * new { WIDTH } + new { WIDTH }
    return squared(y:tanh())
  end, SEQUENCES)
end

function TestNorms:test_biases_of_rows()
  check(function(g, new)
    local rows = sequences(g):reshape { LENGTH .. "*batch", WIDTH }
    return squared(ops.reshape(ops.tanh(rows * new { WIDTH } + new { 1, WIDTH }),
      { "batch", LENGTH * WIDTH }))
  end, SEQUENCES)
end

function TestNorms:test_parameters_for_each_position()
  check(function(g, new)
    local y = sequences(g) + new { LENGTH, WIDTH }
    return squared(y:sigmoid() * new { LENGTH, 1 } * new {})
  end, SEQUENCES)
end

function TestNorms:test_gains_and_biases_used_several_times()
  check(function(g, new)
    local a, b, c = new { 1, WIDTH }, new { WIDTH }, new {}
    local y = ops.tanh(sequences(g) * a + b)
    return squared(ops.tanh(y * a - b / 3 + a * c + ops.relu(b) * ops.sum(a)))
  end, SEQUENCES)
end

function TestNorms:test_scales_and_slices_of_parameters()
  check(function(g, new)
    local table_ = new { 2 * LENGTH, WIDTH } * 3
    return squared((sequences(g) + -table_:slice(1, 2, LENGTH)):tanh())
  end, SEQUENCES)
end

function TestNorms:test_a_transposed_parameter()
  check(function(g, new)
    local weight = ops.reshape(ops.t(new { WIDTH * LENGTH, 2 }), { 2, -1 }) * 0.5
    local x = sequences(g):reshape { "batch", LENGTH * WIDTH }
    return squared(ops.matmul(x, weight, { transpose_b = true }):tanh())
  end, SEQUENCES)
end

-- ------------------------------------------------------------------ one row an example

function TestNorms:test_an_embedding()
  check(function(g, new)
    local words = g:input(1, "index", { "batch" })
    return squared((ops.gather(new { WORDS, WIDTH }, words) * 2):tanh())
  end, { whole({ BATCH }, WORDS, 2) })
end

-- ------------------------------------------------------------------ several rows an example

local function rows_times(x, weight)
  return ops.reshape(ops.matmul(x:reshape { -1, x:shape()[3] }, weight), { "batch", LENGTH, -1 })
end

-- m x k against T (m + k): both ways of a product are taken.
function TestNorms:test_products_over_sequences()
  for _, size in ipairs { 1, 2, 20, 40 } do
    check(function(g, new)
      local h = rows_times(sequences(g), new { WIDTH, size }):tanh()
      return squared(rows_times(h, new { size, 20 }):tanh())
    end, SEQUENCES)
  end
end

function TestNorms:test_products_over_transposed_rows()
  check(function(g, new)
    local columns = ops.t(sequences(g):reshape { -1, WIDTH }) -- (3, 4*batch)
    local y = ops.t(ops.matmul(new { 5, WIDTH }, columns:exp()))
    return squared(ops.reshape(y, { "batch", LENGTH * 5 }):tanh())
  end, SEQUENCES)
end

function TestNorms:test_embeddings_of_sequences()
  for _, words in ipairs { 2, WORDS } do
    check(function(g, new)
      local index = g:input(1, "index", { "batch", LENGTH })
      local x = ops.gather(new { words, WIDTH }, index) + new { LENGTH, WIDTH }
      return squared(rows_times(x:tanh(), new { WIDTH, 4 }):tanh())
    end, { whole({ BATCH, LENGTH }, words, 2) })
  end
end

function TestNorms:test_a_small_transformer()
  check(function(g, new)
    local function linear(x, from, to) return rows_times(x, new { from, to }) + new { to } end
    local function norm(x, n) return normalised(x) * new { n } + new { n } end
    local function heads(x) -- (batch, 2, LENGTH, 3)
      return ops.transpose(x:reshape { "batch", LENGTH, 2, 3 }, 2, 3)
    end
    local index = g:input(1, "index", { "batch", LENGTH })
    local x = ops.gather(new { WORDS, 6 }, index) + new { LENGTH, 6 }
    local h = norm(x, 6)
    local q, k, v = heads(linear(h, 6, 6)), heads(linear(h, 6, 6)), heads(linear(h, 6, 6))
    local a = ops.causal_softmax(ops.bmm(q, k, { transpose_b = true }), 3 ^ -0.5)
    local y = ops.transpose(ops.bmm(a, v), 2, 3):reshape { "batch", LENGTH, 6 }
    x = x + linear(y, 6, 6)
    x = x + linear(linear(norm(x, 6), 6, 8):gelu(), 8, 6)
    local logits = linear(norm(x, 6), 6, WORDS)
    local losses = ops.cross_entropy(logits, g:input(2, "index", { "batch", LENGTH }))
    return ops.mean(losses)
  end, { whole({ BATCH, LENGTH }, WORDS, 2), whole({ BATCH, LENGTH }, WORDS, 3) })
end

-- ------------------------------------------------------------------ networks

local function classified(layer, features, mode)
  return compile.graph(layer, sw.loss.cross_entropy, { features = features, labels = true }, mode)
end

local function check_network(layer, features, inputs, mode)
  local graph, model = classified(layer, features, mode or "eval"), layer:build { seed = 2 }
  local w, buffers = model:weights():to "float64", model:buffers() or core.zeros { 1 }
  if model:buffers() then core.random(1, "test"):fill_uniform(buffers, 0.5, 1.5) end
  local run = { inputs = inputs, vectors = { w, buffers:to "float64" }, batch = BATCH,
    out = core.zeros({ #w }, "float64"), seed = 5, step = 7, first_example = 1 }
  local _, norms = graph:measured("float64"):run(run)
  local single = graph:pure "float64"
  for i = 1, BATCH do
    run.inputs, run.batch = { inputs[1]:narrow(1, i, 1), inputs[2]:narrow(1, i, 1) }, 1
    run.first_example = i -- its dropout mask
    single:run(run)
    local want = run.out:dot(run.out)
    lu.assert_almost_equals(norms:get(i), want, 1e-11 * want)
  end
end

local IMAGES = { normal({ BATCH, 6, 5, 2 }, 4), whole({ BATCH }, 3, 5) }

function TestNorms:test_a_convolutional_network()
  check_network(nn.Sequential {
    nn.Conv2d(2, 4, 3, { padding = 1 }), nn.ReLU(), nn.MaxPool2d(2), nn.GroupNorm(2, 4),
    nn.ReflectionPad2d(1), nn.Conv2d(4, 4, 3, { stride = 2, groups = 2 }), nn.GELU(),
    nn.Conv2d(4, 3, 1), nn.LayerNorm(3), nn.AvgPool2d(2, { padding = 1, stride = 1 }),
    nn.Residual { body = nn.Conv2d(3, 3, 3, { padding = 1 }) }, nn.GlobalAvgPool(),
    nn.Linear(3, 3) }, { 6, 5, 2 }, IMAGES)
end

function TestNorms:test_dropout()
  check_network(nn.Sequential { nn.Flatten(), nn.Dropout(0.3), nn.Linear(60, 8), nn.ReLU(),
    nn.Dropout(0.5), nn.Linear(8, 3) }, { 6, 5, 2 }, IMAGES, "train")
end

function TestNorms:test_batch_norm_with_running_statistics()
  check_network(nn.Sequential { nn.Conv2d(2, 3, 3), nn.BatchNorm(3), nn.ReLU(), nn.Flatten(),
    nn.Linear(36, 8), nn.BatchNorm(8), nn.Linear(8, 3) }, { 6, 5, 2 }, IMAGES)
end

-- Each example normalised by itself, in training mode.
function TestNorms:test_ghosts_of_one_example_keep_examples_apart()
  check(function(g, new)
    local one, zero = core.zeros { 2 }, core.zeros { 2 }
    for i = 1, 2 do one:set(i, 1) end
    local y = core.apply("batch_norm", { value = 1e-2, n = 1 },
      core.apply("conv2d", {}, g:input(1, "real", { "batch", 6, 5, 2 }), new { 2, 3, 3, 2 }),
      one, zero)
    return squared((y * y * y):reshape { "batch", 24 })
  end, { IMAGES[1] })
end

function TestNorms:test_batch_norm_in_training_mode_is_refused()
  for _, norm in ipairs { nn.BatchNorm(4), nn.GhostBatchNorm(2)(4) } do
    local graph = classified(nn.Sequential { nn.Linear(3, 4), norm, nn.Linear(4, 3) }, { 3 },
      "train")
    lu.assert_error_msg_contains('none of "0.weight": its gradient is made of coupled examples',
      graph.norms, graph)
    lu.assert_error_msg_contains("Ghost batches", graph.norms, graph)
    lu.assert_error_msg_contains('mode = "eval"', graph.norms, graph)
  end
end

-- ------------------------------------------------------------------ refusals

function TestNorms:test_shared_weights_are_refused()
  local function tied(g)
    local x = g:input(1, "real", { "batch", WIDTH })
    local a, b = g:param(1, { WIDTH, WIDTH }), g:param(1, { WIDTH * WIDTH })
    return squared(ops.matmul(ops.matmul(x, a):tanh(), b:reshape { WIDTH, WIDTH }):tanh()), { a, b }
  end
  local g = core.graph()
  local loss, params = tied(g)
  local norms, why = g:example_norms(g:gradient(loss, params))
  lu.assert_nil(norms)
  lu.assert_str_contains(why, "at elements 1 and 1 share weights")
end

function TestNorms:test_products_used_twice_are_refused()
  local culprit = refused(function(g, new)
    local x, a, b = g:input(1, "real", { "batch", WIDTH }), new { WIDTH }, new { WIDTH, WIDTH }
    return squared(ops.matmul(ops.matmul(x * a, b):tanh(), b):tanh())
  end, "its gradient is not one sum over the examples: it is used several times")
  lu.assert_equals(culprit, 2)
end

function TestNorms:test_a_penalty_is_refused()
  refused(function(g, new)
    local a = new { WIDTH }
    return squared(sequences(g) * a) + ops.sumsq(a)
  end, "the loss has a penalty of its own")
end

function TestNorms:test_coupled_examples_are_refused()
  refused(function(g, new)
    local y = ops.matmul(g:input(1, "real", { "batch", WIDTH }), new { WIDTH, WIDTH })
    return squared(y - y:mean(1, true))
  end, "coupled examples")
  refused(function(g, new) -- (time, batch) as rows: the batch is not what they are cut by
    local x = g:input(1, "real", { LENGTH, "batch", WIDTH })
    local rows = x:reshape { LENGTH .. "*batch", WIDTH }
    return ops.mean(ops.matmul(rows, new { WIDTH, WIDTH }):tanh())
  end, "coupled examples")
end
