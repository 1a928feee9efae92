--- Exact values for measure_demo.lua: from enumeration, LAPACK, full passes and grids, not from the
--- code that is measured.
local sw = require "swale"

local M = {}

--- The window's noise scale, from whole passes at each of its steps.
function M.window_noise(e, path, model, data)
  local noise, signal = 0, 0
  for step = e.first, e.last do
    local at, pairs_of = path[step], path[step].batch * (path[step].batch - 1)
    local known = sw.measure.noise(model, data.train, { weights = at.weights })
    noise = noise + pairs_of * known.noise.value
    signal = signal + pairs_of * known.signal.value
  end
  return noise / signal
end

--- The matrix of a linear map, a column at a time.
function M.dense(product, n)
  local matrix, unit = sw.zeros({ n, n }, "float64"), sw.zeros({ n }, "float64")
  for i = 1, n do
    unit:set(i, 1)
    matrix:select(1, i):copy(product(unit))
    unit:set(i, 0)
  end
  return matrix
end

function M.trace_of(matrix)
  local sum = 0
  for i = 1, matrix:shape()[1] do sum = sum + matrix:get(i, i) end
  return sum
end

--- |G|^2 and tr(Sigma) of weights first to last.
function M.noise_of_range(known, first, last)
  local signal, noise = 0, 0
  for i = first, last do
    signal, noise = signal + known.gradient:get(i) ^ 2, noise + known.covariance:get(i, i)
  end
  return noise / signal
end

--- Means over the examples, each a batch of its own: g'Hg / |g|^2, with momentum along
--- s = momentum * velocity + g s'Hs / s'g, and the ratio of the means of g'Hg and |g|^2.
function M.edge_of_examples(model, data, velocity, momentum)
  local sharpness, pushed, curvature, square = 0, 0, 0, 0
  local w, n = model:weights():to "float64", #data.train
  for i = 1, n do
    local x, y = data.train:gather { i }
    local loss = model:loss_on({ x = x, y = y })
    local g = loss:gradient(w)
    local s, along = velocity * momentum + g, loss:hvp(w, g):dot(g)
    sharpness = sharpness + along / g:dot(g) / n
    pushed = pushed + loss:hvp(w, s):dot(s) / s:dot(g) / n
    curvature, square = curvature + along / n, square + g:dot(g) / n
  end
  return sharpness, pushed, curvature / square
end

function M.sign_noise(known)
  local deviation, gradient = 0, 0
  for i = 1, known.gradient:numel() do
    deviation = deviation + math.sqrt(known.covariance:get(i, i))
    gradient = gradient + math.abs(known.gradient:get(i))
  end
  return (deviation / gradient) ^ 2
end

--- The loss is convex in the last biases, so that its maximum over a box of them is at a corner.
function M.sharpness_of_corners(model, data, epsilon)
  local w = model:weights():to "float64"
  local n, loss = #w, model:loss_on(data.train)
  local at, worst = loss(w), -math.huge
  for corner = 0, 2 ^ data.classes - 1 do
    local moved = w:clone()
    for i = 0, data.classes - 1 do
      local b = w:get(n - i)
      moved:set(n - i, b + (corner >> i & 1 == 1 and 1 or -1) * epsilon * (math.abs(b) + 1))
    end
    worst = math.max(worst, loss(moved))
  end
  return 100 * (worst - at) / (1 + at)
end

--- The same in the plane of two normal columns, on a grid of the box.
function M.sharpness_of_grid(model, sample, epsilon, points)
  local w = model:weights():to "float64"
  local random = sw.random(1, "measure/measure.sharpness/columns")
  local columns = sw.zeros({ 2, #w }, "float64")
  for i = 1, 2 do random:fill_normal(columns:select(1, i), 0, 1) end
  local x = sw.linalg.lstsq(columns:t(), w)
  local loss, worst = model:loss_on(sample), -math.huge
  local function coordinate(i, k)
    return epsilon * (math.abs(x:get(i)) + 1) * (2 * k / (points - 1) - 1)
  end
  for i = 0, points - 1 do
    for j = 0, points - 1 do
      worst = math.max(worst, loss(w:clone():add(coordinate(1, i), columns:select(1, 1))
        :add(coordinate(2, j), columns:select(1, 2))))
    end
  end
  return 100 * (worst - loss(w)) / (1 + loss(w))
end

--- The rise of the loss by SAM's step: rho g / |g|, or rho w^2 g / |w g|, elementwise.
function M.rise_of_sam(model, data, rho, adaptive)
  local w, loss = model:weights():to "float64", model:loss_on(data.train)
  local g = loss:gradient(w)
  local scale = adaptive and w:abs() or sw.ones({ #w }, "float64")
  local step = scale * g
  return loss(w + scale * step * (rho / step:norm())) - loss(w)
end

--- The same from a minimum by L-BFGS and LAPACK's determinant: evidence, Occam factor.
function M.evidence_by_hand(model, sample, lambda)
  local n, loss = #sample, model:loss_on(sample)
  local function cost(w)
    local value, g = loss:value_and_gradient(w)
    return n * value + lambda / 2 * w:dot(w), g * n + w * lambda
  end
  local start = model:weights():to "float64"
  local at = sw.optim.lbfgsb(cost, start, { iterations = 2000, tolerance = 1e-9, decrease = 0 })
  local hessian = M.dense(loss:linearize(at.x), #start) * n
  for i = 1, #start do hessian:set(i, i, hessian:get(i, i) + lambda) end
  local _, log_determinant = sw.linalg.slogdet(hessian)
  local occam = (log_determinant - #start * math.log(lambda)) / 2
  return -at.value - occam, occam
end

--- The largest rise above the chord, at 101 points.
function M.barrier_of_grid(model, a, b, sample)
  local loss, worst = model:loss_on(sample), 0
  local at_a, at_b = loss(a), loss(b)
  for i = 0, 100 do
    local alpha = i / 100
    local chord = (1 - alpha) * at_a + alpha * at_b
    worst = math.max(worst, loss(a * (1 - alpha) + b * alpha) - chord)
  end
  return worst
end

return M
