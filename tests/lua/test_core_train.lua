--- swale.core from Lua: schedules made of schedules, the loop's options, averages.
local lu = require "luaunit"
local core = require "swale.core"

local function raises(part, f, ...)
  lu.assert_error_msg_contains(part, f, ...)
end

local function epochs(n) return { amount = n, unit = "epochs" } end

local function at(s, examples) return s:at(0, examples, examples + 1, 10) end

TestSchedules = {}

local function line(from, to, length)
  return core.schedule { kind = "linear", from = from, to = to, period = epochs(length) }
end

function TestSchedules:test_a_tree_keeps_its_parts()
  local up = line(0, 1, 1)
  local tree = core.schedule { kind = "chain", schedules = { up, line(3, 2, 1) },
    durations = { epochs(1) } }
  local half = core.schedule { kind = "scale", value = 0.5, schedules = { tree } }
  do local _ <close> = up end
  do local _ <close> = tree end
  tree, up = nil, nil -- luacheck: ignore
  collectgarbage()
  lu.assert_equals({ at(half, 0), at(half, 5), at(half, 10), at(half, 15) }, { 0, 0.25, 1.5, 1.25 })
end

function TestSchedules:test_a_freed_part_is_refused()
  local up = line(0, 1, 1)
  do local _ <close> = up end
  raises("schedule: this schedule was freed", at, up, 0)
  raises("schedule: this schedule was freed", core.schedule,
    { kind = "floor", schedules = { up } })
end

function TestSchedules:test_defaults()
  local one = core.schedule { kind = "clamp", schedules = { line(-1, 3, 1) }, max = 1 }
  lu.assert_equals({ at(one, 0), at(one, 10) }, { -1, 1 })
  local wsd = core.schedule { kind = "warmup_stable_decay", max = 1, decay = epochs(4) }
  lu.assert_equals({ at(wsd, 0), at(wsd, 10), at(wsd, 40) }, { 1, 0.5, 0 })
  local steps = core.schedule { kind = "multi_step", value = 8, gamma = 2,
    marks = { epochs(1), epochs(2) } }
  lu.assert_equals({ at(steps, 9), at(steps, 10), at(steps, 20) }, { 8, 16, 32 })
end

function TestSchedules:test_refuses()
  raises("marks must be a table, got 1", core.schedule,
    { kind = "multi_step", value = 1, marks = { 1 } })
  raises("a part must be a schedule, got 3", core.schedule, { kind = "product", schedules = { 3 } })
  raises("a chain of 1 schedule needs 0 durations, got 2", core.schedule,
    { kind = "chain", schedules = { line(0, 1, 1) }, durations = { epochs(1), epochs(2) } })
  raises('shape must be "cosine", "linear" or "1-sqrt"', core.schedule,
    { kind = "one_cycle", shape = "round" })
  raises('unknown option "perod"', core.schedule, { kind = "constant", value = 1, perod = 3 })
end

--- A value that the type of a field accepts.
local GIVEN = { shape = "linear", three_phase = true, multiplier = 2, values = { 1 },
  durations = { epochs(1) }, marks = { epochs(1) }, schedules = { line(0, 1, 1) },
  period = epochs(1), down = epochs(1), warmup = epochs(1), stable = epochs(1),
  decay = epochs(1) }

function TestSchedules:test_a_kind_takes_its_own_fields_alone()
  local all = {}
  for _, kind in ipairs(core.schedule_kinds()) do
    for _, field in ipairs(core.schedule_fields(kind)) do all[field.name] = true end
  end
  lu.assert_true(all.schedules and all.shape and all.min)
  for _, kind in ipairs(core.schedule_kinds()) do
    local own = {}
    for _, field in ipairs(core.schedule_fields(kind)) do own[field.name] = field end
    for name in pairs(all) do
      if not own[name] then
        raises(("schedule: %s takes no %s"):format(kind, name), core.schedule,
          { kind = kind, [name] = GIVEN[name] or 1 })
      end
    end
  end
  raises("schedule: product takes no durations", core.schedule, { kind = "product",
    schedules = { line(0, 1, 1) }, durations = { epochs(1) } })
