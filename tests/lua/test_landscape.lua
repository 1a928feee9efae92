--- Landscapes against closed forms: on linear regression the loss is a quadratic that dense sums
--- over the examples give.
local coverage = require "coverage"
local core = require "swale.core"
local harness = require "landscape_harness"
local lu = require "luaunit"
local nn = require "swale.nn"
local sw = require "swale"

local land = sw.landscape
local loss_of, regression, options, mix, dot, vector = harness.loss_of, harness.regression,
  harness.options, harness.mix, harness.dot, harness.vector
local A, B, C, D = harness.A, harness.B, harness.C, harness.D

-- ------------------------------------------------------------------ a quadratic

TestLandscapeQuadratic = {}

function TestLandscapeQuadratic:setUp() self.q = regression(40, 1) end

function TestLandscapeQuadratic:test_line()
  local q = self.q
  local line = land.line(vector(A), vector(B), options(q))
  lu.assert_equals({ #line.alpha, line.alpha[1], line.alpha[25] }, { 25, -1, 2 })
  for i, alpha in ipairs(line.alpha) do
    local w = mix(1 - alpha, A, alpha, B)
    local train, test = loss_of(q.x, q.y, w), loss_of(q.tx, q.ty, w)
    lu.assert_almost_equals(line.rows[i].train_loss, train, 1e-11 * train)
    lu.assert_almost_equals(line.rows[i].test_loss, test, 1e-11 * test)
  end
  lu.assert_almost_equals(line.distance, math.sqrt(0.25 + 4 + 1.25 ^ 2), 1e-12)
end

function TestLandscapeQuadratic:test_curve()
  local q = self.q
  local curve = land.curve(vector(A), vector(B), options(q, { points = 7 }))
  lu.assert_equals({ curve.alpha[1], curve.alpha[7] }, { 0, 1 })
  for i, alpha in ipairs(curve.alpha) do
    local loss = loss_of(q.x, q.y,
      mix(math.cos(alpha * math.pi / 2), A, math.sin(alpha * math.pi / 2), B))
    lu.assert_almost_equals(curve.rows[i].train_loss, loss, 1e-11 * loss)
  end
end

function TestLandscapeQuadratic:test_a_convex_loss_has_no_barrier()
  local found = land.barrier(vector(A), vector(B), options(self.q))
  local height, at = found:barrier "train_loss"
  lu.assert_equals({ height, at }, { 0, 0 })
  lu.assert_error_msg_contains("needs the points alpha = 0 and 1", function()
    land.line(vector(A), vector(B), options(self.q, { from = 0.5, points = 3 })):barrier()
  end)
end

function TestLandscapeQuadratic:test_plane()
  local q = self.q
  local o = options(q, { grid = { 5, 4 }, margin = 0.5 })
  o[1], o[2], o[3] = vector(A), vector(B), vector(C)
  local plane = land.plane(o)
  local u, v = plane.u:table(), plane.v:table()
  lu.assert_almost_equals({ dot(u, u), dot(v, v), dot(u, v) }, { 1, 1, 0 }, 1e-14)
  lu.assert_equals({ #plane.x, #plane.y, #plane.rows }, { 5, 4, 20 })
  for i, y in ipairs(plane.y) do
    for j, x in ipairs(plane.x) do
      local loss = loss_of(q.x, q.y, mix(1, A, 1, mix(x, u, y, v)))
      lu.assert_almost_equals(plane.rows[(i - 1) * 5 + j].train_loss, loss, 1e-10 * loss)
    end
  end
  local c = plane.marks[3]
  lu.assert_almost_equals(mix(1, A, 1, mix(c.x, u, c.y, v)), C, 1e-12)
  lu.assert_almost_equals({ plane.marks[2].y, c.residual }, { 0, 0 }, 1e-12)
  -- the margin is half of the points' extent on each side
  local low, high = math.min(0, plane.marks[2].x, c.x), math.max(0, plane.marks[2].x, c.x)
  lu.assert_almost_equals({ plane.x[1], plane.x[5] },
    { low - (high - low) / 2, high + (high - low) / 2 }, 1e-12)
end

function TestLandscapeQuadratic:test_projection_is_least_squares_with_its_residual()
  local o = options(self.q, { grid = 2 })
  o[1], o[2], o[3] = vector(A), vector(B), vector(C)
  local plane = land.plane(o)
  local u, v = plane.u:table(), plane.v:table()
  local n = { u[2] * v[3] - u[3] * v[2], u[3] * v[1] - u[1] * v[3], u[1] * v[2] - u[2] * v[1] }
  local x, y, residual = plane:project(vector(mix(1, mix(1, A, 3, n), 1, mix(2, u, -1, v))))
  lu.assert_almost_equals({ x, y, residual }, { 2, -1, 3 }, 1e-12)
end

--- The distance along d at which the quadratic has risen: of t^2 d'Md + t g'd = rise.
local function exact_width(q, w, d, rise)
  local base = loss_of(q.x, q.y, w)
  local ahead, behind = loss_of(q.x, q.y, mix(1, w, 1, d)), loss_of(q.x, q.y, mix(1, w, -1, d))
  local second, first = (ahead + behind) / 2 - base, (ahead - behind) / 2
  return (-first + math.sqrt(first ^ 2 + 4 * second * rise)) / (2 * second)
end

function TestLandscapeQuadratic:test_rays_have_the_exact_widths()
  local q = self.q
  local rays = land.rays(vector(A), options(q, { rise = 0.7, n = 6, seed = 3, tolerance = 1e-6 }))
  lu.assert_almost_equals(rays.base, loss_of(q.x, q.y, A), 1e-11)
  local sum = 0
  for i, e in ipairs(rays.widths) do
    local d = core.zeros({ D }, "float64")
    core.random(3, "measure/landscape", i):fill_normal(d, 0, 1)
    d:scale(1 / d:norm())
    local exact = exact_width(q, A, d:table(), 0.7)
    lu.assert_true(e.low <= exact * (1 + 1e-9) and e.high >= exact * (1 - 1e-9),
      ("%.12g in %.12g, %.12g"):format(exact, e.low, e.high))
    lu.assert_true(e.high - e.low <= 1e-6 * e.high)
    lu.assert_equals(e.interval, "bound")
    sum = sum + math.log(exact)
  end
  lu.assert_almost_equals(rays.mean.value, math.exp(sum / 6), 1e-5)
end

function TestLandscapeQuadratic:test_a_ray_that_does_not_rise_so_far_has_its_sure_end()
  local rays = land.rays(vector(A), options(self.q, { rise = 1e9, n = 2, first = 0.1, far = 1 }))
  local e = rays.widths[1]
  lu.assert_equals({ e.status, e.low, e.high }, { "unresolved", 0.8, math.huge })
  lu.assert_str_contains(e.reason, "not reached up to a distance of 1")
  lu.assert_not_equals(rays.mean.status, "resolved")
  lu.assert_str_contains(rays.mean.reason, "above 0.8")
end

--- The geometric mean of the width over the sphere, by sums over a fine grid of angles.
local function mean_width(q, w, rise)
  local n, sum, weight = 200, 0, 0
  for i = 1, n do
    local z = -1 + (2 * i - 1) / n -- equal areas
    for j = 1, n do
      local phi = 2 * math.pi * (j - 0.5) / n
      local r = math.sqrt(1 - z * z)
      local d = { r * math.cos(phi), r * math.sin(phi), z }
      sum = sum + math.log(exact_width(q, w, d, rise))
      weight = weight + 1
    end
  end
  return math.exp(sum / weight)
end

-- Every seed counts; intervals that are open count as covering what is above their low end.
function TestLandscapeQuadratic:test_the_interval_of_the_mean_width_covers()
  local q, seeds, covered = regression(12, 2), coverage.replicates(60), 0
  local truth = mean_width(q, A, 0.7)
  for seed = 1, seeds do
    local e = land.rays(vector(A), options(q, { on = q.data.train, rise = 0.7, n = 12, seed = seed,
      first = 0.05, tolerance = 1e-3 })).mean
    if e.low <= truth and truth <= e.high then covered = covered + 1 end
  end
  lu.assert_true(covered >= coverage.least(seeds, 0.95),
    ("%d of %d cover %.6g"):format(covered, seeds, truth))
end

function TestLandscapeQuadratic:test_a_trajectory_has_its_plane_of_least_squares()
  local list = {}
  for i, p in ipairs { { 3, 1 }, { 2, -1 }, { 1, 1 }, { 0.5, 0.2 }, { 0, 0 } } do
    list[i] = vector { p[1], p[2], 0.01 * p[2] }
  end
  local plane = land.trajectory(list, options(self.q, { grid = 3 }))
  lu.assert_almost_equals(plane.explained[1] + plane.explained[2], 1, 1e-12)
  local sum, first = 0, 0
  for i = 1, 5 do
    local w, x, y = list[i]:table(), plane.paths[1].x[i], plane.paths[1].y[i]
    lu.assert_almost_equals(x * x + y * y, dot(w, w), 1e-12) -- in the plane: nothing is left
    lu.assert_almost_equals(plane.paths[1].residual[i], 0, 1e-10)
    sum, first = sum + dot(w, w), first + x * x
  end
  lu.assert_almost_equals(plane.explained[1], first / sum, 1e-12)
  -- no other direction of the plane has a larger share
  for k = 1, 40 do
    local c, s, along = math.cos(k * math.pi / 40), math.sin(k * math.pi / 40), 0
    for i = 1, 5 do along = along + (c * plane.paths[1].x[i] + s * plane.paths[1].y[i]) ^ 2 end
    lu.assert_true(along <= first * (1 + 1e-12))
  end
end

-- ------------------------------------------------------------------ random planes

TestLandscapeDirections = {}

local function network()
  return nn.Sequential { nn.Conv2d(1, 3, 3), nn.Flatten(), nn.Linear(12, 5), nn.ReLU(),
    nn.Linear(5, 1) }
end

local function image_data()
  return sw.data.from_tensors { train = { x = sw.randn { 20, 4, 4, 1 }, y = sw.randn { 20, 1 } },
    images = true }
end

local function parts(segments, f)
  for _, s in ipairs(segments) do
    local rows = #s.shape > 1 and s.shape[1] or 1
    for k = 0, rows - 1 do f(s, s.offset + k * (s.size // rows), s.size // rows) end
  end
end

function TestLandscapeDirections:test_filters_have_the_weights_lengths_and_are_orthogonal()
  local model = network():build { seed = 2 }
  local plane = land.random_plane(model, { on = image_data(), loss = sw.loss.mse, grid = 2 })
  local w, u, v = model:weights(), plane.u, plane.v
  parts(model.segments, function(s, first, n)
    local pu, pv = u:narrow(1, first, n), v:narrow(1, first, n)
    local length = w:narrow(1, first, n):norm()
    if #s.shape == 1 then
      lu.assert_equals({ pu:norm(), pv:norm() }, { 0, 0 }) -- biases
    else
      lu.assert_almost_equals({ pu:norm(), pv:norm() }, { length, length }, 1e-6 * length)
      lu.assert_almost_equals(pu:dot(pv), 0, 1e-12 * length ^ 2)
    end
  end)
  local x, y, residual = plane:project(plane:weights(0.3, -0.7))
  lu.assert_almost_equals({ x, y, residual }, { 0.3, -0.7, 0 }, 1e-10)
end

function TestLandscapeDirections:test_options()
  local model, data = network():build { seed = 2 }, image_data()
  local function plane(o)
    o.on, o.loss, o.grid = data, sw.loss.mse, 2
    return land.random_plane(model, o)
  end
  local layered = plane { normalise = "layer" }
  local s = model.segments[3] -- the first Linear
  lu.assert_equals(s.shape, { 5, 12 })
  lu.assert_almost_equals(layered.u:narrow(1, s.offset, s.size):norm(),
    model:weights():narrow(1, s.offset, s.size):norm(), 1e-6)
  local free = plane { normalise = "none", seed = 5 }
  local raw = core.zeros({ model:weights():numel() }, "float64")
  core.random(5, "measure/landscape", 1):fill_normal(raw, 0, 1)
  local n = #raw
  lu.assert_almost_equals(free.u:narrow(1, s.offset, s.size):table(),
    raw:narrow(1, s.offset, s.size):table(), 0)
  lu.assert_true(n > 0 and plane({ biases = "normal" }).u:narrow(1, 28, 3):norm() >= 0)
  lu.assert_equals(plane({ seed = 1 }).u:table(), plane({ seed = 1 }).u:table())
  lu.assert_not_equals(plane({ seed = 1 }).u:table(), plane({ seed = 2 }).u:table())
end

-- ------------------------------------------------------------------ travel

TestLandscapeTravel = {}

function TestLandscapeTravel:test_distances_steps_angles()
  local travel = land.travel({ vector { 3, 0 }, vector { 3, 4 }, vector { 0, 4 } },
    { start = vector { 0, 0 } })
  lu.assert_almost_equals(travel.distance, { 3, 5, 4 }, 1e-14)
  lu.assert_almost_equals({ travel.step[2], travel.step[3], travel.cosine[3] }, { 4, 3, 0 }, 1e-14)
  lu.assert_nan(travel.step[1])
  lu.assert_nan(travel.cosine[2])
  lu.assert_almost_equals(land.angle(vector { 0, 0 }, vector { 2, 0 }, vector { 0, 3 }),
    math.pi / 2, 1e-15)
  lu.assert_almost_equals(land.angle(vector { 0, 0 }, vector { 1, 0 }, vector { 1, 1e-9 }), 1e-9,
    1e-17)
  lu.assert_nan(land.angle(vector { 0, 0 }, vector { 0, 0 }, vector { 1, 1 }))
end

function TestLandscapeTravel:test_fits_are_exact()
  local list, at, power = {}, {}, {}
  for i = 1, 6 do
    at[i] = 2 ^ i
    list[i], power[i] = vector { 2 + 3 * math.log(at[i]), 0 }, vector { 0, 0.5 * at[i] ^ 0.5 }
  end
  local fit = land.travel(list, { start = vector { 0, 0 }, at = at }).log_fit
  lu.assert_almost_equals({ fit.slope, fit.intercept, fit.r2 }, { 3, 2, 1 }, 1e-12)
  fit = land.travel(power, { start = vector { 0, 0 }, at = at }).power_fit
  lu.assert_almost_equals({ fit.slope, math.exp(fit.intercept) }, { 0.5, 0.5 }, 1e-12)
end

-- ------------------------------------------------------------------ misuse

TestLandscapeMisuse = {}

function TestLandscapeMisuse:test_messages()
  local q = regression(10, 5)
  local a, b = vector(A), vector(B)
  local function refused(message, f, ...) lu.assert_error_msg_contains(message, f, ...) end
  refused("whose weights are these? model = trainer.model", land.line, a, b, { on = q.data })
  refused("needs on: a trainer, a data set", land.line, a, b, { model = q.model })
  refused("on must be a data set, a split, a trainer", land.line, a, b, { on = 3, model = q.model })
  refused("b has 2 elements, the others have 3", land.line, a, vector { 1, 2 }, options(q))
  refused("a must be weights: a flat tensor, a model", land.line, "last", b, options(q))
  refused("a point has 2 elements", land.line, vector { 1, 2 }, vector { 3, 4 }, options(q))
  refused('did you mean "batch_norm"', land.line, a, b, options(q, { batchnorm = "pooled" }))
  local function root(output, target) return (output - target):square():mean():sqrt() end
  refused("evaluation of train, 10 examples 4 at a time: the loss is not a mean over examples",
    land.line, a, b, options(q, { loss = root, batch_size = 4 }))
  refused("batch_size = 10 takes all of them at once", land.line, a, b,
    options(q, { loss = root, batch_size = 4 }))
  local function plane(c)
    local o = options(q)
    o[1], o[2], o[3] = a, b, c
    return land.plane(o)
  end
  refused("on a line", plane, vector(mix(0.5, A, 0.5, B)))
  refused("takes three weights, not 2", plane, nil)
  refused("on a line", land.trajectory, { a, b, vector(mix(2, A, -1, B)) }, options(q))
  refused("there is no split", land.rays, a, options(q, { rise = 1, by = "tset" }))
  refused("grid is a number of points from 2 on", land.random_plane, a, options(q, { grid = 1 }))
end
