--- The noisy quadratic model against dense algebra, the core's SGD and a grid; SVAG; merging.
local coverage = require "coverage"
local lu = require "luaunit"
local sw = require "swale"

TestNQM = {}


local function close(got, want, tolerance)
  lu.assert_almost_equals(got / want, 1, tolerance)
end

-- ------------------------------------------------------------------ dense algebra

local function product(a, b)
  local c = {}
  for i = 1, #a do
    c[i] = {}
    for j = 1, #b[1] do
      c[i][j] = 0
      for k = 1, #b do c[i][j] = c[i][j] + a[i][k] * b[k][j] end
    end
  end
  return c
end

local function transposed(a)
  local t = {}
  for j = 1, #a[1] do
    t[j] = {}
    for i = 1, #a do t[j][i] = a[i][j] end
  end
  return t
end

--- State (theta, v, m): x <- A x + b noise, written out from the definition of the heavy ball.
local function system(h, lr, momentum, decay)
  local rest = 1 - decay
  return { { 1 - lr * h, -lr * momentum, 0 }, { h, momentum, 0 },
    { rest * (1 - lr * h), -rest * lr * momentum, decay } }, { -lr, 1, -rest * lr }
end

--- E x x' after the step.
local function covariance(p, a, b, noise)
  local q = product(product(a, p), transposed(a))
  for i = 1, 3 do
    for j = 1, 3 do q[i][j] = q[i][j] + noise * b[i] * b[j] end
  end
  return q
end

function TestNQM:test_moments_are_those_of_the_linear_system()
  local h, c, start, momentum, decay = { 1, 0.3, 0.01 }, { 0.5, 2, 0.1 }, { 1, 4, 0.25 }, 0.8, 0.9
  local lr = function(t) return 0.4 / t ^ 0.3 end
  local batch = function(t) return 2 + t end
  local run = sw.nqm { h = h, c = c, start = start }:run { steps = 30, lr = lr, batch = batch,
    momentum = momentum, average = decay }
  local loss, average = 0, 0
  for i = 1, 3 do
    local s = start[i]
    local p = { { s, 0, s }, { 0, 0, 0 }, { s, 0, s } }
    for t = 1, 30 do
      local a, b = system(h[i], lr(t), momentum, decay)
      p = covariance(p, a, b, c[i] / batch(t))
    end
    close(run.moments[i], p[1][1], 1e-12)
    loss, average = loss + 0.5 * h[i] * p[1][1], average + 0.5 * h[i] * p[3][3]
  end
  close(run.loss[30], loss, 1e-12)
  close(run.average_loss[30], average, 1e-12)
end

function TestNQM:test_without_momentum_it_is_the_papers_recursion()
  local run = sw.nqm { h = { 2 }, start = 3 }:run { steps = 2, lr = 0.1, batch = 4 }
  local once = 0.8 ^ 2 * 3 + 0.01 * 2 / 4
  lu.assert_equals(run.loss[0], 3)
  close(run.loss[1], once, 1e-15)
  close(run.loss[2], 0.8 ^ 2 * once + 0.01 * 2 / 4, 1e-15)
end

-- Without noise theta is what sw.optim.SGD makes of it.
function TestNQM:test_momentum_is_that_of_the_optimizer()
  local model = sw.nqm { h = { 0.7 }, c = { 0 }, start = 4 }
  local run = model:run { steps = 12, lr = 0.3, momentum = 0.9 }
  local w, sgd, state = sw.tensor({ 2 }, "float32"), sw.optim.SGD { momentum = 0.9 }, {}
  for t = 1, 12 do
    sgd(w, w * 0.7, state, { lr = 0.3 })
    lu.assert_almost_equals(run.loss[t], 0.35 * w:item() ^ 2, 1e-5) -- float32
  end
end

-- ------------------------------------------------------------------ the limit

