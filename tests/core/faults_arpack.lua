-- Eigenpairs by ARPACK: a solve that ends, one that is dropped.
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