end

function TestSchedules:test_fields_have_defaults()
  local function default(kind, name)
    for _, field in ipairs(core.schedule_fields(kind)) do
      if field.name == name then return field.default end
    end
  end
  lu.assert_equals({ default("clamp", "min"), default("clamp", "max") }, { -math.huge, math.huge })
  lu.assert_equals({ default("one_cycle", "shape"), default("warmup_stable_decay", "shape") },
    { "cosine", "1-sqrt" })
  lu.assert_equals({ default("one_cycle", "fraction"), default("one_cycle", "three_phase"),
    default("cosine_restarts", "multiplier") }, { 0.3, false, 1 })
  lu.assert_nil(default("step", "period"))
end

TestAverages = {}

function TestAverages:test_kinds()
  local points, want = { 8, 4, 0 }, { swa = 4, ema = 5.25, last = 2 }
  local fields = { ema = { decay = 0.75 }, last = { k = 2 } }
  for kind, mean in pairs(want) do
    local o = fields[kind] or {}
    o.kind = kind
    local a = core.average(1, "float64", o)
    for _, x in ipairs(points) do a:update(core.tensor({ x }, "float64")) end
    lu.assert_equals(a:mean():table(), { mean }, kind)
    local b = core.average(1, "float64", o)
    b:restore(a:state(), a:count())
    lu.assert_equals({ b:count(), b:mean():table() }, { 3, { mean } })
  end
  for _, count in ipairs { 0, 2 ^ 53 + 2, math.maxinteger } do
    raises("average:restore: count must be an integer from 1 to 9007199254740992", function()
      core.average(1, "float64", { kind = "swa" }):restore(core.tensor({ 0 }, "float64"), count)
    end)
  end
  raises("average: k must be 1 to 2147483647, got 0", core.average, 1, "float32", { kind = "last" })
  raises('unknown option "decay"; there are "kind"', core.average, 1, "float32", { decay = 0.5 })
  raises("average: decay must be 0 to 1, got 1.5", core.average, 1, "float32",
    { kind = "ema", decay = 1.5 })
  lu.assert_equals(core.average_kinds(), { swa = {}, ema = { decay = 0.999 }, last = {} })
  raises('kind must be "swa", "ema" or "last"', core.average, 1, "float32", { kind = "asgd" })
end

TestLoopOptions = {}

--- The loss of an example is its product with the weights: the gradient is the mean example.
local function loop(options)
  local g = core.graph()
  local x, w = g:input(1, "real", { "batch", 2 }), g:param(1, { 2 })
  local loss = core.apply("mean", { axes = { 1 } },
    core.apply("sum", { axes = { 2 } }, core.apply("mul", nil, x, w)))
  local grads = g:gradient(loss, { w })
  options.program = core.program(g, { loss, grads[1] }, { offsets = { false, 1 } })
  options.weights = core.zeros { 2 }
  options.source = core.source { x = core.tensor { { 3, 4 }, { 30, 40 }, { 300, 400 } } }
  local l = core.loop(options)
  l:set("lr", 1)
  l:set("batch_size", 1)
  return l, options.weights
end

function TestLoopOptions:test_clips()
  local l, w = loop { order = "sequential", max_norm = 5.000001 * 2 }
  l:advance(2)
  lu.assert_almost_equals(w:table(), { -9, -12 }, 1e-5)
  lu.assert_almost_equals(l:state({}).grad_norm, 50, 1e-5)
end

function TestLoopOptions:test_subset_and_segments()
  local l, w = loop {
    order = "sequential", subset = core.tensor({ 1, 0 }, "int32"),
    segments = { { first = 1, length = 1, lr_factor = 2 },
      { first = 2, length = 1, frozen = true } },
  }
  l:advance(2)
  lu.assert_equals({ w:table(), l:state({}).epoch }, { { -66, 0 }, 1 })
