--- Random masks and stopped gradients, in programs and in the loop.
local core = require "swale.core"
local lu = require "luaunit"
local ops = require "swale.ops"
local sw = require "swale"

TestDropout = {}

local function table_of(n, f)
  local t = {}
  for i = 1, n do t[i] = f(i) end
  return t
end

--- y = dropout(x w), c y, its gradient in w: all of a width that is no multiple of a block.
local function masked(p)
  local g = core.graph()
  local x, w = g:input(1, "real", { "batch", 37 }), g:param(1, { 37 })
  local y = ops.dropout(x * w, p)
  local loss = ops.sum(y * y)
  return g, x, w, y, loss
end

local function run_options(n)
  return { inputs = { core.random(1, "x"):fill_normal(core.zeros({ n, 37 }, "float64"), 0, 1) },
    vectors = { core.tensor(table_of(37, function(i) return 1 + i / 10 end), "float64") },
    seed = 5 }
end

function TestDropout:test_gradient_goes_through_the_same_mask()
  local g, x, w, y, loss = masked(0.4)
  local grad = g:gradient(loss, { w })[1]
  local p = core.program(g, { y, x * w, grad }, { dtype = "float64" })
  local o = run_options(6)
  local masked_y, plain, got = p:run(o)
  local zeros, want = 0, core.zeros({ 37 }, "float64"):table()
  local a, b, xs = masked_y:table(), plain:table(), o.inputs[1]:table()
  for i = 1, 6 do
    for j = 1, 37 do
      local ratio = a[i][j] / b[i][j]
      if ratio == 0 then zeros = zeros + 1 else lu.assert_almost_equals(ratio, 1 / 0.6, 1e-12) end
      want[j] = want[j] + 2 * a[i][j] * ratio * xs[i][j]
    end
  end
  lu.assert_true(zeros > 60 and zeros < 120)
  lu.assert_almost_equals(got:table(), want, 1e-9)
end

--- In w the loss is quadratic, for one mask: its Hessian times w is its gradient.
function TestDropout:test_second_derivative()
  local g, _, w, _, loss = masked(0.4)
  local grad = g:gradient(loss, { w })[1]
  local v = g:param(1, { 37 }, 2)
  local product = g:gradient(ops.sum(grad * v), { w })[1]
  local p = core.program(g, { grad, product }, { dtype = "float64" })
  local o = run_options(4)
  o.vectors[2] = o.vectors[1]
  local got, hv = p:run(o)
  lu.assert_almost_equals(hv:table(), got:table(), 1e-9)
end

--- The part that a rerun keeps includes the masks.
function TestDropout:test_rerun()
  local g, _, w, _, loss = masked(0.4)
  local v = g:param(1, { 37 }, 2)
  local product = g:gradient(ops.sum(g:gradient(loss, { w })[1] * v), { w })[1]
  local p = core.program(g, { product }, { dtype = "float64", varying = 2, offsets = { 1 } })
  local o, out = run_options(4), core.zeros({ 37 }, "float64")
  o.vectors[2], o.out = o.vectors[1], core.zeros({ 37 }, "float64")
  local again = { vectors = { o.vectors[1], o.vectors[1] * 2 }, out = out }
  lu.assert_error_msg_contains("needs a whole run", p.rerun, p, again)
  p:run(o)
  p:rerun(again)
  lu.assert_equals(out:table(), (o.out * 2):table())
  lu.assert_true(p:kept_bytes(4) >= 4 * 37 * 8 and p:kept_bytes(8) > p:kept_bytes(4))
  again.batch = 4
  lu.assert_error_msg_contains("takes the inputs and the batch of the last run", p.rerun, p, again)
  lu.assert_error_msg_contains("varying must be an integer from 2", core.program, g, { product },
    { varying = 1 })
end

