--- Programs of tens of thousands of nodes: right values, and memory by what lives at a time.
local lu = require "luaunit"
local core = require "swale.core"

TestLargePrograms = {}

local N = 20000 -- more buffers than the planner places in one window

--- x1 = a, x(i + 1) = x(i) a: products of (1, 1) matrices, so that nothing is elementwise.
local function power_chain(n)
  local g = core.graph()
  local a = g:param(1, { 1, 1 })
  local x = a
  for _ = 2, n do x = core.apply("matmul", nil, x, a) end
  return g, a, core.apply("sum", { axes = { 1, 2 } }, x)
end

local function run(program, value)
  return program:run { vectors = { core.tensor({ value }, "float64") }, batch = 1 }
end

-- a^N and N a^(N - 1) of a = 1 + 2^-14: N roundings of at most 2^-53 each, relative to the value
local A, MARGIN = 1 + 2 ^ -14, 2 * N * 2 ^ -53

function TestLargePrograms:test_value_and_gradient()
  local g, a, out = power_chain(N)
  local gradient = g:gradient(out, { a })[1]
  local program = core.program(g, { out, gradient }, { dtype = "float64" })
  local y, dy = run(program, A)
  lu.assert_almost_equals(y:item() / A ^ N, 1, MARGIN)
  lu.assert_almost_equals(dy:item() / (N * A ^ (N - 1)), 1, MARGIN)
end

function TestLargePrograms:test_forward_alone_needs_a_few_buffers()
  local g, _, out = power_chain(N)
  local program = core.program(g, { out }, { dtype = "float64" })
  lu.assert_almost_equals(run(program, A):item() / A ^ N, 1, MARGIN)
  -- two products are alive at a time and the result beside them: 64 bytes each, and twice that
  -- where one window's products meet the next one's
  lu.assert_true(program:bytes() <= 8 * 64, program:bytes())
end

function TestLargePrograms:test_many_parameters()
  local n = 3000
  local g = core.graph()
  local params, loss = {}, nil
  for i = 1, n do
    params[i] = g:param(i, { 1, 1 })
    local square = core.apply("matmul", nil, params[i], params[i])
    local term = core.apply("sum", { axes = { 1, 2 } }, square)
    loss = loss and core.apply("add", nil, loss, term) or term
  end
  local outputs, offsets = { loss }, { false }
  for i, gradient in ipairs(g:gradient(loss, params)) do
    outputs[i + 1], offsets[i + 1] = gradient, i
  end
  local program = core.program(g, outputs, { dtype = "float64", offsets = offsets })
  local w, out = core.zeros({ n }, "float64"), core.zeros({ n }, "float64")
  for i = 1, n do w:set(i, i) end
  lu.assert_equals(program:run { vectors = { w }, out = out, batch = 1 }:item(),
    n * (n + 1) * (2 * n + 1) / 6) -- sums of squares of integers below 2^53 are exact
  for i = 1, n, 7 do lu.assert_equals(out:get(i), 2 * i) end
end

-- ------------------------------------------------------------------ the time of compiling

local function apply_to_each(op, x, n)
  for _ = 1, n do x = core.apply(op, nil, x) end
  return x
end

--- Graphs of about 4 n nodes with their gradients: products in a chain, elementwise ops in a chain,
--- and terms of a parameter each, which are added up.
local GRAPHS = {
  products = function(n)
    local g, a, out = power_chain(n)
    return g, { out, g:gradient(out, { a })[1] }
  end,
  elementwise = function(n)
    local g = core.graph()
    local a = g:param(1, { 2, 3 })
    local out = core.apply("sum", { axes = { 1, 2 } }, apply_to_each("tanh", a, n))
    return g, { out, g:gradient(out, { a })[1] }
  end,
  parameters = function(n)
    local g, params, loss = core.graph(), {}, nil
    for i = 1, n do
      params[i] = g:param(i, { 1, 1 })
      local term = core.apply("sum", { axes = { 1, 2 } }, core.apply("exp", nil, params[i]))
      loss = loss and core.apply("add", nil, loss, term) or term
    end
    return g, { loss, table.unpack(g:gradient(loss, params)) }
  end,
}

--- Least CPU time of some attempts to build, differentiate, compile and plan.
local function seconds(make, n)
  local least, w = math.huge, core.zeros({ math.max(n, 6) }, "float64")
  for _ = 1, 3 do
    collectgarbage()
    local begun = os.clock()
    local g, outputs = make(n)
    core.program(g, outputs, { dtype = "float64" }):run { vectors = { w }, batch = 1 }
    least = math.min(least, os.clock() - begun)
  end
  return least
end

--- n log n is 10 times as long for 8 n nodes, n^2 would be 64 times.
function TestLargePrograms:test_compiling_takes_n_log_n()
  local n <const>, most <const> = 2000, 25
  for name, make in pairs(GRAPHS) do
    local ratio = seconds(make, 8 * n) / seconds(make, n)
    lu.assert_true(ratio < most, ("%s: %.1f times for 8 n nodes"):format(name, ratio))
  end
end
