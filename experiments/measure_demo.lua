-- Every quantity that Swale measures, beside its exact value: a network of 1,210 weights on the
-- digits, small enough for whole Hessians and the gradient of each example.
--
--   swale run experiments/measure_demo.lua [epochs=8] [examples=1000] [--seed 3]
--
-- It takes about 30 s on two cores. Table and pictures are in the run's directory.
local render = require("swale.table").render
local sw = require "swale"

-- ------------------------------------------------------------------ the table

--- Its rows: quantity, estimate, exact value (nil: none is known), seconds.
local rows = {}

--- Measures one, and returns what was measured.
local function row(name, exact, measure)
  local begun = os.clock()
  local e = measure()
  rows[#rows + 1] = { name = name, estimate = e, exact = exact, seconds = os.clock() - begun }
  return e
end

--- One more quantity of what was measured just now.
local function also(name, exact, e)
  rows[#rows + 1] = { name = name, estimate = e, exact = exact, seconds = 0 }
end

local function cells(r)
  local e, interval = r.estimate, "pending"
  if e.status == "unresolved" then
    interval = e.low > -math.huge and ("above %.4g"):format(e.low) or ("below %.4g"):format(e.high)
  elseif e.status == "resolved" then
    interval = ("%.4g to %.4g"):format(e.low, e.high)
  end
  return { r.name, e.value, interval, e.interval, r.exact, ("%.2f"):format(r.seconds) }
end

local function print_table(run)
  local list = {}
  for i, r in ipairs(rows) do list[i] = cells(r) end
  run:print("%s", render({ "quantity", "value", "interval", "kind", "exact", "CPU s" }, list))
  for _, r in ipairs(rows) do
    if r.estimate.status ~= "resolved" then
      run:print("%s: %s: %s", r.name, r.estimate.status, r.estimate.reason or "")
    end
  end
end

-- ------------------------------------------------------------------ the training

local function trainer_for(p, data)
  return sw.Trainer {
    model = sw.nn.Sequential {
      sw.nn.Linear(data.features, 16), sw.nn.Tanh(), sw.nn.Linear(16, data.classes),
    },
    data = data, lr = p.lr,
    batch_size = sw.rules.noise_scale { start = 16, ratio = 4, most = 128 },
    average = sw.average.SWA { keep = true, start = { epochs = p.epochs // 2 },
      every = { epochs = 0.5 } },
    measure = {
      noise_scale = sw.every { steps = 1 },
      distance = sw.every { steps = 1, factor = 1.3 },
      weight_norm = sw.every { epochs = 1 },
      largest_eigenvalue = { every = { epochs = 1 }, sample = 300 },
      held_out = sw.measurement { every = { epochs = 1 }, sample = data.valid,
        function(m) return m.model:loss_on(m.sample)(m.weights) end },
    },
  }
end

--- Keeps the weights before each step, and its batch size: what the window's mean is made of.
local function keep_path(trainer)
  local path = { [1] = { weights = trainer:weights():clone() } }
  trainer:on("step", function(s)
    path[s.step].batch = s.batch_size
    path[s.step + 1] = { weights = trainer:weights():clone() }
  end)
  return path
end

--- The window's noise scale, from whole passes at each of its steps.
local function exact_of_window(e, path, model, data)
  local noise, signal = 0, 0
  for step = e.first, e.last do
    local at, pairs_of = path[step], path[step].batch * (path[step].batch - 1)
    local known = sw.measure.noise(model, data.train, { weights = at.weights })
    noise = noise + pairs_of * known.noise.value
    signal = signal + pairs_of * known.signal.value
  end
  return noise / signal
end

-- ------------------------------------------------------------------ at the end of it

local function noise_rows(model, data, known, p)
  local n
  row("B_simple", known.b_simple, function()
    n = sw.measure.noise(model, data.train:sample(p.examples), { hessian = true })
    return n.b_simple
  end)
  also("|G|^2", known.signal, n.signal)
  also("tr(Sigma)", known.noise, n.noise)
  also("B_noise", known.b_noise, n.b_noise)
  also("eps_max", known.eps_max, n.eps_max)
  local at_32 = 1 + known.b_noise / 32
  also("eps_opt(32)", known.eps_max / at_32, n:eps_opt(32))
  also("Delta L_opt(32)", known.signal * known.eps_max / 2 / at_32, n:progress(32))
end

local function curvature_rows(run, model, data, known)
  local spectrum = sw.linalg.eigvalsh(known.hessian)
  local weights, trace = #spectrum, 0
  for i = 1, weights do trace = trace + spectrum:get(i) end
  row("largest eigenvalue", spectrum:get(weights), function()
    return sw.measure.eigenvalues(model, data.train)[1]
  end)
  row("smallest eigenvalue", spectrum:get(1), function()
    return sw.measure.eigenvalues(model, data.train, { which = "smallest" })[1]
  end)
  row("trace", trace, function() return sw.measure.trace(model, data.train) end)
  row("mean of the density", trace / weights, function()
    local density = sw.measure.density(model, data.train)
    density:plot(run.dir .. "/plots/density.svg")
    return density.mean
  end)
end

--- E[g'H_B g / |g|^2] of batches of one example, by all of them.
local function exact_batch_sharpness(model, data)
  local sum, w = 0, model:weights():to "float64"
  for i = 1, #data.train do
    local x, y = data.train:gather { i }
    local loss = model:loss_on({ x = x, y = y })
    local g = loss:gradient(w)
    sum = sum + loss:hvp(w, g):dot(g) / g:dot(g)
  end
  return sum / #data.train
end

local function edge_rows(run, model, data, known, p)
  row("batch sharpness, B = 1", exact_batch_sharpness(model, data), function()
    return sw.measure.edge(model, data.train, { batch = 1, top = false }).batch_sharpness
  end)
  local share = 1 / 32 - 1 / #data.train
  row("noise interaction, B = 32", (known.curvature + known.noise_curvature * share) / known.signal,
    function()
      local edge = sw.measure.edge(model, data.train, { batch = 32, lr = p.lr, interaction = true })
      edge:plot(run.dir .. "/plots/edge.svg")
      return edge.interaction
    end)
end

--- The loss is convex in the last biases, so that its maximum over a box of them is at a corner.
local function sharpness_of_corners(model, data, epsilon)
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

local function sharpness_rows(run, model, data)
  row("sharpness of the last biases", sharpness_of_corners(model, data, 0.05), function()
    return sw.measure.sharpness(model, data.train, { over = "2.bias", epsilon = 0.05,
      dtype = "float64", companions = false })
  end)
  local whole
  row("sharpness, full space", nil, function()
    whole = sw.measure.sharpness(model, data.train, { epsilon = 5e-3 })
    return whole
  end)
  run:print("full space: %s", whole.reason or whole)
  whole:plot(run.dir .. "/plots/sharpness.svg")
end

--- Laplace's evidence for logistic regression, by all eigenvalues and by Lanczos quadrature.
local function evidence_rows(data)
  local model, sample = sw.nn.Linear(data.features, data.classes):build { seed = 1 },
    data.train:sample(300)
  local function by(method)
    return sw.measure.evidence(model, sample, { lambda = 1, method = method }).log_evidence
  end
  row("log evidence, Lanczos", by("exact").value, function() return by "lanczos" end)
end

--- Steps until the mean loss of some runs crosses the target.
local function crossing(loss, target)
  for t = 1, #loss do
    if loss[t] <= target then
      return t - 1 + math.log(loss[t - 1] / target) / math.log(loss[t - 1] / loss[t])
    end
  end
  return nil
end

local function simulated(model, target, o)
  local loss = { [0] = model:run({ steps = 1, lr = o.lr }).loss[0] }
  for t, e in ipairs(model:simulate(o)) do loss[t] = e.value end
  local steps = crossing(loss, target)
  return { batch = o.batch, lr = o.lr, seed = o.seed, steps = steps or #loss,
    reached = steps ~= nil }
end

--- Steps to a loss of the noisy quadratic model, simulated, and as they are on average.
local function critical_rows(run)
  local model, target, runs, exact = sw.nqm { dimensions = 12 }, 0.06, {}, {}
  for _, batch in ipairs { 4, 16, 64, 256 } do
    local lr, steps = model:best_rate(target, { batch = batch })
    for seed = 1, 8 do
      exact[#exact + 1] = { batch = batch, lr = lr, seed = seed, steps = steps, reached = true }
      for _, factor in ipairs { 0.8, 1, 1.25 } do
        runs[#runs + 1] = simulated(model, target, { steps = math.ceil(1.5 * steps), runs = 10,
          lr = factor * lr, batch = batch, seed = seed })
      end
    end
  end
  row("critical batch size", sw.fit.critical_batch(exact, { target = target }).b_crit.value,
    function()
      local fit = sw.fit.critical_batch(runs, { target = target })
      fit:plot(run.dir .. "/plots/critical_batch.svg")
      return fit.b_crit
    end)
end

local function landscape_rows(run, trainer, data)
  local average = trainer.average
  local w = average.captured
  row("width along rays", nil, function()
    return sw.landscape.rays(average, { on = trainer, rise = 0.1 }).mean
  end)
  local on = { on = data, examples = 300, model = trainer.model }
  sw.landscape.line(w[1], average, on):plot(run.dir .. "/plots/line.svg")
  on.a, on[1], on[2], on[3], on.grid = nil, w[1], w[(#w + 1) // 2], w[#w], 15
  sw.landscape.plane(on):mark("SWA", average):plot(run.dir .. "/plots/plane.svg")
end

return sw.experiment {
  name = "measure_demo",
  params = { lr = 0.3, epochs = 8, examples = 1000 },

  run = function(run, p)
    local data = sw.data.load "digits"
    local trainer = trainer_for(p, data)
    local path = keep_path(trainer)
    trainer:fit { epochs = p.epochs, run = run }
    run:plot()
    local model, window = trainer.model, trainer:state().noise_scale
    row("noise scale, window", exact_of_window(window, path, model, data),
      function() return window end)
    local known = sw.measure.exact(model, data.train)
    noise_rows(model, data, known, p)
    curvature_rows(run, model, data, known)
    edge_rows(run, model, data, known, p)
    sharpness_rows(run, model, data)
    evidence_rows(data)
    critical_rows(run)
    landscape_rows(run, trainer, data)
    print_table(run)
  end,
}