function TestNQM:test_the_limit_is_where_runs_end()
  local model = sw.nqm { h = { 1, 0.4 }, c = { 0.5, 2 } }
  for _, momentum in ipairs { 0, 0.5, 0.9 } do
    local o = { lr = 0.3, batch = 8, momentum = momentum }
    local run = model:run { steps = 3000, lr = 0.3, batch = 8, momentum = momentum }
    local limit = model:stationary(o)
    close(run.loss[3000], limit.loss, 1e-12)
    close(run.moments[2], limit.moments[2], 1e-12)
  end
  close(model:stationary({ lr = 0.3, batch = 8 }).moments[2], 0.3 * 2 / (8 * 0.4 * (2 - 0.12)),
    1e-14)
  lu.assert_error_msg_contains("lr must be below 2 (1 + momentum) / h = 2 to have a limit",
    function() return model:stationary { lr = 2 } end)
end

-- E theta_s theta_t = (A^(t - s) P)_11, with P in the limit, by powers of A.
function TestNQM:test_the_mean_of_captures()
  local h, c, n, every = 0.7, 1.3, 7, 3
  for _, momentum in ipairs { 0, 0.8 } do
    local a, b = system(h, 0.4, momentum, 0)
    local p = { { 0, 0, 0 }, { 0, 0, 0 }, { 0, 0, 0 } }
    for _ = 1, 2000 do p = covariance(p, a, b, c / 5) end
    local sum, power = n * p[1][1], p
    for k = 1, n - 1 do
      for _ = 1, every do power = product(a, power) end
      sum = sum + 2 * (n - k) * power[1][1]
    end
    local limit = sw.nqm { h = { h }, c = { c } }:averaged { lr = 0.4, batch = 5,
      momentum = momentum, captures = n, every = every }
    close(limit.moments[1], sum / n ^ 2, 1e-12)
  end
end

function TestNQM:test_correlated_captures_average_to_more_than_one_nth()
  local model = sw.nqm { h = { 0.01 } }
  local one = model:stationary({ lr = 0.1 }).loss
  lu.assert_true(model:averaged({ lr = 0.1, captures = 10 }).loss > 0.9 * one)
  close(model:averaged({ lr = 0.1, captures = 10, every = 20000 }).loss, one / 10, 1e-6)
end

-- ------------------------------------------------------------------ simulation

-- The interval of each simulation is about the loss that run gives.
function TestNQM:test_simulations_cover_the_closed_form()
  local model, count, hits = sw.nqm { h = { 1, 0.2 } }, coverage.replicates(80), 0
  local o = { steps = 10, lr = 0.5, batch = 2, momentum = 0.5 }
  local exact = model:run(o).loss[10]
  for seed = 1, count do
    local e = model:simulate { steps = 10, lr = 0.5, batch = 2, momentum = 0.5, runs = 200,
      seed = seed }[10]
    if e.low <= exact and exact <= e.high then hits = hits + 1 end
  end
  -- the losses are skewed: Student's interval of 200 of them covers 0.94
  lu.assert_true(hits >= coverage.least(count, 0.94), ("%d of %d"):format(hits, count))
end

-- ------------------------------------------------------------------ rates

-- McCandlish et al.: eps_max / (1 + B_noise / B), with G = h theta, Sigma = c.
function TestNQM:test_the_best_step_is_that_of_the_noise_scale()
  local h, c, theta = { 1, 0.5, 0.1 }, { 0.3, 1, 2 }, { 0.5, 1, 2 }
  local start, g2, ghg, trace = {}, 0, 0, 0
  for i = 1, 3 do
    start[i], g2 = theta[i] ^ 2, g2 + (h[i] * theta[i]) ^ 2
    ghg, trace = ghg + h[i] * (h[i] * theta[i]) ^ 2, trace + h[i] * c[i]
  end
  local model = sw.nqm { h = h, c = c, start = start }
  local lr, gain = model:best_step { batch = 4 }
  close(lr, g2 / ghg / (1 + trace / ghg / 4), 1e-14)
  close(gain, g2 ^ 2 / ghg / 2 / (1 + trace / ghg / 4), 1e-14)
  local run = model:run { steps = 1, lr = lr, batch = 4 }
  close(run.loss[0] - run.loss[1], gain, 1e-12)
end

function TestNQM:test_a_schedule_of_one_step_is_the_best_step()
  local model = sw.nqm { dimensions = 5 }
  local lr = model:best_schedule { steps = 1, batch = 3 }
  close(lr[1], (model:best_step { batch = 3 }), 1e-14)
