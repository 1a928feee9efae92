--- swale.core: arguments and results of ops, graphs, programs, sources, schedules, averages and
--- loops.
package.path = debug.getinfo(1, "S").source:match "^@(.-)[^/]*$" .. "?.lua;" .. package.path
if os.getenv "SWALE_BUILD" then
  package.cpath = os.getenv "SWALE_BUILD" .. "/lua/?.so;" .. package.cpath
end

local lu = require "luaunit"
local core = require "swale.core"
local harness = require "core_harness"
local close, raises = harness.close, harness.raises

--- A linear classifier of 3 features and 2 classes; its weights are the vector's first 6 elements.
local function classifier()
  local g = core.graph()
  local x, y = g:input(1, "real", { "batch", 3 }), g:input(2, "index", { "batch" })
  local w = g:param(1, { 2, 3 })
  local losses = core.apply("cross_entropy", nil,
    core.apply("matmul", { transpose_b = true }, x, w), y)
  local loss = core.apply("mean", { axes = { 1 } }, losses)
  return { g = g, x = x, y = y, w = w, losses = losses, loss = loss,
    grads = g:gradient(loss, { w }) }
end

local function training_program(c)
  return core.program(c.g, { c.loss, c.grads[1] }, { offsets = { false, 1 } })
end

local function source()
  local r = core.random(1, "data")
  local labels = {}
  for i = 1, 20 do labels[i] = i % 2 end
  local x = r:fill_normal(core.zeros { 20, 3 }, 0, 1)
  return core.source { x = x, y = core.tensor(labels, "int32"), classes = 2 }
end

TestApply = {}

function TestApply:test_on_tensors()
  local t = core.tensor { { 1, 2 }, { 3, 4 } }
  lu.assert_equals(core.apply("sum", { axes = { -1 } }, t):table(), { 3, 7 })
  lu.assert_equals(core.apply("sum", { axes = { 1 }, keepdim = true }, t):table(), { { 4, 6 } })
  lu.assert_equals(core.apply("transpose", { perm = { 2, 1 } }, t):table(), { { 1, 3 }, { 2, 4 } })
  lu.assert_equals(core.apply("reshape", { shape = { -1 } }, t):table(), { 1, 2, 3, 4 })
  lu.assert_equals(core.apply("where", nil, core.apply("lt", nil, t, 3), t, 0):table(),
    { { 1, 2 }, { 0, 0 } })
  local loss, p = core.apply("cross_entropy", nil, t, core.tensor({ 0, 1 }, "uint8"))
  lu.assert_equals({ loss:shape(), p:shape() }, { { 2 }, { 2, 2 } })
end

function TestApply:test_misuse()
  local t = core.zeros { 2, 3 }
  raises('apply: there is no op "no"', core.apply, "no", nil, t)
  raises("apply cannot make the leaf param; use graph:param", core.apply, "param", nil)
  raises("sum: an axis must be an integer from 1 to 2, got 3", core.apply, "sum", { axes = { 3 } },
    t)
  raises("sum: axis 2 is named twice in axes", core.apply, "sum", { axes = { 2, -1 } }, t)
  raises("sum: unknown option \"axis\"; there are \"axes\" or \"keepdim\"", core.apply, "sum",
    { axis = 1 }, t)
  raises("slice: unknown option \"before\"; there are \"axes\", \"n\" or \"first\"", core.apply,
    "slice", { before = 1 }, t)
  raises("exp: takes no attributes", core.apply, "exp", { axes = { 1 } }, t)
  raises("transpose: perm must name all 2 axes", core.apply, "transpose", { perm = { 1 } }, t)
  raises("reshape: tensors have no batch", core.apply, "reshape", { shape = { "batch" } }, t)
  raises("a size must be an integer, \"batch\" or \"2*batch\", got \"x\"", core.apply, "reshape",
    { shape = { "x" } }, t)
  raises("relu: works on tensors, nodes and numbers, got \"x\"", core.apply, "relu", nil, "x")
  raises("at most 7 operands, got 8", core.apply, "add", nil, 1, 2, 3, 4, 5, 6, 7, 8)
  lu.assert_error(core.apply, "add", nil, t)
  lu.assert_error(core.apply, "add", nil)
  lu.assert_error(core.apply, "add")
