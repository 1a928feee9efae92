--- Sharpness and its companions: against grids, corners and the exact answers of a quadratic.
package.path = debug.getinfo(1, "S").source:match "^@(.-)[^/]*$" .. "?.lua;" .. package.path
local folders = require "swale.folders"
local lu = require "luaunit"
local sw = require "swale"
local temporary = require "temporary"

TestSharpness, TestBall, TestRescaling = {}, {}, {}

local LONG = os.getenv "SWALE_TEST_LONG"

--- A small network at weights where it is not trained, in float64.
local function network()
  local model = sw.nn.Sequential { sw.nn.Linear(3, 6), sw.nn.Tanh(), sw.nn.Linear(6, 2) }
    :build { seed = 3 }
  local data = sw.data.gaussian_mixture { classes = 2, features = 3, n = 60, seed = 2 }
  return model, data.train
end

--- Linear regression: f(w) = f0 + g'd + d'H d / 2 with a dense H, d = w - w0, of 12 weights.
local function regression(seed)
  local n, p = 40, 12
  local mixing = sw.randn({ p - 1, p - 1 }, "float64", sw.random(seed, "mixing"))
  local x = sw.randn({ n, p - 1 }, "float64", sw.random(seed, "x")):matmul(mixing):to "float32"
  local y = sw.randn({ n, 1 }, sw.random(seed, "y"))
  local sample = { x = x, y = y }
  x, y = x:to "float64", y:to "float64"
  local model = sw.nn.Linear(p - 1, 1):build { seed = seed }
  local w = model:weights():to "float64" * 0.3
  local design = sw.ops.concat({ x, sw.ones({ n, 1 }, "float64") }, 2) -- weights, then the bias
  local off = design:matmul(w:reshape { p, 1 }) - y
  return { model = model, sample = sample, w = w, f0 = off:square():mean():item(),
    g = design:t():matmul(off):reshape { p } * (2 / n), h = design:t():matmul(design) * (2 / n),
    o = function(o)
      o.loss, o.weights, o.dtype = sw.loss.mse, w, "float64"
      return o
    end }
end