end

-- All pairs of rates on a grid.
function TestNQM:test_a_schedule_of_two_steps_is_the_best_of_a_grid()
  local model, least = sw.nqm { h = { 1, 0.1 }, c = { 0.2, 0.3 } }, math.huge
  for i = 0, 300 do
    for j = 0, 300 do
      local a, b = i / 30, j / 30
      local m1 = (1 - a) ^ 2 * (1 - b) ^ 2 + (1 - b) ^ 2 * a * a * 0.1 + b * b * 0.1
      local m2 = (1 - 0.1 * a) ^ 2 * (1 - 0.1 * b) ^ 2 + (1 - 0.1 * b) ^ 2 * a * a * 0.15
        + b * b * 0.15
      least = math.min(least, 0.5 * m1 + 0.05 * m2)
    end
  end
  local lr, loss = model:best_schedule { steps = 2, batch = 2 }
  lu.assert_true(loss <= least, ("%g, grid %g"):format(loss, least))
  close(loss, least, 1e-3)
  close(model:run({ steps = 2, lr = lr, batch = 2 }).loss[2], loss, 1e-12)
end

function TestNQM:test_a_schedule_is_a_minimum_in_each_rate_and_decays()
  local model = sw.nqm { dimensions = 20 }
  local lr, loss = model:best_schedule { steps = 40, batch = 2 }
  for _, t in ipairs { 1, 17, 40 } do
    for _, factor in ipairs { 0.9, 1.1 } do
      local other = table.move(lr, 1, 40, 1, {})
      other[t] = factor * lr[t]
      lu.assert_true(model:run({ steps = 40, lr = other, batch = 2 }).loss[40] > loss)
    end
  end
  lu.assert_true(lr[40] < 0.5 * lr[20])
end

-- One coordinate without noise: (1 - lr h)^(2 t) = 1 / 100.
function TestNQM:test_steps_to_a_loss()
  local model = sw.nqm { h = { 0.5 }, c = { 0 }, start = 4 }
  close(model:steps_to(0.01, { lr = 0.1 }), math.log(100) / -math.log(0.95 ^ 2), 1e-12)
  lu.assert_equals(model:steps_to(0.01, { lr = 5 }), math.huge)
  lu.assert_equals(sw.nqm({ h = { 1 } }):steps_to(1e-3, { lr = 0.5 }), math.huge)
end