end

function TestLoopOptions:test_micro_batches_and_coupling()
  local l, w = loop { order = "sequential", micro_batch = 2, coupling = "linear",
    reference_batch = 6 }
  l:set("batch_size", 3)
  l:advance(1)
  lu.assert_almost_equals(w:table(), { -55.5, -74 }, 1e-4)
  lu.assert_equals(l:state({}).lr, 0.5)
end

function TestLoopOptions:test_single_steps_with_numbers_of_their_own()
  local l, w = loop { order = "sequential" }
  local step = l:stepper("lr", "batch_size")
  lu.assert_equals({ step(2, 1.9) }, { true, 1, 1, 1 / 3, 0, 5, 2, 1 })
  lu.assert_equals({ step(1, 2, "more") }, { false, 2, 3, 1, -2750, 5 * 55, 1, 2 })
  lu.assert_equals(w:table(), { -6 - 165, -8 - 220 })
  l:set("momentum", 0.5)
  lu.assert_equals({ step(0, 1) }, { true, 3, 4, 4 / 3, w:table()[1] * 3 + w:table()[2] * 4, 5, 0,
    1 })
  lu.assert_equals(l:state({}).momentum, 0.5)
  for _, value in ipairs { -1, 1 / 0, "1", {} } do
    lu.assert_equals({ step(value, 1) }, { nil, 1, value })
  end
  lu.assert_equals({ step(1) }, { nil, 2, nil })
  lu.assert_equals({ step(1, 0.99) }, { nil, 2, 0.99 })
  lu.assert_equals(l:state({}).step, 3)
  w:fill(0 / 0)
  local made, _, code = step(0, 1)
  lu.assert_equals({ made, code }, { nil, "ENAN" })
  raises('name must be "lr", "batch_size"', l.stepper, l, "rate")
  raises("at most 4 names, got 5", l.stepper, l, "lr", "lr", "lr", "lr", "lr")
end

--- A running maximum of the first feature, which the loss reads; one buffer belongs to no layer.
local function with_buffers()
  local g = core.graph()
  local x, w, m = g:input(1, "real", { "batch", 2 }), g:param(1, { 2 }), g:param(2, { 2 }, 2)
  local each = core.apply("sum", { axes = { 2 } }, x * w + m)
  local loss = core.apply("mean", { axes = { 1 } }, each)
  local new = core.apply("maximum", nil, m, core.apply("max", { axes = { 1 } }, x))
  return g, { loss, g:gradient(loss, { w })[1], new }, each
end

function TestLoopOptions:test_buffers()
  local g, outputs, each = with_buffers()
  local program = core.program(g, outputs, { offsets = { false, 1, 2 }, vectors = { [3] = 2 } })
  local data = core.source { x = core.tensor { { 3, 4 }, { 30, 1 }, { 2, 40 } } }
  local buffers, weights = core.tensor { 7, 5, 5 }, core.zeros { 2 }
  local o = { program = program, weights = weights, source = data, order = "sequential",
    buffers = buffers }
  local l = core.loop(o)
  l:set("lr", 0)
  l:set("batch_size", 1)
  l:advance(2)
  lu.assert_equals({ buffers:table(), l:state({}).loss }, { { 7, 30, 5 }, 10 })
  local evaluation = core.program(g, { each })
  lu.assert_equals(core.evaluate(evaluation, weights, data, 2, buffers), { 3 * 35 })
  raises("has buffers (elements 1 to 3), none were given", core.evaluate, evaluation, weights, data)
  raises("output 2 has an offset", core.evaluate,
    core.program(g, { each, outputs[3] }, { offsets = { false, 2 }, vectors = { [2] = 2 } }),
    weights, data, 2, buffers)
  o.buffers = nil
  raises("has buffers (elements 1 to 3), none were given", core.loop, o)
  o.buffers = core.zeros { 2 }
  raises("needs 3 buffers, got 2", core.loop, o)
