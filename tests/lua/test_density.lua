-- The density of a spectrum against moments of the whole matrix.
local core = require "swale.core"
local coverage = require "coverage"
local draws = require "swale.measure.draws"
local folders = require "swale.folders"
local lanczos = require "swale.measure.lanczos"
local lu = require "luaunit"
local sw = require "swale"
local temporary = require "temporary"

local nn = sw.nn

TestDensity = {}

local function network()
  local layer = nn.Sequential { nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3) }
  local sample = sw.data.gaussian_mixture { n = 23, features = 5, classes = 3 }.train
  local model = layer:build { seed = 3 }
  return model, sample, model:loss_on(sample):full_hessian(model:weights():to "float64")
end

local function product_with(h)
  return function(v) return sw.ops.matmul(h, v:reshape { #v, 1 }):reshape { #v } end
end

local function moment(nodes, weights, power)
  local sum = 0
  for i, x in ipairs(nodes) do sum = sum + weights[i] * x ^ power end
  return sum
end

local function trace_of(h)
  local sum = 0
  for i = 1, #h do sum = sum + h:get(i, i) end
  return sum
end

function TestDensity:test_quadrature_has_the_moments_of_its_probe()
  local _, _, h = network()
  local product = product_with(h)
  for _, steps in ipairs { 2, 5, 12 } do
    local v = draws.signs(39, core.random(steps, "test"))
    local nodes, weights = lanczos.quadrature(product, v, steps)
    local p, scale = v, 1
    for power = 0, math.min(2 * steps - 1, 8) do
      lu.assert_almost_equals(moment(nodes, weights, power), v:dot(p) / 39, 1e-13 * scale)
      p, scale = product(p), scale * math.max(1, nodes[#nodes])
    end
    lu.assert_equals(#nodes, steps)
  end
end

function TestDensity:test_an_exhausted_space_gives_the_eigenvalues()
  local h = sw.zeros({ 5, 5 }, "float64")
  for i, x in ipairs { 3, 3, -1, 0, 0 } do h:set(i, i, x) end
  local nodes, weights = lanczos.quadrature(product_with(h), sw.ones({ 5 }, "float64"), 20)
  lu.assert_equals(#nodes, 3)
  for i, want in ipairs { { -1, 0.2 }, { 0, 0.4 }, { 3, 0.4 } } do
    lu.assert_almost_equals(nodes[i], want[1], 1e-14)
    lu.assert_almost_equals(weights[i], want[2], 1e-14)
  end
  nodes, weights = lanczos.quadrature(product_with(h * 0), sw.ones({ 5 }, "float64"), 20)
  lu.assert_equals({ nodes, weights }, { { 0 }, { 1 } })
end

function TestDensity:test_the_mean_covers_the_trace()
  local model, sample, h = network()
  local squares = h:norm() ^ 2 / 39
  coverage.check(coverage.replicates(40), { trace_of(h) / 39, trace_of(h), squares },
    function(seed)
      local d = sw.measure.density(model, sample, { probes = 8, steps = 6, seed = seed,
        dtype = "float64" })
      local square = d:sum(function(x) return x ^ 2 / 39 end)
      return { d.mean, d:sum(function(x) return x end), square }
    end, "mean, sum, mean square")
end

-- A whole spectrum, and each probe with all eigenvalues: the smoothed density is known.
function TestDensity:test_the_smoothed_density_is_covered()
  local model, sample, h = network()
  local w, width, points = sw.linalg.eigvalsh(h):table(), 0.05, { -0.05, 0, 0.1, 0.4 }
  local truths = {}
  for k, x in ipairs(points) do
    truths[k] = 0
    for _, y in ipairs(w) do
      truths[k] = truths[k] + math.exp(-0.5 * ((x - y) / width) ^ 2) / width
        / math.sqrt(2 * math.pi) / 39
    end
  end
  coverage.check(coverage.replicates(30), truths, function(seed)
    local d = sw.measure.density(model, sample, { probes = 8, steps = 39, seed = seed,
      width = width, dtype = "float64" })
    local list = {}
    for k, x in ipairs(points) do list[k] = d:at(x) end
    return list
  end, "density")
end

function TestDensity:test_nodes_and_weights()
  local model, sample, h = network()
  local d = sw.measure.density(model, sample, { probes = 3, steps = 10 })
  local exact = sw.linalg.eigvalsh(h)
  lu.assert_equals({ #d.nodes, #d.weights, d.products, d.n }, { 30, 30, 30, 39 })
  lu.assert_almost_equals(moment(d.nodes, d.weights, 0), 1, 1e-14)
  lu.assert_almost_equals(moment(d.nodes, d.weights, 1), d.mean.value, 1e-14)
  lu.assert_almost_equals(d.high, exact:get(39), 1e-3)
  lu.assert_true(d.low >= exact:get(1) - 1e-5)
end

function TestDensity:test_plot()
  local model, sample = network()
  local folder = temporary.folder()
  local file = folder .. "/spectrum.svg"
  sw.measure.density(model, sample, { probes = 3, steps = 10 }):plot(file)
  lu.assert_str_contains(folders.read(file), "eigenvalue")
  folders.remove(folder)
end
