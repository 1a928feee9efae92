--- Landscapes against closed forms: on linear regression the loss is a quadratic that dense sums
--- over the examples give; a small network is computed by hand.
local coverage = require "coverage"
local core = require "swale.core"
local folders = require "swale.folders"
local lu = require "luaunit"
local metrics = require "swale.trainer.metrics"
local nn = require "swale.nn"
local process = require "swale.process"
local sw = require "swale"
local temporary = require "temporary"

local land = sw.landscape

-- ------------------------------------------------------------------ a quadratic

local D <const> = 3

--- Examples of a linear regression, as lists.
local function examples(n, seed)
  local random, x, y = core.random(seed, "test"), {}, {}
  for i = 1, n do
    x[i] = {}
    for j = 1, D do x[i][j] = random:normal() * j end
    y[i] = { x[i][1] - 2 * x[i][2] + 0.5 * x[i][3] + 0.3 * random:normal() }
  end
  return x, y
end

--- The mean squared error of weights, by its definition.
local function loss_of(x, y, w)
  local sum = 0
  for i = 1, #x do
    local r = -y[i][1]
    for j = 1, D do r = r + x[i][j] * w[j] end
    sum = sum + r * r
  end
  return sum / #x
end

local function rounded(list) return sw.tensor(list):to("float64"):table() end

--- Data whose values are float32, as the network reads them.
local function regression(n, seed)
  local x, y = examples(n, seed)
  for i = 1, n do x[i], y[i] = rounded(x[i]), rounded(y[i]) end
  local tx, ty = examples(n // 2, seed + 100)
  for i = 1, #tx do tx[i], ty[i] = rounded(tx[i]), rounded(ty[i]) end
  local data = sw.data.from_tensors { train = { x = sw.tensor(x), y = sw.tensor(y) },
    test = { x = sw.tensor(tx), y = sw.tensor(ty) } }
  return { data = data, x = x, y = y, tx = tx, ty = ty,
    model = nn.Linear(D, 1, { bias = false }):build { seed = 1 } }
end

local function options(q, more)
  local o = { on = q.data, model = q.model, loss = sw.loss.mse, dtype = "float64" }
  for name, v in pairs(more or {}) do o[name] = v end
  return o
end

local A, B, C = { 1, 0, -1 }, { 0.5, 2, 0.25 }, { -1, 1, 2 }

local function mix(p, a, q, b)
  local w = {}
  for i = 1, #a do w[i] = p * a[i] + q * b[i] end
  return w
end

local function dot(a, b)
  local sum = 0
  for i = 1, #a do sum = sum + a[i] * b[i] end
  return sum
end

local function vector(list) return sw.tensor(list, "float64") end

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

-- ------------------------------------------------------------------ networks

--- How often f calls a function of a table.
local function counted_calls(t, name, f)
  local original, n = t[name], 0
  t[name] = function(...)
    n = n + 1
    return original(...)
  end
  local ok, problem = pcall(f)
  t[name] = original
  if not ok then error(problem, 0) end
  return n
end

local function tanh(v) return 1 - 2 / (math.exp(2 * v) + 1) end

--- Loss of a network 2-2-1 with tanh, by hand; w: rows of the first weight, bias, second, bias.
local function by_hand(x, y, w)
  local sum = 0
  for i = 1, #x do
    local h1 = tanh(w[1] * x[i][1] + w[2] * x[i][2] + w[5])
    local h2 = tanh(w[3] * x[i][1] + w[4] * x[i][2] + w[6])
    sum = sum + (w[7] * h1 + w[8] * h2 + w[9] - y[i][1]) ^ 2
  end
  return sum / #x
end

TestLandscapeNetworks = {}

-- Exchanging the hidden units gives the same function; on the way the units become equal.
function TestLandscapeNetworks:test_the_barrier_to_a_permuted_copy()
  local x = { { 1, 0 }, { 0, 1 }, { 1, 1 }, { -1, 0.5 } }
  local y = { { 1 }, { -1 }, { 0.5 }, { -2 } }
  local w = { 2, -1, -1, 2, 0.5, -0.5, 1.5, -1.5, 0.25 }
  local permuted = { -1, 2, 2, -1, -0.5, 0.5, -1.5, 1.5, 0.25 }
  local data = sw.data.from_tensors { train = { x = sw.tensor(x), y = sw.tensor(y) } }
  local model = nn.Sequential { nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 1) }:build()
  local function barrier(to)
    return land.barrier(vector(w), vector(to), { on = data, model = model, loss = sw.loss.mse,
      points = 11, dtype = "float64" })
  end
  local path = barrier(permuted)
  local a = by_hand(x, y, w)
  lu.assert_almost_equals({ path.rows[1].train_loss, path.rows[11].train_loss }, { a, a }, 1e-12)
  local most = 0
  for i = 0, 10 do
    most = math.max(most, by_hand(x, y, mix(1 - i / 10, w, i / 10, permuted)) - a)
  end
  lu.assert_true(most > 0.1)
  local height, at = path:barrier()
  lu.assert_almost_equals(height, most, 1e-12)
  lu.assert_true(at > 0 and at < 1)
  lu.assert_almost_equals(barrier(w):barrier(), 0, 1e-14)
