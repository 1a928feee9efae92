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
loop:measure_noise(2)
local why, message = loop:advance(6)
assert(why == "steps", message)
assert(loop:state({}).step == 6 and loop:noise())
assert(loop:momentum():norm() > 0 and loop:gradient():norm() > 0)
local sums
sums, message = core.evaluate(core.program(g, { losses }), weights, source, 7)
assert(sums, message)