end

function TestApply:test_ops_and_names()
  local names = core.ops()
  lu.assert_true(#names > 30)
  lu.assert_table_contains(names, "cross_entropy")
end

TestGraph = {}

function TestGraph:test_nodes_say_what_they_are()
  local c = classifier()
  lu.assert_equals(c.x:shape(), { "batch", 3 })
  lu.assert_equals(c.g:input(3, "real", { 2, "2*batch" }):shape(), { 2, "2*batch" })
  lu.assert_equals({ c.x:kind(), c.y:kind(), c.loss:ndim() }, { "real", "index", 0 })
  lu.assert_equals({ c.w:dependence(), c.losses:dependence(), c.loss:dependence() },
    { "constant", "by_example", "mixed" })
  lu.assert_equals({ core.type(c.x), core.type(c.g) }, { "node", "graph" })
  lu.assert_str_contains(tostring(c.x), "(batch, 3)")
  lu.assert_str_contains(c.g:dump { c.loss }, "cross_entropy")
end

function TestGraph:test_operators_mix()
  local c = classifier()
  local mixed = (2 * c.w + core.tensor { 1, 2, 3 } - 1) / -c.w
  lu.assert_equals(mixed:shape(), { 2, 3 })
  local ones = core.tensor { 1, 1, 1, 1, 1, 1 }
  lu.assert_equals(core.program(c.g, { mixed }):run({ vectors = { ones } }):table(),
    { { -2, -3, -4 }, { -2, -3, -4 } })
  raises("two graphs", function() return c.w + classifier().w end)
  raises("got a table", function() return c.w + {} end)
  raises("a:lt(b)", function() return c.w < c.x end)
end

function TestGraph:test_gradients()
  local c = classifier()
  local other = c.g:param(7, { 2 })
  local grads = c.g:gradient(c.loss, { c.w, other })
  lu.assert_equals({ grads[1]:shape(), grads[2] }, { { 2, 3 }, false })
  raises("gradient: of must be a node, got nil", c.g.gradient, c.g, nil, {})
  raises("wrt 1 is of another graph", c.g.gradient, c.g, c.loss, { classifier().w })
  raises("wrt must be a node, got false", c.g.gradient, c.g, c.loss, { false })
  lu.assert_error(c.g.gradient, c.g, c.losses, { c.w })
end

function TestGraph:test_norms_say_which_param_is_at_fault()
  local c = classifier()
  lu.assert_equals(c.g:example_norms(c.grads):shape(), { "batch" })
  local twice = core.apply("mean", { axes = { 1 } },
    c.losses * core.apply("sumsq", { axes = { 1, 2 } }, c.w))
  local norms, why, code = c.g:example_norms(c.g:gradient(twice, { c.w }))
  lu.assert_nil(norms)
  lu.assert_equals({ type(why), code }, { "string", "EUNSUPPORTED" })
end

function TestGraph:test_misuse_and_ends()
  local c = classifier()
  raises("slot must be an integer from 1 to 16, got 0", c.g.input, c.g, 0, "real", {})
  raises('kind must be "real" or "index", got "int"', c.g.input, c.g, 4, "int", {})
  raises("first must be an integer from 1", c.g.param, c.g, 0, {})
  raises("vector must be an integer from 1 to 16, got 17", c.g.param, c.g, 1, {}, 17)
  close(c.g)
  raises("graph: this graph was freed", c.g.input, c.g, 1, "real", {})
  lu.assert_equals(c.x:shape(), { "batch", 3 }) -- nodes keep what they need
  lu.assert_equals((c.x + 1):shape(), { "batch", 3 })
  close(c.x)
  raises("node: this node was freed", c.x.shape, c.x)
  lu.assert_equals({ tostring(c.g), tostring(c.x) }, { "graph (freed)", "node (freed)" })
end

function TestGraph:test_dot()
  local g = core.graph()
  local x = g:input(1, "real", { "batch", 3 })
  local text = g:dot { core.apply("sum", { axes = { 2 } }, core.apply("exp", nil, x)) }
  lu.assert_str_contains(text, 'n0 [label="input 1\\n(batch, 3)", style=filled];')
  lu.assert_str_contains(text, 'n2 [label="sum over 2\\n(batch)"];')
  lu.assert_str_contains(text, "n0 -> n1;")
end

TestProgram = {}

function TestProgram:test_the_first_nan_is_told_with_its_layer()
  local g = core.graph()
  local x = g:input(1, "real", { "batch" })
  lu.assert_equals(x:label('nn.Log "first"'), "")
  local y = core.apply("log", nil, x)
  lu.assert_equals(x:label "", 'nn.Log "first"')
  local p = core.program(g, { core.apply("sum", { axes = { 1 } }, core.apply("exp", nil, y)) })
  lu.assert_nil(p:first_nan { inputs = { core.tensor { 1, 2 } } })
  lu.assert_equals(p:first_nan { inputs = { core.tensor { 1, -2 } } },
    'log made the first NaN: (batch) -> (batch), in nn.Log "first"')
  lu.assert_equals(p:first_nan { inputs = { core.tensor { 1, 0 / 0 } } }, "input 1 has NaN in it")
end

function TestProgram:test_runs_at_any_batch()
  local c = classifier()
  local program = training_program(c)
  local weights, out = core.zeros { 6 }, core.zeros { 6 }
  for _, batch in ipairs { 4, 1, 9, 4 } do
    local x = core.zeros({ batch, 3 }, "float64"):fill(1)
    local loss = program:run { inputs = { x, core.zeros({ batch }, "uint8") },
      vectors = { weights }, out = out }
    lu.assert_almost_equals(loss:item(), math.log(2), 1e-6)
    lu.assert_almost_equals(out:table(), { -0.5, -0.5, -0.5, 0.5, 0.5, 0.5 }, 1e-6)
  end
  lu.assert_true(program:bytes() > 0)
  lu.assert_str_contains(program:dump(), "cross_entropy")
end

function TestProgram:test_float64_and_strided_vectors()
  local c = classifier()
  local program = core.program(c.g, { c.w * 2 }, { dtype = "float64" })
  local pairs_ = core.tensor({ { 1, 0 }, { 2, 0 }, { 3, 0 }, { 4, 0 }, { 5, 0 }, { 6, 0 } },
    "float64")
  local value = program:run { vectors = { pairs_:select(2, 1) } }
  lu.assert_equals({ value:dtype(), value:table() }, { "float64", { { 2, 4, 6 }, { 8, 10, 12 } } })
end

function TestProgram:test_bad_runs()
  local c = classifier()
  local p = training_program(c)
  local x, y, w, out = core.zeros { 2, 3 }, core.zeros({ 2 }, "int32"), core.zeros { 6 },
    core.zeros { 6 }
  local function bad(text, o) raises("program:run: " .. text, p.run, p, o) end
  bad("unknown option \"input\"", { input = {} })
  bad("input 1 is missing", { vectors = { w }, out = out })
  bad("input 2 is missing", { inputs = { x }, vectors = { w }, out = out })
  bad("input 1 must be (batch, 3), got (2, 4)",
    { inputs = { core.zeros { 2, 4 }, y }, vectors = { w }, out = out })
  bad("input 2 must be (batch) at a batch of 2, got (3)",
    { inputs = { x, core.zeros({ 3 }, "int32") }, vectors = { w }, out = out })
  bad("input 1 must be (batch, 3) at a batch of 5, got (2, 3)",
    { inputs = { x, y }, batch = 5, vectors = { w }, out = out })
  bad("input 2 must be int32 or uint8, got float32",
    { inputs = { x, core.zeros { 2 } }, vectors = { w }, out = out })
  bad("input 1 must be (batch, 3), got (0, 3)",
    { inputs = { core.zeros { 0, 3 }, y }, vectors = { w }, out = out })
  bad("vector 1 is missing", { inputs = { x, y }, out = out })
  bad("vector 1 has 5 elements, the graph's params need 6",
    { inputs = { x, y }, vectors = { core.zeros { 5 } }, out = out })
  bad("vector 1 must be float32, got float64",
    { inputs = { x, y }, vectors = { core.zeros({ 6 }, "float64") }, out = out })
  bad("out is missing", { inputs = { x, y }, vectors = { w } })
  bad("out must be float32, contiguous, writable, of 6",
    { inputs = { x, y }, vectors = { w }, out = core.zeros { 5 } })
  bad("out shares memory with vector 1", { inputs = { x, y }, vectors = { w }, out = w })
  lu.assert_error(p.run, p, { inputs = { x, core.tensor({ 0, 2 }, "int32") }, vectors = { w },
    out = out })
  raises("an offset, but its size depends on the batch", core.program, c.g, { c.losses },
    { offsets = { 1 } })
  raises("output 1 is of another graph", core.program, core.graph(), { c.loss })
  close(p)
  raises("program: this program was freed", p.run, p, {})
end

TestTraining = {}

function TestTraining:test_source()
  local x = core.tensor({ { 0, 255 }, { 51, 102 } }, "uint8")
  local s = core.source {
    x = x, y = core.tensor({ 1, 0 }, "uint8"), classes = 2,
    scale = core.tensor { 1 / 255, 1 / 255 }, shift = core.tensor { 0, 1 },
  }
  lu.assert_equals({ #s, s:features() }, { 2, 2 })
  local a, b = s:gather(core.tensor({ 1, 0, 1 }, "int32"))
  lu.assert_almost_equals(a:table(), { { 0.2, 1.4 }, { 0, 2 }, { 0.2, 1.4 } }, 1e-6)
  lu.assert_equals({ b:dtype(), b:table() }, { "int32", { 0, 1, 0 } })
  raises("index[2] is 2, outside 0 to 1", s.gather, s, core.tensor({ 0, 2 }, "int32"))
  raises("int32 tensor of one axis", s.gather, s, core.tensor { 0 })
  raises("source: x must be a tensor, got nil", core.source, {})
  raises("label", core.source, { x = x, y = core.tensor({ 1, 2 }, "uint8"), classes = 2 })
end

function TestTraining:test_schedule()
  local s = core.schedule {
    kind = "triangular", max = 1, min = 0,
    period = { amount = 2, unit = "epochs" }, down = { amount = 1, unit = "epochs" },
  }
  lu.assert_equals(s:at(0, 10, 11, 10), 0.5)
  raises('kind must be "constant", "step", "multi_step"', core.schedule, {})
  raises("period must be a table, got 3", core.schedule, { kind = "step", value = 1, period = 3 })
  raises('unit must be "steps", "examples" or "epochs"', core.schedule,
    { kind = "step", period = { amount = 1 } })
  raises("schedule:at: epoch_examples must be an integer from 1, got 0", s.at, s, 0, 0, 0, 0)
end

function TestTraining:test_average()
  local a = core.average(2)
  raises("average", a.mean, a)
  a:update(core.tensor { 1, 5 })
  a:update(core.tensor { 3, 7 })
  lu.assert_equals({ a:count(), a:mean():table() }, { 2, { 2, 6 } })
  a:mean():fill(0) -- a copy
  raises("expected a vector of 2 weights", a.update, a, core.zeros { 3 })
  lu.assert_equals(a:mean():table(), { 2, 6 })
  a:restore(core.tensor { 0, 0 }, 1)
  a:update(core.tensor { 2, 4 })
  lu.assert_equals(a:mean():table(), { 1, 2 })
end

local function loop(c, s, w)
  local norms = assert(c.g:example_norms(c.grads))
  local measured = core.program(c.g, { c.loss, norms, c.grads[1] },
    { offsets = { false, false, 1 } })
  local l = core.loop { program = training_program(c), measured = measured, weights = w, source = s,
    seed = 1 }
  l:set("lr", 0.1)
  l:set("batch_size", 5)
  return l
end

function TestTraining:test_loop()
  local s, w = source(), core.zeros { 6 }
  local l = loop(classifier(), s, w)
  lu.assert_nil(l:gradient())
  lu.assert_nil(l:momentum())
  l:set("momentum", 0.9)
  l:set("lr", core.schedule { kind = "constant", value = 0.05 })
  lu.assert_equals(l:advance(3), "steps")
  lu.assert_equals(l:advance(100, 20), "examples")
  local t = {}
  lu.assert_is(l:state(t), t)
  lu.assert_equals({ t.step, t.examples, t.epoch, t.lr, t.batch_size }, { 4, 20, 1, 0.05, 5 })
  lu.assert_true(t.loss > 0 and t.grad_norm > 0 and w:norm() > 0)
  lu.assert_almost_equals(l:gradient():norm(), t.grad_norm, 1e-5)
  lu.assert_equals(l:momentum():numel(), 6)
  lu.assert_true(l:take_mean() > 0)
  local again = l:take_mean()
  lu.assert_true(again ~= again)
  l:measure(1)
  l:set("momentum", 0.5)
  l:advance(64)
  local noise = core.noise { n = 20 }
  lu.assert_nil(l:norms(32))
  for i = 33, 64 do
    local step, examples, batch, momentum = l:norms(i)
    lu.assert_equals({ step, examples, batch }, { 4 + i, 5 * (3 + i), 5 })
    lu.assert_equals(momentum, 0.5)
    noise:add(l:norms(i))
  end
  lu.assert_nil(l:norms(65))
  local status, value, low, high = noise:read()
  local trace, g2 = noise:parts()
  lu.assert_true(status == "resolved" or status == "unresolved")
  lu.assert_true(low <= high and trace > 0 and value == value and g2 == g2)
end

function TestTraining:test_what_a_noise_keeps_is_saved_and_loaded()
  local function fed(noise, first, last)
    for i = first, last do noise:add(i, 5 * i, 5, 0, 9 + i % 7, 1 + 0.01 * (i % 5)) end
    return noise
  end
  local o = { n = 50, window = 200 }
  local whole, half, other = fed(core.noise(o), 1, 80), fed(core.noise(o), 1, 40), core.noise(o)
  other:load(half:save())
  lu.assert_equals(fed(other, 41, 80):save(), whole:save())
  lu.assert_equals({ other:read() }, { whole:read() })
  lu.assert_equals({ other:window() }, { 41, 80, 40, 16, 2 })
  raises("cells is not what noise:save gives", other.load, other, { cells = { 1 }, latest = {} })
  raises("latest is not what noise:save gives", other.load, other, { cells = {}, latest = { 1 } })
  raises('unknown option "count"', other.load, other, { count = 3 })
  lu.assert_equals(other:save(), whole:save())
end

function TestTraining:test_a_loss_that_is_not_finite()
  local w = core.zeros({ 6 }):fill(0 / 0)
  local l = loop(classifier(), source(), w)
  local why, message, code = l:advance(5)
  lu.assert_equals({ why, type(message), code }, { nil, "string", "ENAN" })
  lu.assert_equals(l:state({}).step, 0)
end

function TestTraining:test_what_a_loop_borrows_may_be_ended()
  local s, c = source(), classifier()
  local l = loop(c, s, core.zeros { 6 })
  close(s)
  close(c.g)
  raises("source: this source was freed", s.features, s)
  collectgarbage()
  lu.assert_equals(l:advance(10), "steps")
  local step = l:stepper()
  close(l)
  raises("loop: this loop was freed", l.advance, l, 1)
  raises("loop: this loop was freed", step)
  lu.assert_equals(tostring(l), "loop (freed)")
end

function TestTraining:test_bad_loops()
  local c, s = classifier(), source()
  local p, w = training_program(c), core.zeros { 6 }
  raises("loop: program must be a program, got nil", core.loop, {})
  raises("loop: the graph's params need 6 weights, got 5", core.loop,
    { program = p, weights = core.zeros { 5 }, source = s })
  raises("loop: source must be a source, got a tensor", core.loop,
    { program = p, weights = w, source = w })
  raises("loop: unknown option \"batch\"", core.loop, { batch = 1 })
  local sum = core.apply("sum", { axes = { 1 } }, c.g:param(1, { 2 }, 3))
  local third = core.program(c.g, { c.loss + sum })
  raises("params in vector 3", core.loop, { program = third, weights = w, source = s })
  local l = core.loop { program = p, weights = w, source = s }
  raises("has no measured program", l.measure, l, 1)
  raises('name must be "lr"', l.set, l, "rate", 1)
  raises("lr must be a number or a schedule, got nil", l.set, l, "lr")
  lu.assert_error(l.set, l, "lr", -1)
  lu.assert_error(l.set, l, "batch_size", 0)
  raises("steps must be an integer from 0, got nil", l.advance, l)
end

function TestTraining:test_evaluate()
  local c = classifier()
  local hits = core.apply("cast", nil, core.apply("argmax", { axes = { 2 } }, c.x))
  local program = core.program(c.g, { c.losses, hits })
  for _, batch in ipairs { 1, 7, 20, 1000 } do
    local sums = core.evaluate(program, core.zeros { 6 }, source(), batch)
    lu.assert_almost_equals(sums[1], 20 * math.log(2), 1e-4)
    lu.assert_true(#sums == 2 and sums[2] >= 0)
  end
  raises("output 2 has an offset", core.evaluate, training_program(c), core.zeros { 6 }, source())
  raises("params need 6 weights, got 3", core.evaluate, program, core.zeros { 3 }, source())
  raises("batch must be an integer from 1", core.evaluate, program, core.zeros { 6 }, source(), 0)
end

function TestTraining:test_fieller()
  local status, value, low, high = core.fieller({ 9, 10, 11 }, { 5, 5, 5 }, 2)
  lu.assert_equals(status, "resolved")
  lu.assert_almost_equals(value, 2, 1e-12)
  lu.assert_true(low < 2 and high > 2)
  lu.assert_equals(select(4, core.fieller({ 1, 1 }, { 1, -1 }, 12)), math.huge)
  raises("equally long lists of 2 numbers or more, got 2 and 1", core.fieller, { 1, 2 }, { 1 }, 2)
  raises("t must be positive", core.fieller, { 1, 2 }, { 1, 2 }, 0)
  raises("an element of a must be a number, got \"x\"", core.fieller, { 1, "x" }, { 1, 2 }, 2)
end

-- The ends are where |a - R b| = t sqrt(vaa - 2 R vab + R^2 vbb).
function TestTraining:test_ratio()
  local o = { a = -3, b = 2, vaa = 0.3, vab = 0.1, vbb = 0.05, t = 2, signed = true }
  local function excess(r, p)
    return (p.a - r * p.b) ^ 2 - p.t ^ 2 * (p.vaa - 2 * r * p.vab + r * r * p.vbb)
  end
  local status, value, low, high = core.ratio(o)
  lu.assert_equals({ status, value }, { "resolved", -1.5 })
  lu.assert_almost_equals(excess(low, o), 0, 1e-12)
  lu.assert_almost_equals(excess(high, o), 0, 1e-12)
  lu.assert_true(low < value and value < high)
  o.vbb = 2 -- b may be 0: the ratio has no lower end
  status, value, low, high = core.ratio(o)
  lu.assert_equals({ status, value, low }, { "unresolved", -1.5, -math.huge })
  lu.assert_almost_equals(excess(high, o), 0, 1e-12)
  lu.assert_true(high < 0 and high > value)
  o.vaa = 9 -- nor is the sign of a known
  lu.assert_equals({ select(3, core.ratio(o)) }, { -math.huge, math.huge })
  lu.assert_equals({ select(3, core.ratio { a = 1, b = -9, vaa = 0, vab = 0, vbb = 1, t = 2 }) },
    { 0, math.huge })
  lu.assert_equals((core.ratio { a = 0 / 0, b = 1, vaa = 0, vab = 0, vbb = 1, t = 2 }), "pending")
  raises("t must be positive", core.ratio, { a = 1, b = 1, vaa = 0, vab = 0, vbb = 1, t = 0 })
  raises("vab must be a number", core.ratio, { a = 1, b = 1, vaa = 0, vbb = 1, t = 1 })
end

if arg[0]:find "test_core_graph%.lua$" then os.exit(lu.LuaUnit.run()) end
