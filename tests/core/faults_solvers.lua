-- Eigenpairs by ARPACK, a minimum by L-BFGS-B: solves to their ends.
local n = 4
local d = core.zeros({ n }, "float64")
for i = 1, n do d:set(i, i) end
local start = core.zeros({ n }, "float64"):fill(1)
local solver <close> = core.arpack(n, start, { basis = 3, tolerance = 1e-2 })
local x, y = solver:step()
while x do
  y:copy(d * x)
  x, y = solver:step()
end
assert(not y or y:find "memory", y)
local values, vectors = solver:result()
assert(math.abs(values:get(1) - n) < 0.1 and #vectors == 1)
-- Minimising (x - 3)^2 by L-BFGS-B.
local minimiser <close> = core.lbfgsb(core.zeros({ 2 }, "float64"), nil,
  core.zeros({ 2 }, "float64"):fill(5), { tolerance = 1e-6 })
local task, value = minimiser:step(), nil
while task == "evaluate" or task == "iterate" do
  if task == "evaluate" then
    local off = minimiser:x() - 3
    minimiser:gradient():copy(off * 2)
    value = off:dot(off)
  end
  task = minimiser:step(value)
end
assert(task == "converged" and math.abs(minimiser:x():get(1) - 3) < 1e-5)
