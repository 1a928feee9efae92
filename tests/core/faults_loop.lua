-- A loop with schedules and measurements, and an evaluation.
local g = core.graph()
local x, y = g:input(1, "real", { "batch", 3 }), g:input(2, "index", { "batch" })
local w = g:param(1, { 2, 3 })
local losses = core.apply("cross_entropy", nil, core.apply("matmul", { transpose_b = true }, x, w),
  y)
local loss = core.apply("mean", { axes = { 1 } }, losses)
local grads = g:gradient(loss, { w })
local norms = assert(g:example_norms(grads))

local r = core.random(1, "data")
local source = core.source {
  x = r:fill_normal(core.zeros { 20, 3 }, 0, 1),
    y = core.tensor({ 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1 }, "int32"),
  classes = 2,
}
local weights = core.zeros { 6 }
local loop = core.loop {
  program = core.program(g, { loss, grads[1] }, { offsets = { false, 1 } }),
  measured = core.program(g, { loss, norms, grads[1] }, { offsets = { false, false, 1 } }),
  weights = weights, source = source, seed = 1,
}
loop:set("lr", core.schedule { kind = "cyclic", max = 0.1, min = 0.01,
  period = { amount = 1, unit = "epochs" } })
loop:set("momentum", 0.9)
loop:set("batch_size", 5)
loop:measure(2)
local why, message = loop:advance(6)
assert(why == "steps", message)
assert(loop:state({}).step == 6)
local noise = core.noise { n = 20 }
noise:add(loop:norms(3))
noise:load(noise:save())
assert(noise:parts() > 0)
assert(loop:stepper("momentum")(0.8), "a single step")
assert(loop:momentum():norm() > 0 and loop:gradient():norm() > 0)
local sums
sums, message = core.evaluate(core.program(g, { losses }), weights, source, 7)
assert(sums, message)

-- Options that have memory of their own, and what is kept for going on.
local part = core.schedule { kind = "linear", from = 0, to = 0.1,
  period = { amount = 1, unit = "epochs" } }
loop = core.loop {
  program = core.program(g, { loss, grads[1] }, { offsets = { false, 1 } }),
  weights = weights, source = source, optimizer = "adamw", micro_batch = 3, max_norm = 1,
  segments = { { first = 1, length = 3 }, { first = 4, length = 3, lr_factor = 0.5 } },
  order = "independent", subset = core.tensor({ 4, 7, 9, 11 }, "int32"),
}
loop:set("lr", core.schedule { kind = "chain", schedules = { part, core.schedule {
  kind = "scale", value = 2, schedules = { part } } },
  durations = { { amount = 2, unit = "epochs" } } })
loop:set("batch_size", 5)
loop:watch_updates(2)
why, message = loop:advance(6)
assert(why == "steps", message)
assert(loop:update_ratios({}) == 6)
loop:restore { step = 6, examples = 30, vectors = loop:state_vectors() }
local average = core.average(6, "float32", { kind = "last", k = 3 })
average:update(weights)
average:restore(average:state(), 1)
assert(average:mean():norm() > 0)

-- One update of a vector by each optimizer.
local state = {}
for kind, row in pairs(core.optimizers()) do
  state[kind] = {}
  if not row.external then
    assert(core.update({ optimizer = kind }, core.zeros { 4 }, core.zeros({ 4 }):fill(1),
      state[kind], { lr = 0.1, momentum = 0.5, step = 1 }))
  end
  for _, name in ipairs(row.moments) do assert(state[kind][name]:norm() > 0, kind) end
end
assert(#core.hyperparameters() == 4 and #core.schedule_kinds() > 20)
