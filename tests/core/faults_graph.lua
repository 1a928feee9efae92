-- A graph, its gradient, its per-example norms; programs and their runs.
local g = core.graph()
local x, y = g:input(1, "real", { "batch", 3 }), g:input(2, "index", { "batch" })
local w = g:param(1, { 2, 3 })
local z = core.apply("matmul", { transpose_b = true }, x, w) + core.tensor { 1, 2 }
local losses = core.apply("cross_entropy", nil, z, y)
local loss = core.apply("mean", { axes = { 1 } }, losses) * 1
local grads = g:gradient(loss, { w })
assert(#tostring(loss) > 0 and #g:dump { loss, grads[1] } > 0)
local norms, why = g:example_norms(grads)
assert(norms, why)
local program = core.program(g, { loss, grads[1], norms }, { offsets = { false, 1, false } })
local o = { inputs = { core.zeros { 2, 3 }, core.zeros({ 2 }, "int32") },
  vectors = { core.zeros { 6 } }, out = core.zeros { 6 } }
local value, squares = program:run(o)
assert(value:item() > 0 and #squares == 2 and #program:dump() > 0)
o.inputs = { core.zeros({ 9, 3 }, "float64"), core.zeros({ 9 }, "uint8") }
program:run(o)
do -- elements of nodes
  local p = core.graph():param(1, { 2, 3 })
  assert(p[2][1]:ndim() == 0 and p[3] == nil and #p == 2)
end
