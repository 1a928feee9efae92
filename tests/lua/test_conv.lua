--- Convolutions inside programs: their epilogues, their examples' norms, threads. Values and
--- derivatives are in conv_rows.lua.
local lu = require "luaunit"
local core = require "swale.core"
local ops = require "swale.ops"

TestConv = {}

-- Two convolutions, each with bias and ReLU, and a linear layer; 3 x 5 x 5 images, 4 classes.
local function network(size, o)
  local g, n = core.graph(), 0
  local function param(shape)
    local first = n + 1
    n = n + core.zeros(shape):numel()
    return g:param(first, shape)
  end
  local net = { g = g, x = g:input(1, "real", { "batch", size, size, 3 }),
    y = g:input(2, "index", { "batch" }) }
  net.params = { param { 6, 3, 3, 3 }, param { 6 }, param { 8, 3, 3, 3 }, param { 8 },
    param { 4, 8 } }
  local w1, b1, w2, b2, last = table.unpack(net.params)
  local hidden = ops.relu(ops.conv2d(net.x, w1, { padding = 1 }) + b1)
  hidden = ops.relu(ops.conv2d(hidden, w2, { groups = 2, stride = 2 }) + b2)
  net.hidden = hidden
  net.losses = ops.cross_entropy(
    ops.matmul(ops.mean(hidden, { 2, 3 }), last, { transpose_b = true }), net.y)
  net.loss = ops.mean(net.losses)
  net.grads = g:gradient(net.loss, net.params)
  net.weights = core.random(o and o.seed or 3, "init"):fill_normal(
    core.zeros({ n }, o and o.dtype or "float64"), 0, 0.3)
  return net
end

local function batch_of(net, size, b, dtype)
  local x = core.random(7, "data"):fill_normal(core.zeros({ b, size, size, 3 }, dtype), 0, 1)
  local labels = {}
  for i = 1, b do labels[i] = i % 4 end
  return { inputs = { x, core.tensor(labels, "int32") }, vectors = { net.weights }, batch = b }
end

function TestConv:test_bias_and_relu_are_an_epilogue()
  local net = network(5)
  local program = core.program(net.g, { net.hidden }, { dtype = "float64" })
  local _, fused = program:dump():gsub("conv2d%+bias%+relu", "")
  lu.assert_equals(fused, 2)
  local apart = core.program(net.g, { net.hidden, ops.conv2d(net.x, net.params[1],
    { padding = 1 }) }, { dtype = "float64" })
  lu.assert_not_str_contains(apart:dump():match "[^\n]*vector1%[1%][^\n]*", "+bias")
  lu.assert_equals(apart:run(batch_of(net, 5, 3, "float64")):table(),
    (program:run(batch_of(net, 5, 3, "float64"))):table())
end

-- The norms of examples against gradients of batches of one.
function TestConv:test_norms_of_examples()
  for dtype, tolerance in pairs { float64 = 1e-12, float32 = 1e-5 } do
    local net = network(7, { dtype = dtype })
    local norms = core.program(net.g, { assert(net.g:example_norms(net.grads)) },
      { dtype = dtype })
    local grads = core.program(net.g, net.grads, { dtype = dtype })
    local run = batch_of(net, 7, 5, dtype)
    local got = norms:run(run):table()
    for i = 1, 5 do
      local one = { inputs = { run.inputs[1]:narrow(1, i, 1), run.inputs[2]:narrow(1, i, 1) },
        vectors = run.vectors, batch = 1 }
      local want = 0
      for _, grad in ipairs { grads:run(one) } do want = want + grad:norm() ^ 2 end
      lu.assert_true(math.abs(got[i] - want) <= tolerance * want)
    end
  end
end

function TestConv:test_norms_change_no_bit_of_the_gradient()
  local net = network(7, { dtype = "float32" })
  local norms = assert(net.g:example_norms(net.grads))
  local alone = core.program(net.g, net.grads)
  local beside = core.program(net.g, { norms, table.unpack(net.grads) })
  local run = batch_of(net, 7, 5, "float32")
  local want, got = { alone:run(run) }, { beside:run(run) }
  for i = 1, #want do lu.assert_equals(got[i + 1]:table(), want[i]:table()) end