function TestDropout:test_draws_anew()
  local g, _, _, y = masked(0.5)
  local p, o = core.program(g, { y }, { dtype = "float64" }), run_options(3)
  local first = p:run(o):table()
  lu.assert_equals(p:run(o):table(), first)
  for _, change in ipairs { { "seed", 6 }, { "step", 1 }, { "first_example", 2 } } do
    local other = run_options(3)
    other[change[1]] = change[2]
    lu.assert_not_equals(p:run(other):table(), first)
  end
  o.first_example = 4
  o.inputs[1] = o.inputs[1]:slice(1, 1, 2)
  lu.assert_equals(#p:run(o):table(), 2)
end

local function trained(seed, micro_batch)
  local g = core.graph()
  local x, w = g:input(1, "real", { "batch", 37 }), g:param(1, { 37 })
  local h = ops.dropout(x * w, 0.3)
  local loss = ops.mean(ops.square(ops.sum(ops.dropout(h, 0.2), 2) - 1))
  local weights = core.random(2, "w"):fill_normal(core.zeros({ 37 }, "float64"), 0, 0.1)
  local data = core.source { x = core.random(3, "x"):fill_normal(core.zeros { 50, 37 }, 0, 1) }
  local l = core.loop { weights = weights, source = data, seed = seed, order = "sequential",
    micro_batch = micro_batch, program = core.program(g, { loss, g:gradient(loss, { w })[1] },
      { dtype = "float64", offsets = { false, 1 } }) }
  l:set("lr", 0.01)
  l:set("batch_size", 7)
  lu.assert_equals(l:advance(20), "steps")
  return weights:table()
end

function TestDropout:test_the_same_for_any_cut_of_a_batch()
  local whole = trained(1)
  lu.assert_equals(trained(1), whole)
  for part = 1, 6 do lu.assert_almost_equals(trained(1, part), whole, 1e-12) end
  lu.assert_true(math.abs(trained(2)[1] - whole[1]) > 1e-4)
end

function TestDropout:test_on_tensors()
  lu.assert_error_msg_contains("works on nodes, got tensor; nn.Dropout is the identity",
    ops.dropout, core.zeros { 3 }, 0.5)
  lu.assert_error_msg_contains("only a program draws random numbers", core.apply, "keep_mask",
    { value = 0.5 }, core.zeros { 3 })
  local g, x = masked(0.5)
  lu.assert_true(rawequal(ops.dropout(x, 0), x))
  lu.assert_error_msg_contains("from 0 to below 1, not 1", ops.dropout, x, 1)
  lu.assert_str_contains(g:dump { ops.dropout(x, 0.5) }, "keep_mask")
end

TestDetach = {}

function TestDetach:test_stops_gradients()
  local g = core.graph()
  local w = g:param(1, { 2, 3 })
  local stopped = ops.detach(w)
  local flat = ops.reshape(ops.reshape(stopped, { 6 }), { 2, 3 })
  local grads = { g:gradient(ops.sum(w * stopped), { w })[1],
    g:gradient(ops.sum(w * flat), { w })[1],
    g:gradient(ops.sum(ops.transpose(stopped, 1, 2) * ops.t(w)), { w })[1] }
  lu.assert_false(g:gradient(ops.sum(stopped), { w })[1])
  lu.assert_false(g:gradient(ops.sum(ops.exp(flat)), { w })[1])
  local p = core.program(g, { stopped, table.unpack(grads) }, { dtype = "float64" })
  local vector = core.tensor({ 1, 2, 3, 4, 5, 6 }, "float64")
  for _, got in ipairs { p:run { vectors = { vector } } } do
    lu.assert_equals(got:table(), { { 1, 2, 3 }, { 4, 5, 6 } })
  end
  lu.assert_equals(ops.detach(vector):table(), vector:table())
end

--- A batch made by hand always gives the same value; another step in it draws anew.
function TestDropout:test_of_a_batch_made_by_hand()
  local f = sw.compile(function(o) return ops.mean(o, 2) end, sw.nn.Sequential {
    sw.nn.Dropout(0.5), sw.nn.Linear(200, 1, { init = 1, bias = false }) })
  local function value(step, seed)
    local g = seed and sw.compile(f.loss, f.model, { seed = seed }) or f
    local batch = { x = sw.ones { 1, 200 }, y = sw.zeros { 1, 1 }, step = step }
    return g:value(f.model:weights(), batch)
  end
  lu.assert_equals(value(), value())
  lu.assert_equals(value(0), value())
  local found = {}
  for step = 0, 9 do found[value(step)] = true end
  local n = 0
  for _ in pairs(found) do n = n + 1 end
  lu.assert_true(n > 1) -- ten sums of 200 fair coins that are all equal: below 1e-9
  lu.assert_not_equals({ value(0), value(1), value(2) }, { value(0, 2), value(1, 2), value(2, 2) })
end