end

local function normed(dropout)
  local list = { nn.Linear(64, 12), nn.BatchNorm(12), nn.ReLU() }
  if dropout then list[#list + 1] = nn.Dropout(0.5) end
  list[#list + 1] = nn.Linear(12, 10)
  return nn.Sequential(list)
end

local trained

local function trainer_of()
  trained = trained or sw.Trainer { model = normed(), data = sw.data.load "digits", lr = 0.1,
    batch_size = 64, average = sw.average.SWA { start = 1, every = 1, keep = true } }
    :fit { epochs = 4 }
  return trained
end

-- The rule for the statistics holds at every point: at an end it is that of trainer:evaluate.
function TestLandscapeNetworks:test_batch_norm_as_the_trainer_evaluates()
  local trainer = trainer_of()
  local w = trainer.average.captured
  for _, how in ipairs { "pooled", "layerwise", "running" } do
    local line = land.line(w[1], w[3], { on = trainer, batch_norm = how, from = 0, to = 1,
      points = 2 })
    for i, weights in ipairs { w[1], w[3] } do
      for _, on in ipairs { "train", "test" } do
        local found = trainer:evaluate(weights, { on = on, batch_norm = how })
        lu.assert_equals({ line.rows[i][on .. "_loss"], line.rows[i][on .. "_accuracy"] },
          { found.loss, found.accuracy }, how)
      end
    end
  end
end

function TestLandscapeNetworks:test_batch_norm_by_the_batch_itself()
  local trainer = trainer_of()
  local model, sample = trainer.model, trainer.data.train:sample(200)
  local exact = model:loss_on(sample, nil, { mode = "train" })(model:weights())
  local o = { on = sample, batch_norm = "train", from = 0, to = 0, points = 1 }
  lu.assert_almost_equals(land.line(model, model, o).rows[1].sample_loss, exact, 1e-5)
  local dropped = normed(true):build()
  dropped:weights():copy(model:weights())
  lu.assert_almost_equals(land.line(dropped, dropped, o).rows[1].sample_loss, exact, 1e-5)
end

function TestLandscapeNetworks:test_nothing_is_changed()
  local trainer = trainer_of()
  local before = { trainer:weights():clone(), trainer.model:buffers():clone() }
  sw.rand(1)
  local state = trainer:state()
  land.random_plane(trainer, { on = trainer, grid = 2 })
  land.rays(trainer, { on = trainer, rise = 0.5, n = 1 })
  lu.assert_equals(trainer:weights():table(), before[1]:table())
  lu.assert_equals(trainer.model:buffers():table(), before[2]:table())
  lu.assert_equals(trainer:state().step, state.step)
end

function TestLandscapeNetworks:test_threads_change_no_bit()
  local trainer, threads, found = trainer_of(), sw.threads(), {}
  for i, n in ipairs { 1, 2 } do
    sw.set_threads(n)
    found[i] = select(2, land.random_plane(trainer, { on = trainer, grid = 3 }):table())
  end
  sw.set_threads(threads)
  lu.assert_equals(found[1], found[2])
end

-- Networks that begin with a convolution are computed for several weights at once.
function TestLandscapeNetworks:test_several_weights_at_once_have_the_bits_of_each()
  local data = sw.data.load "digits"
  local small = data.shape
  local trainer = sw.Trainer { data = data, lr = 0.1, eval_batch = 100, model = nn.Sequential {
    nn.Conv2d(small[3], 3, 3, { padding = 1 }), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.5),
    nn.Conv2d(3, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(20, 10) } }
  trainer:fit { steps = 3 }
  local other = nn.Sequential { trainer.model.layer }:build { seed = 9 }:weights()
  local function line(file)
    return land.line(trainer, other, { on = trainer, points = 11, file = file })
  end
  lu.assert_equals(counted_calls(metrics, "evaluate", function() self.line = line() end), 0)
  temporary.with_folder(function(folder)
    for _ = 1, 2 do lu.assert_equals(line(folder .. "/line.jsonl").rows, self.line.rows) end
  end)
  for i, alpha in ipairs(self.line.alpha) do
    local w = vector(trainer:weights():table()) * (1 - alpha) + vector(other:table()) * alpha
    local found = trainer:evaluate(w:to "float32", { on = "test" })
    lu.assert_equals({ self.line.rows[i].test_loss, self.line.rows[i].test_accuracy },
      { found.loss, found.accuracy }, i)
  end
end

-- ------------------------------------------------------------------ files

TestLandscapeFiles = {}

function TestLandscapeFiles:setUp()
  self.dir, self.q = temporary.folder(), regression(20, 3)
end

function TestLandscapeFiles:tearDown() folders.remove(self.dir) end

--- The number of evaluations of f, two splits a point.
local function counted(f)
  local result
  return counted_calls(metrics, "evaluate", function() result = f() end) / 2, result
end

function TestLandscapeFiles:line(file, to)
  return land.line(vector(A), vector(to or B), options(self.q, { points = 9, file = file }))
end

-- A run that was killed left whole lines, and maybe a part of one.
function TestLandscapeFiles:test_a_killed_grid_goes_on()
  local file = self.dir .. "/line.jsonl"
  local whole = self:line(file)
  local text = folders.read(file)
  local lines = {}
  for line in text:gmatch "[^\n]*\n" do lines[#lines + 1] = line end
  lu.assert_equals(#lines, 10)
  for _, torn in ipairs { "", lines[6]:sub(1, 20), lines[6]:sub(1, -2) } do
    assert(core.write_file(file, table.concat(lines, "", 1, 5) .. torn))
    local n, again = counted(function() return self:line(file) end)
    lu.assert_equals(n, 1 + 5) -- the key's point, and those that are not in the file
    lu.assert_equals(again.rows, whole.rows)
    lu.assert_equals(folders.read(file), text)
  end
  lu.assert_equals((counted(function() return self:line(file) end)), 1)
end

function TestLandscapeFiles:test_an_error_keeps_what_is_finished()
  local file, evaluate, n = self.dir .. "/line.jsonl", metrics.evaluate, 0
  metrics.evaluate = function(...)
    n = n + 1
    if n == 9 then error("interrupted", 0) end
    return evaluate(...)
  end
  local ok = pcall(self.line, self, file)
  metrics.evaluate = evaluate
  lu.assert_false(ok)
  lu.assert_equals(select(2, folders.read(file):gsub("\n", "")), 1 + 4)
end

function TestLandscapeFiles:test_points_of_something_else_are_refused()
  local file = self.dir .. "/line.jsonl"
  self:line(file)
  local text = folders.read(file)
  lu.assert_error_msg_contains("has points of something else", self.line, self, file, C)
  self.q = regression(20, 4)
  lu.assert_error_msg_contains("has points of something else", self.line, self, file)
  lu.assert_equals(folders.read(file), text)
  assert(core.write_file(file, "a text\n"))
  lu.assert_error_msg_contains("has points of something else", self.line, self, file)
end

function TestLandscapeFiles:test_a_file_has_one_writer()
  local file = self.dir .. "/line.jsonl"
  self:line(file)
  local text, lock = folders.read(file), core.hold(file)
  lu.assert_error_msg_contains("another process may be writing it", self.line, self, file)
  lock:release()
  lu.assert_equals(folders.read(file), text)
  self:line(file)
end

function TestLandscapeFiles:test_infinite_and_nan_losses_are_kept()
  local file, huge = self.dir .. "/line.jsonl", { 1e200, 1e200, -1e200 }
  for _ = 1, 2 do
    local line = land.line(vector(A), vector(huge), options(self.q, { points = 10, file = file }))
    lu.assert_equals(line.rows[9].train_loss, math.huge)
    if process.find "gnuplot" then line:plot(self.dir .. "/line.svg") end
  end
end

function TestLandscapeFiles:test_tables_and_csv()
  local line = self:line(nil)
  local names, rows = line:table()
  lu.assert_equals(names, { "alpha", "train_loss", "test_loss" })
  lu.assert_equals(#rows, 9)
  line:save(self.dir .. "/line.csv")
  local values, _, columns = sw.load(self.dir .. "/line.csv", { dtype = "float64" })
  lu.assert_equals(columns, names)
  lu.assert_equals(values:table(), rows)
end

function TestLandscapeFiles:test_pictures()
  if not process.find "gnuplot" then lu.skip "there is no gnuplot" end
  local trainer = trainer_of()
  local w, file = trainer.average.captured, self.dir .. "/a.svg"
  local function shows(object, words, o)
    object:plot(file, o)
    local svg = folders.read(file)
    for _, word in ipairs(words) do lu.assert_str_contains(svg, word) end
  end
  shows(land.line(w[1], w[3], { on = trainer, points = 5 }), { "train loss", "test accuracy" })
  local plane = land.plane { w[1], w[2], w[3], on = trainer, grid = 4 }
  shows(plane:mark("SWA", trainer.average):path("way", w), { "SWA", "way", "test error" },
    { value = "test error" })
  shows(land.rays(trainer, { on = trainer, rise = 0.1, n = 2 }), { "rise of train loss" })
  shows(land.travel(w, { unit = "epochs" }), { "distance from the start", "log t" })
  lu.assert_error_msg_contains('did you mean "test error"', plane.plot, plane, file,
    { value = "test eror" })
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