end

function TestConv:test_norms_want_the_mean_and_examples_apart()
  local net = network(5)
  local sums = net.g:gradient(ops.sum(net.losses), net.params)
  local norms, why = net.g:example_norms(sums)
  lu.assert_nil(norms)
  lu.assert_str_contains(why, "must be the mean over the examples")
  local twice = net.g:gradient(ops.mean(net.losses * ops.sumsq(net.params[1])), { net.params[1] })
  lu.assert_nil((net.g:example_norms(twice)))
end

function TestConv:test_squares_have_no_derivative()
  local g = core.graph()
  local x, c = g:input(1, "real", { "batch", 4, 4, 1 }), g:input(2, "real", { "batch", 2, 2, 1 })
  local _, squares = core.apply("conv2d_weight", { kernel = 3 }, x, c)
  local grads, why, code = g:gradient(ops.sum(squares), { x })
  lu.assert_nil(grads)
  lu.assert_str_contains(why, "squared norms have no derivative")
  lu.assert_equals(code, "EUNSUPPORTED")
end

function TestConv:test_batches_come_first()
  local g = core.graph()
  local x, w = g:input(1, "real", { 4, "batch", 4, 1 }), g:param(1, { 2, 3, 3, 1 })
  lu.assert_error_msg_contains("the batch must be the first axis of images", ops.conv2d, x, w)
  lu.assert_error_msg_contains("none of them the batch", ops.conv2d,
    g:input(1, "real", { "batch", 4, 4, 1 }), g:input(2, "real", { "batch", 3, 3, 1 }))
end

function TestConv:test_a_dump_says_the_window()
  local g = core.graph()
  local x, w = g:input(1, "real", { "batch", 9, 9, 4 }), g:param(1, { 4, 3, 2, 2 })
  local y = ops.conv2d(x, w, { stride = { 2, 1 }, padding = { 0, 1 }, groups = 2 })
  lu.assert_str_contains(g:dump { y },
    "kernel 3,2 stride 2,1 padding 0,1 groups 2 : (batch, 4, 10, 4)")
end

function TestConv:test_methods_and_what_a_tensor_gives()
  local x = core.tensor({ 1, 2, 3, 4, 5, 6, 7, 8, 9 }):reshape { 1, 3, 3, 1 }
  local w = core.tensor({ 1, 0, 0, -1 }):reshape { 1, 2, 2, 1 }
  lu.assert_equals(x:conv2d(w):reshape({ -1 }):table(), { -4, -4, -4, -4 })
  lu.assert_error_msg_contains("unknown option", x.conv2d, x, w, { strides = 2 })
end

-- Threads and blocks: images in several pieces, panels in several.
function TestConv:test_any_number_of_threads_gives_the_same_bits()
  local net = network(24, { dtype = "float32" })
  local norms = assert(net.g:example_norms(net.grads))
  local program = core.program(net.g, { norms, net.loss, table.unpack(net.grads) })
  local run, before, want = batch_of(net, 24, 9, "float32"), core.threads(), nil
  for _, threads in ipairs { 1, 2, 4 } do
    core.set_threads(threads)
    local got = {}
    for i, t in ipairs { program:run(run) } do got[i] = t:reshape({ -1 }):table() end
    want = want or got
    lu.assert_equals(got, want)
  end
  core.set_threads(before)
end

local function allocations_of(program, run)
  program:run(run)
  local before = core.memory().calls
  lu.assert_equals(program:run(run):shape(), { 4 })
  return core.memory().calls - before
end

-- What convolutions work with is planned: a run allocates what it returns, as without them.
function TestConv:test_scratch_is_planned()
  local net = network(9, { dtype = "float32" })
  local norms = assert(net.g:example_norms(net.grads))
  local run = batch_of(net, 9, 4, "float32")
  local linear = ops.matmul(ops.mean(net.x, { 2, 3 }), ops.slice(net.params[5], 2, 1, 3),
    { transpose_b = true })
  local plain = core.program(net.g, { ops.cross_entropy(linear, net.y) })
  lu.assert_equals(allocations_of(core.program(net.g, { norms }), run), allocations_of(plain, run))
end