local function rise(q, d)
  return q.g:dot(d) + q.h:matmul(d:reshape { #d, 1 }):reshape({ #d }):dot(d) / 2
end

--- The largest rise over all corners of the box |d_i| <= r_i: where a convex function is largest.
local function best_corner(q, r)
  local n = #r
  local signs = sw.zeros({ 1 << n, n }, "float64")
  for row = 1, 1 << n do
    for i = 1, n do signs:set(row, i, (row - 1) >> (i - 1) & 1 == 1 and r[i] or -r[i]) end
  end
  local values = (signs:matmul(q.h) * signs):sum(2) * 0.5
    + signs:matmul(q.g:reshape { n, 1 }):reshape { 1 << n }
  return values:max():item()
end

-- ------------------------------------------------------------------ metric 2.1

--- At least .95 of the best of all 2^12 corners, and never above it.
function TestSharpness:test_the_full_space_against_all_corners()
  for seed = 1, LONG and 30 or 4 do
    local q, epsilon = regression(seed), 0.2
    local phi = sw.measure.sharpness(q.model, q.sample,
      q.o { epsilon = epsilon, companions = false, seed = seed })
    local most = 100 * best_corner(q, (q.w:abs() + 1) * epsilon) / (1 + q.f0)
    lu.assert_true(phi.value >= 0.95 * most, ("seed %d: %g of %g"):format(seed, phi.value, most))
    lu.assert_true(phi.value <= most * (1 + 1e-12))
    lu.assert_almost_equals(phi.loss, q.f0, 1e-12 * q.f0)
    for _, s in ipairs(phi.starts) do lu.assert_true(s.value <= phi.value) end
  end
end

--- The two columns are drawn here from the stream of the measurement, A^+ x by Cramer's rule, and f
--- on a grid that has the box's edges.
local function grid(model, sample, seed, epsilon)
  local x, n = model:weights():to "float64", model:weights():numel()
  local random = sw.random(seed, "measure/measure.sharpness/columns")
  local a = sw.randn({ n }, "float64", random)
  local b = sw.randn({ n }, "float64", random)
  local aa, ab, bb, ax, bx = a:dot(a), a:dot(b), b:dot(b), a:dot(x), b:dot(x)
  local det = aa * bb - ab * ab
  local r1 = epsilon * (math.abs((bb * ax - ab * bx) / det) + 1)
  local r2 = epsilon * (math.abs((aa * bx - ab * ax) / det) + 1)
  local loss, points, best = model:loss_on(sample), 60, -math.huge
  local f0 = loss(x)
  for i = 0, points do
    for j = 0, points do
      local w = x:clone():add((2 * i / points - 1) * r1, a):add((2 * j / points - 1) * r2, b)
      best = math.max(best, loss(w))
    end
  end
  return 100 * (best - f0) / (1 + f0)
end

function TestSharpness:test_a_plane_against_a_fine_grid()
  local model, sample = network()
  for seed = 1, 3 do
    for _, epsilon in ipairs { 1e-3, 0.3 } do
      local phi = sw.measure.sharpness(model, sample, { epsilon = epsilon, subspace = 2,
        seed = seed, dtype = "float64", companions = false, iterations = 20 })
      local best = grid(model, sample, seed, epsilon)
      lu.assert_true(phi.value >= best * (1 - 1e-9), ("%.12g, grid %.12g"):format(phi.value, best))
      lu.assert_true(phi.value <= best * 1.01, ("%g, grid %g"):format(phi.value, best))
    end
  end
end

--- With as many columns as weights the box is another one, but the same space: not refused.
function TestSharpness:test_more_columns_than_weights()
  local q = regression(1)
  for _, law in ipairs { "normal", "unit", "uniform" } do
    local phi = sw.measure.sharpness(q.model, q.sample,
      q.o { subspace = 20, columns = law, companions = false })
    lu.assert_true(phi.value > 0)
    lu.assert_equals(phi.columns, law)
  end
end

--- A start at a minimum has gradient 0 at x; from random points the rise is found.
function TestSharpness:test_at_an_exact_minimum()
  local q = regression(2)
  local minimum = q.w - sw.linalg.solve(q.h, q.g)
  local o = q.o { epsilon = 0.1, companions = false }
  o.weights = minimum
  local phi = sw.measure.sharpness(q.model, q.sample, o)
  local at = { g = q.g * 0, h = q.h }
  local f = q.f0 + rise(q, minimum - q.w)
  lu.assert_true(phi.value >= 0.95 * 100 * best_corner(at, (minimum:abs() + 1) * 0.1) / (1 + f))
end

function TestSharpness:test_it_tells_its_effort_and_changes_nothing()
  local model, sample = network()
  local before = model:weights():clone()
  local phi = sw.measure.sharpness(model, sample, { starts = 3, iterations = 2 })
  lu.assert_equals(model:weights():table(), before:table())
  lu.assert_equals({ phi.low, phi.high, phi.status, phi.interval },
    { phi.value, math.huge, "unresolved", "bound" })
  lu.assert_equals({ #phi.starts, phi.effort.starts, phi.mode, phi.dtype, phi.examples },
    { 3, 3, "eval", "float32", #sample.source })
  local evaluations, most, least = 0, -math.huge, math.huge
  for _, s in ipairs(phi.starts) do
    lu.assert_equals({ s.status, s.iterations }, { "iterations", 2 })
    evaluations = evaluations + s.evaluations
    most, least = math.max(most, s.value), math.min(least, s.value)
  end
  lu.assert_equals({ phi.effort.evaluations, phi.effort.iterations, phi.spread, phi.value },
    { evaluations, 6, most - least, most })
  lu.assert_str_contains(tostring(phi), "the best of 3 starts")
  lu.assert_str_contains(phi.target, "metric 2.1 in the full space, epsilon 0.001")
  local again = sw.measure.sharpness(model, sample, { starts = 3, iterations = 2 })
  lu.assert_equals(again.value, phi.value)
  lu.assert_equals(again.companions.l2.value, phi.companions.l2.value)
  local other = sw.measure.sharpness(model, sample, { starts = 3, iterations = 2, seed = 2,
    companions = false })
  lu.assert_not_equals(other.starts[1].value, phi.starts[1].value)
  lu.assert_false(other.companions)
end

--- `over` moves the chosen weights alone.
function TestSharpness:test_of_a_layer()
  local model, sample = network()
  local function of(over)
    return sw.measure.sharpness(model, sample, { over = over, epsilon = 0.05, starts = 2,
      companions = false }).value
  end
  lu.assert_true(of "^0" > 0 and of "^2" > 0)
  lu.assert_true(of(nil) > math.max(of "^0", of "^2"))
end

function TestSharpness:test_pictures()
  local model, sample = network()
  local one = sw.measure.sharpness(model, sample, { starts = 1, companions = { steps = 1 } })
  local bare = sw.measure.sharpness(model, sample, { starts = 1, companions = false })
  temporary.with_folder(function(folder)
    for i, others in ipairs { {}, { { "the same", one } }, { name = "bare", { "it", bare } } } do
      local file = ("%s/%d.svg"):format(folder, i)
      one:plot(file, others)
      local svg = folders.read(file)
      lu.assert_str_contains(svg, i == 3 and "bare" or "these weights")
      lu.assert_equals(svg:find("rise of the loss in a ball", 1, true) ~= nil, i < 3)
    end
    lu.assert_error_msg_contains("sharpness:plot: [1] must be { name, sharpness }, not", one.plot,
      one, folder .. "/x.svg", { one })
    lu.assert_error_msg_contains('unknown option "others"', one.plot, one, folder .. "/x.svg",
      { others = { one } })
  end)
end

function TestSharpness:test_misuse()
  local q = regression(1)
  local function raises(text, o)
    lu.assert_error_msg_contains(text, sw.measure.sharpness, q.model, q.sample, q.o(o))
  end
  raises("epsilon must be a number above 0", { epsilon = 0 })
  raises('columns must be one of "normal", "uniform", "unit"', { columns = "sparse" })
  raises("unknown option \"start\"; did you mean \"starts\"", { start = 1 })
  local o = q.o {}
  o.loss = function(x, y) return (x - y):square():mean() - 1e6 end
  lu.assert_error_msg_contains("metric 2.1 divides by 1 + loss", sw.measure.sharpness, q.model,
    q.sample, o)
end

-- ------------------------------------------------------------------ balls

--- max g'd + d'H d / 2 over |d| <= rho: (mu - H) d = g with mu above all eigenvalues, |d| = rho.
local function trust_region(g, h, rho)
  local w, v = sw.linalg.eigh(h)
  local c = v:t():matmul(g:reshape { #g, 1 }):reshape { #g }
  local low, high = w[#w], w[#w] + g:norm() / rho
  for _ = 1, 200 do
    local mu = (low + high) / 2
    if (c / (w * -1 + mu)):norm() > rho then low = mu else high = mu end
  end
  return (v:matmul((c / (w * -1 + high)):reshape { #g, 1 })):reshape { #g }
end

function TestBall:test_the_euclidean_ball_of_a_quadratic()
  for seed = 1, 5 do
    local q = regression(seed)
    local scale = q.w:abs()
    for _, adaptive in ipairs { false, true } do
      local s = adaptive and scale or sw.ones({ 12 }, "float64")
      local h = q.h * s:reshape { 12, 1 } * s:reshape { 1, 12 }
      local scaled = { g = q.g * s, h = h }
      local most = rise(scaled, trust_region(scaled.g, h, 0.3))
      local ball = sw.measure.ball(q.model, q.sample,
        q.o { rho = 0.3, adaptive = adaptive, steps = 100, starts = 3 })
      lu.assert_true(ball.value <= most * (1 + 1e-9))
      lu.assert_true(ball.value >= most * 0.999, ("%d: %g, %g"):format(seed, ball.value, most))
    end
  end
end

function TestBall:test_the_box_of_a_quadratic()
  for seed = 1, 5 do
    local q = regression(seed)
    for _, adaptive in ipairs { false, true } do
      local r = adaptive and q.w:abs() * 0.3 or sw.full({ 12 }, 0.3, "float64")
      local most = best_corner(q, r)
      local ball = sw.measure.ball(q.model, q.sample,
        q.o { rho = 0.3, adaptive = adaptive, norm = "linf", starts = 5 })
      lu.assert_true(ball.value <= most * (1 + 1e-9))
      lu.assert_true(ball.value >= most * 0.95, ("%d: %g, %g"):format(seed, ball.value, most))
    end
  end
end

--- SAM's step: g rho / |g|; adaptive: w^2 g rho / |w g|.
function TestBall:test_sam()
  local q = regression(4)
  local sam = sw.measure.sam(q.model, q.sample, q.o { rho = 0.2 })
  local want = rise(q, q.g * (0.2 / q.g:norm()))
  lu.assert_almost_equals(sam.value, want, 1e-11 * want)
  lu.assert_equals({ sam.low, sam.high, sam.status }, { sam.value, sam.value, "resolved" })
  local wg = q.w * q.g
  want = rise(q, q.w * wg * (0.2 / wg:norm()))
  local adaptive = sw.measure.sam(q.model, q.sample, q.o { rho = 0.2, adaptive = true })
  lu.assert_almost_equals(adaptive.value, want, 1e-11 * want)
  local o = q.o { rho = 0.2 }
  o.weights = q.w * 0
  o.weights:set(1, 1e-300) -- no gradient along weights of 0
  lu.assert_true(sw.measure.sam(q.model, q.sample, o).value > 0)
end

-- ------------------------------------------------------------------ rescaling

function TestRescaling:test_what_changes_and_what_does_not()
  local model = sw.nn.Sequential { sw.nn.Linear(3, 6), sw.nn.ReLU(), sw.nn.Linear(6, 2) }
    :build { seed = 3 }
  local data = sw.data.gaussian_mixture { classes = 2, features = 3, n = 60, seed = 2 }
  local before = model:weights():clone()
  local test = sw.measure.rescaling(model, data.train, { starts = 2, dtype = "float64" })
  lu.assert_equals(model:weights():table(), before:table())
  lu.assert_equals({ test.first, test.second, test.factor }, { "0", "2", 4 })
  lu.assert_almost_equals(test.loss[1], test.loss[2], 1e-14)
  for name, ratio in pairs(test.ratios) do
    if name:find "^adaptive" then
      lu.assert_almost_equals(ratio, 1, 1e-9)
    else
      lu.assert_true(math.abs(ratio - 1) > 0.05, name .. " " .. ratio)
    end
  end
  lu.assert_str_contains(tostring(test), "layer 0 times 4, layer 2 divided by it")
end

function TestRescaling:test_a_network_without_a_relu_layer_is_refused()
  local model, sample = network()
  lu.assert_error_msg_contains("no layer can be rescaled without a change of the loss: tried 0 and "
    .. "2 (loss", sw.measure.rescaling, model, sample)
  lu.assert_error_msg_contains('no layer "5" can be rescaled without a change of the loss: tried '
    .. 'none. It takes a layer, a ReLU and a layer; those with parameters are "0", "2"',
    sw.measure.rescaling, model, sample, { first = "5" })
end

--- Behind a batch norm (evaluation) its gamma and beta are rescaled.
function TestRescaling:test_batch_norm()
  local net = sw.nn.Sequential { sw.nn.Linear(3, 6), sw.nn.BatchNorm(6), sw.nn.ReLU(),
    sw.nn.Linear(6, 2) }
  local data = sw.data.gaussian_mixture { classes = 2, features = 3, n = 60, seed = 2 }
  local model = net:build { seed = 1 }
  model:buffers():fill(0.5)
  local test = sw.measure.rescaling(model, data.train, { starts = 1 })
  lu.assert_equals({ test.first, test.second }, { "1", "3" })
end
