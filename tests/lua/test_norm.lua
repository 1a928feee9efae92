--- Batch normalisation inside programs: digits, threads, ghosts, a ReLU behind it, derivatives of
--- single outputs, and what is refused. Values and derivatives are rows of test_ops.lua.
local core = require "swale.core"
local lu = require "luaunit"
local ops = require "swale.ops"
local values = require "values_harness"

local B = "batch"
local random, tensor, flat = values.random, values.tensor, values.flat

TestNorm = {}

local function ones(n, dtype) return tensor({ n }, function() return 1 end, dtype) end

-- A graph of y = relu(batch_norm(x)) or without, and of the gradients of dot(y, c).
local function model(shape, o)
  local graph = core.graph()
  local channels = shape[#shape]
  local m = { graph = graph, x = graph:input(1, "real", shape),
    gamma = graph:input(2, "real", { channels }), beta = graph:input(3, "real", { channels }) }
  m.y, m.stats, m.moments = core.apply("batch_norm", { value = 1e-5, n = o.ghost or 0 }, m.x,
    m.gamma, m.beta)
  m.out = o.relu and m.y:relu() or m.y
  m.c = graph:input(4, "real", shape)
  m.grads = graph:gradient(ops.dot(m.out, m.c), { m.x, m.gamma, m.beta })
  return m
end

local function inputs(shape, batch, dtype, seed)
  local draw = random(seed or 1)
  local sizes = table.move(shape, 2, #shape, 2, { batch })
  local channels = { shape[#shape] }
  local x = tensor(sizes, function() return 3 * draw() + 1 end, dtype)
  return { x, tensor(channels, draw, dtype), tensor(channels, draw, dtype),
    tensor(sizes, draw, dtype) }
end

local function run(m, outputs, given, batch, dtype)
  local program = core.program(m.graph, outputs, { dtype = dtype })
  return { program:run { inputs = given, batch = batch } }, program
end

function TestNorm:test_a_mean_far_from_zero_costs_no_digits()
  -- multiples of 2^-16 near 100, which float32 holds exactly: mean 100, deviation about 1
  local rows, channels, draw = 20000, 3, random(7)
  local x = core.zeros({ rows * channels }, "float64")
  for i = 1, rows * channels do
    x:set(i, 100 + math.floor(math.sqrt(3) * draw() * 2 ^ 16) / 2 ^ 16)
  end
  x = x:reshape { rows, channels }
  local function of(dtype)
    local one, zero = ones(channels, dtype), core.zeros({ channels }, dtype)
    local y, _, moments = core.apply("batch_norm", { value = 1e-5 }, x:to(dtype), one, zero)
    return flat(y), flat(moments)
  end
  local y, moments = of "float32"
  local y64, moments64 = of "float64"
  for c = 1, channels do
    lu.assert_almost_equals(moments[c], moments64[c], 4e-6) -- half a unit of float32 at 100
    lu.assert_almost_equals(moments[channels + c], moments64[channels + c], 3e-7)
  end
  -- the mean was rounded, and each deviation from it
  for i = 1, #y, 101 do lu.assert_almost_equals(y[i], y64[i], 8e-6) end
end

function TestNorm:test_a_chunk_that_begins_far_away_costs_no_digits()
  local x = tensor({ 1000, 9 }, function(i) return i <= 9 and 1000 or i % 7 end, "float32")
  local gamma, beta = ones(9, "float32"), core.zeros({ 9 }, "float32")
  local moments = select(3, core.apply("batch_norm", { value = 0 }, x, gamma, beta))
  local exact = select(3, core.apply("batch_norm", { value = 0 }, x:to "float64",
    gamma:to "float64", beta:to "float64"))
  for i = 1, 18 do
    local want = flat(exact)[i]
    lu.assert_almost_equals(flat(moments)[i], want, 1e-6 * want)
  end
end

local function with_threads(n, f)
  local before = core.threads()
  core.set_threads(n)
  local result = f()
  core.set_threads(before)
  return result
end

function TestNorm:test_threads_do_not_show()
  local cases = { { { B, 40, 9, 20 }, 30 }, { { B, 300 }, 700 }, { { B, 5, 33 }, 70, 3 } }
  for _, case in ipairs(cases) do
    local shape, batch, ghost = table.unpack(case)
    local m = model(shape, { ghost = ghost })
    local hessian = m.graph:gradient(ops.dot(m.grads[1], m.c), { m.x, m.c, m.gamma })
    local outputs = { m.y, m.stats, m.moments, m.grads[1], m.grads[2], m.grads[3], hessian[1],
      hessian[2], hessian[3] }
    local given, first = inputs(shape, batch, "float32"), nil
    for threads = 1, 4 do
      local got = with_threads(threads, function() return run(m, outputs, given, batch) end)
      first = first or got
      for k = 1, #outputs do lu.assert_equals(flat(got[k]), flat(first[k])) end
    end
  end
end

-- The same numbers, once with a ReLU that nothing else reads, once with one that is read twice.
function TestNorm:test_a_relu_that_is_taken_along_keeps_bits()
  for _, dtype in ipairs { "float32", "float64" } do
    for _, ghost in ipairs { 0, 3 } do
      local shape = { B, 4, 11 }
      local m = model(shape, { ghost = ghost, relu = true })
      local gate = core.apply("gate", nil, m.c, m.out)
      local given = inputs(shape, 8, dtype)
      local outputs = { m.out, m.grads[1], m.grads[2], m.grads[3], m.moments }
      local fused, program = run(m, outputs, given, 8, dtype)
      lu.assert_str_contains(program:dump(), "batch_norm+relu")
      lu.assert_str_contains(program:dump(), "batch_norm_grad+bias+relu")
      table.move({ m.y, gate }, 1, 2, #outputs + 1, outputs)
      local apart, whole = run(m, outputs, given, 8, dtype)
      lu.assert_not_str_contains(whole:dump(), "batch_norm+relu")
      lu.assert_not_str_contains(whole:dump(), "batch_norm_grad+bias")
      for k = 1, 5 do lu.assert_equals(flat(fused[k]), flat(apart[k])) end
    end
  end
end

-- A node that reads the moments may come before the ReLU in the graph.
function TestNorm:test_moments_are_there_before_the_relu()
  local m = model({ B, 3 }, {})
  local later = m.moments * 2
  local out = m.y:relu()
  local given = inputs({ B, 3 }, 6, "float32")
  local got, program = run(m, { out, later, m.moments }, given, 6)
  lu.assert_str_contains(program:dump(), "batch_norm+relu")
  lu.assert_equals(flat(got[2]), flat(got[3] * 2))
end

-- The derivatives of a scalar in x, gamma, beta and c, against differences.
local function check_slopes(m, total, batch, tolerance)
  local slopes = m.graph:gradient(total, { m.x, m.gamma, m.beta, m.c })
  local given = inputs({ B, 2, 3 }, batch, "float64")
  local value, step = core.program(m.graph, { total }, { dtype = "float64" }), 1e-5
  local function at(x, i, to)
    x:set(i, to)
    return value:run { inputs = given, batch = batch }:item()
  end
  for k = 1, 4 do
    local got = slopes[k] and flat(run(m, { slopes[k] }, given, batch, "float64")[1])
    local x = given[k]:reshape { -1 }
    for i = 1, x:numel() do
      local here = x:get(i)
      local slope = (at(x, i, here + step) - at(x, i, here - step)) / (2 * step)
      x:set(i, here)
      lu.assert_almost_equals(got and got[i] or 0, slope, tolerance)
    end
  end
end

-- d of dot(output k of the gradient, v), for each output and their sums, against differences.
function TestNorm:test_derivatives_of_single_outputs()
  for subset = 1, 7 do
    local m = model({ B, 2, 3 }, { ghost = 2 })
    local total
    for k = 1, 3 do
      if subset >> (k - 1) & 1 == 1 then
        local term = ops.dot(m.grads[k], k == 1 and m.c * m.c or m.beta * m.beta)
        total = total and total + term or term
      end
    end
    check_slopes(m, total, 5, 1e-6)
  end
end

-- The second derivative's three outputs, of the gradient's three: all third derivatives.
function TestNorm:test_third_derivatives()
  for _, ghost in ipairs { 0, 2 } do
    for k = 1, 3 do
      local m = model({ B, 2, 3 }, { ghost = ghost })
      local first = ops.dot(m.grads[k], k == 1 and m.c * m.c or m.beta * m.beta)
      for i, slope in ipairs(m.graph:gradient(first, { m.x, m.c, m.gamma })) do
        if slope then check_slopes(m, ops.dot(slope, i < 3 and m.x * m.x or m.beta), 5, 2e-5) end
      end
    end
  end
end

function TestNorm:test_a_fourth_derivative()
  for _, ghost in ipairs { 0, 2 } do
    local m = model({ B, 2, 3 }, { ghost = ghost })
    local of = ops.dot(m.out, m.c)
    for _ = 1, 3 do of = ops.dot(m.graph:gradient(of, { m.x })[1], m.c) end
    check_slopes(m, of, 5, 1e-4)
  end
end

function TestNorm:test_what_has_no_derivative_says_so()
  local m = model({ B, 3 }, {})
  local function refuses(graph, of, wrt, words)
    local grads, why, code = graph:gradient(of, wrt)
    lu.assert_nil(grads)
    lu.assert_str_contains(why, words)
    lu.assert_equals(code, "EUNSUPPORTED")
  end
  refuses(m.graph, ops.sum(m.stats), { m.x }, "stats has no derivative")
  local ghosts = model({ B, 3 }, { ghost = 2 })
  refuses(ghosts.graph, ops.sum(ghosts.moments), { ghosts.x }, "moments of ghosts")
end

function TestNorm:test_one_value_has_no_variance()
  local m = model({ B, 3 }, {})
  local program = core.program(m.graph, { m.y })
  local given = inputs({ B, 3 }, 1, "float32")
  local ok, message = pcall(program.run, program, { inputs = given, batch = 1 })
  lu.assert_false(ok)
  lu.assert_str_contains(message, "1 value a channel has no variance")
  local one = ones(3)
  lu.assert_error_msg_contains("no variance", core.apply, "batch_norm", { value = 1e-5, n = 1 },
    core.zeros { 4, 3 }, one, one)
end

-- Ghosts are runs of examples: along any other first axis they would be of parts of all examples.
function TestNorm:test_ghosts_want_the_batch_first()
  local g = core.graph()
  local x, one = g:input(1, "real", { 3, B, 4 }), g:param(1, { 4 })
  lu.assert_error_msg_contains("with ghosts the batch must be the first axis, got (3, batch, 4)",
    core.apply, "batch_norm", { value = 1e-5, n = 1 }, x, one, one)
end

function TestNorm:test_derivatives_of_nothing_are_zero()
  local none, three, stats = core.zeros { 0, 3 }, core.zeros { 3 }, core.zeros { 1, 2, 3 }
  local dx, dgamma, dbeta = core.apply("batch_norm_grad", {}, none, none, three, stats)
  lu.assert_equals(dx:shape(), { 0, 3 })
  lu.assert_equals(dgamma:table(), { 0, 0, 0 })
  lu.assert_equals(dbeta:table(), { 0, 0, 0 })
  local _, _, again = core.apply("batch_norm_grad2", {}, none, none, three, stats, none, three,
    three)
  lu.assert_equals(again:table(), { 0, 0, 0 })
end

-- With other ghosts than the norm's own, its ReLU cannot be fused.
function TestNorm:test_a_derivative_with_other_ghosts_keeps_its_gate()
  local given = inputs({ B, 3 }, 8, "float64")
  local function of(x, gamma, beta, c)
    local y, stats = core.apply("batch_norm", { value = 1e-5, n = 4 }, x, gamma, beta)
    local gated = core.apply("gate", nil, c, core.apply("relu", nil, y))
    return (core.apply("batch_norm_grad", { n = 8 }, x, gated, gamma, stats))
  end
  local m = model({ B, 3 }, {})
  local dx = of(m.x, m.gamma, m.beta, m.c)
  lu.assert_equals(flat(run(m, { dx }, given, 8, "float64")[1]), flat(of(table.unpack(given))))
end