end

function TestLoopOptions:test_state_of_a_run()
  local g, outputs = with_buffers()
  local program = core.program(g, outputs, { offsets = { false, 1, 2 }, vectors = { [3] = 2 } })
  local buffers, state, out = core.tensor { 1, 1, 1 }, core.tensor { 9, 9, 9 }, core.zeros { 2 }
  local o = { inputs = { core.tensor { { 3, 4 } } }, vectors = { core.zeros { 2 }, buffers },
    out = out, state = state, seed = 3, step = 4, first_example = 5 }
  program:run(o)
  lu.assert_equals({ buffers:table(), state:table(), out:table() },
    { { 1, 1, 1 }, { 9, 3, 4 }, { 3, 4 } })
  o.state = buffers
  raises("state shares memory with vector 2", program.run, program, o)
  o.state = out
  raises("state must be float32, contiguous, writable, of 3 elements", program.run, program, o)
  o.state = nil
  raises("state is missing", program.run, program, o)
  o.vectors = { core.zeros { 2 } }
  raises("vector 2 is missing", program.run, program, o)
  raises("output 1 goes to the state, but has no offset", core.program, g, outputs,
    { offsets = { false, 1, 2 }, vectors = { 2 } })
  raises("an output of vectors must be an integer from 1 to 3", core.program, g, outputs,
    { vectors = { [4] = 2 } })
end

function TestLoopOptions:test_goes_on()
  local l, w = loop { optimizer = "adamw", order = "sequential" }
  lu.assert_equals(l:state_vectors(), {})
  l:watch_updates(1)
  l:advance(2)
  local kept = l:state_vectors()
  local m, v, half = kept.exp_avg:clone(), kept.exp_avg_sq:clone(), w:clone()
  lu.assert_equals(l:update_ratios({}), 2)
  l:advance(3)
  local other, x = loop { optimizer = "adamw", order = "sequential" }
  x:copy(half)
  other:restore { step = 2, examples = 2, vectors = { exp_avg = m, exp_avg_sq = v } }
  other:advance(3)
  lu.assert_equals(x:table(), w:table())
  raises('unknown option "momentum"', other.restore, other,
    { step = 2, examples = 2, vectors = { momentum = m } })
  raises("with 2 vectors, got 0", other.restore, other, { step = 2, examples = 2 })
end

--- A counter from a damaged file: refused before it can overflow.
function TestLoopOptions:test_counters_have_an_end()
  local l, w = loop { order = "sequential" }
  local before = w:table()
  for _, o in ipairs { { step = 0, examples = math.maxinteger - 2 },
      { step = math.maxinteger, examples = 0 }, { step = 0, examples = 2 ^ 53 + 2 },
      { step = 0, examples = -1 } } do
    raises("an integer from 0 to 9007199254740992", l.restore, l, o)
  end
  l:restore { step = 0, examples = 2 ^ 53 - 2 }
  lu.assert_equals(l:advance(2), "steps")
  raises("counts beyond 2^53", l.advance, l, 1)
  lu.assert_equals(l:state({}).examples, 2 ^ 53)
  lu.assert_not_equals(w:table(), before)
end

function TestLoopOptions:test_refuses()
  raises("max_norm must be above 0", loop, { max_norm = 0 })
  raises("micro_batch must be an integer from 1", loop, { micro_batch = 0 })
  raises("the reference batch of a coupling must be above 0", loop, { coupling = "sqrt" })
  raises("segments must cover the 2 weights", loop, { segments = { { first = 2, length = 1 } } })
  raises("the subset's number 1 is example 3", loop, { subset = core.tensor({ 3 }, "int32") })
  raises('optimizer must be "sgd", "adam", "adamw" or "none"', loop, { optimizer = "rmsprop" })
  raises("beta2", loop, { optimizer = "adam", beta2 = 1 })
end