function TestNQM:test_the_best_rate_beats_others_and_makes_the_hyperbola()
  local model, rows = sw.nqm { dimensions = 10 }, {}
  for _, batch in ipairs { 4, 16, 64, 256 } do
    local lr, steps = model:best_rate(0.02, { batch = batch })
    for _, factor in ipairs { 0.8, 1.2 } do
      lu.assert_true(model:steps_to(0.02, { lr = factor * lr, batch = batch }) > steps)
    end
    for seed = 1, 8 do
      rows[#rows + 1] = { batch = batch, lr = lr, seed = seed, steps = steps, reached = true }
    end
  end
  local fit = sw.fit.critical_batch(rows, { bootstrap = 200 })
  lu.assert_true(fit.r_squared > 0.99, tostring(fit.r_squared))
  lu.assert_equals(fit.warnings, {})
  lu.assert_nil((model:best_rate(1e-9, { batch = 1, most = 500 })))
end

function TestNQM:test_misuse()
  lu.assert_error_msg_contains("needs h = { … }, the eigenvalues", sw.nqm, {})
  lu.assert_error_msg_contains("c needs 2 numbers", sw.nqm, { h = { 1, 2 }, c = { 1 } })
  local model = sw.nqm { h = { 1 } }
  lu.assert_error_msg_contains("lr has 2 values for 3 steps", function()
    return model:run { steps = 3, lr = { 0.1, 0.1 } }
  end)
  lu.assert_error_msg_contains("must be below 1", function()
    return model:run { steps = 3, lr = 0.1, momentum = 1 }
  end)
end

-- ------------------------------------------------------------------ SVAG

function TestNQM:test_svag_of_one_is_sgd()
  local w = sw.tensor { 1, 2 }
  sw.svag({ lr = 0.5, l = 1 }):step(w, sw.tensor { 2, 2 }, sw.tensor { 100, 100 })
  lu.assert_equals(w:table(), { 0, 1 })
end

function TestNQM:test_svag_refuses_gradients_that_are_none()
  local svag = sw.svag { lr = 0.1, l = 2 }
  lu.assert_error_msg_contains("svag:advance: a gradient must be a tensor", svag.advance, svag,
    sw.zeros { 3 }, function() return 1 end)
end

function TestNQM:test_svag_steps_are_the_papers()
  local w = sw.tensor { 1 }
  sw.svag({ lr = 0.4, l = 5 }):step(w, sw.tensor { 1 }, sw.tensor { 3 }) -- sqrt(2 l - 1) = 3
  lu.assert_almost_equals(w:item(), 1 - 0.08 * (2 * 1 - 1 * 3), 1e-7)
end

-- n coordinates of one quadratic are n runs. The variance after the step of l parts is, exactly,
-- sum over the parts of (lr / l)^2 l sigma^2 (1 - lr h / l)^(2 k); that of n runs is off by
-- sqrt(2 / n) of it.
function TestNQM:test_svag_has_the_noise_of_sgd()
  local n, h, lr, sigma, l = 40000, 0.5, 0.3, 2, 8
  local random = sw.random(1, "svag")
  local w = sw.full({ n }, 1.5, "float64")
  sw.svag({ lr = lr, l = l }):advance(w, function(at)
    return at * h + sw.randn({ n }, "float64", random) * sigma
  end)
  local variance = 0
  for k = 0, l - 1 do variance = variance + lr ^ 2 / l * sigma ^ 2 * (1 - lr * h / l) ^ (2 * k) end
  close(w:var():item(), variance, 5 * math.sqrt(2 / n))
  lu.assert_almost_equals(w:mean():item(), 1.5 * (1 - lr * h / l) ^ l, 5 * math.sqrt(variance / n))
end

-- ------------------------------------------------------------------ merging

-- A frozen sequence of gradients: the merged checkpoints are the weights of the decayed rate.
function TestNQM:test_merging_is_decay_on_frozen_gradients()
  local random, n = sw.random(1, "merging"), 6
  local points, moves = { sw.randn({ 50 }, "float64", random) }, {}
  for j = 1, n do
    moves[j] = sw.randn({ 50 }, "float64", random)
    points[j + 1] = points[j] - moves[j]
  end
  for _, decay in ipairs { { 1, 1, 0.8, 0.5, 0.2, 0 }, { 1, 0.9, 1.1, 0.3, 0.4, 0.1 } } do
    local decayed = points[1]:clone()
    for j = 1, n do decayed:add(-decay[j], moves[j]) end
    local weights = sw.average.merging_weights(decay)
    local merged = sw.average.merge(points, weights)
    lu.assert_true(merged:distance(decayed) < 1e-13 * decayed:norm())
    lu.assert_almost_equals(sw.average.equivalent_decay(weights), decay, 1e-15)
  end
end

function TestNQM:test_uniform_merging_is_linear_decay()
  local decay = sw.average.equivalent_decay { 0.2, 0.2, 0.2, 0.2, 0.2 }
  lu.assert_almost_equals(decay, { 0.8, 0.6, 0.4, 0.2 }, 1e-15)
end

-- float32 points are added in float64: 1e8 and 1 do not lose each other.
function TestNQM:test_points_are_added_in_float64()
  local points = { sw.tensor { 1e8 }, sw.tensor { 1 }, sw.tensor { 1e8 } }
  local asked = {}
  local merged = sw.average.merge(function(i)
    asked[#asked + 1] = i
    return points[i]
  end, { 1, 1, -1 })
  lu.assert_equals(merged:item(), 1)
  lu.assert_equals(merged:dtype(), "float32")
  lu.assert_equals(asked, { 1, 2, 3 })
  lu.assert_error_msg_contains("3 points and 2 weights", sw.average.merge, points, { 1, 1 })
  lu.assert_error_msg_contains("points[2] has 2 weights, points[1] 1", sw.average.merge,
    { sw.tensor { 1 }, sw.tensor { 1, 2 } }, { 1, 1 })
end
