-- Every quantity that Swale measures, beside its exact value: a network of 1,210 weights on the
-- digits, small enough for whole Hessians and the gradient of each example.
--
--   swale run experiments/measure_demo.lua [epochs=8] [examples=1000] [--seed 3]
--
-- It takes about 30 s on two cores. Table and pictures are in the run's directory. The exact values
-- are those of measure_demo/exact.lua.
local estimates = require "swale.estimates"
local hand = require "measure_demo.exact"
local sw = require "swale"

-- ------------------------------------------------------------------ the table

local list = estimates.new()

local function section(title) list:section(title) end

--- One more quantity of what was measured just now; exact: nil where it is not known.
local function also(name, unit, exact, e, seconds)
  list:add { name = name, unit = unit, exact = exact, estimate = e, seconds = seconds }
end

--- Measures one, and returns what was measured; of a table the field `pick` is shown.
local function row(name, unit, exact, measure, pick)
  local begun = os.clock()
  local e = measure()
  also(name, unit, exact, pick and e[pick] or e, os.clock() - begun)
  return e
end

--- Where a picture of the run goes.
local function picture(run, name) return ("%s/plots/%s.svg"):format(run.dir, name) end

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
      distance = { every = { steps = 1, factor = 1.3 }, at = "end" },
      angle = { at = "end" },
      weight_norm = { every = { epochs = 1 }, at = "end" },
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

-- ------------------------------------------------------------------ gradient noise

local function noise_rows(run, model, data, known, p)
  section "gradient noise at the last weights (McCandlish et al. 2018)"
  local n = row("B_simple", "examples", known.b_simple, function()
    return sw.measure.noise(model, data.train:sample(p.examples), { hessian = true, layers = true })
  end, "b_simple")
  n:plot(picture(run, "noise"))
  also("|G|^2", "loss^2 / weight^2", known.signal, n.signal)
  also("tr(Sigma)", "loss^2 / weight^2", known.noise, n.noise)
  local size = model:weights():numel()
  local last = data.classes * (16 + 1) -- weights
  also("B_simple, first layer", "examples", hand.noise_of_range(known, 1, size - last),
    n.layers["0"].b_simple)
  also("B_simple, last layer", "examples", hand.noise_of_range(known, size - last + 1, size),
    n.layers["2"].b_simple)
  row("B_simple, micro-batches of 8", "examples", known.b_simple, function()
    return sw.measure.noise(model, data.train, { by = "micro", batch_size = 8 })
  end, "b_simple")
  also("B_noise", "examples", known.b_noise, n.b_noise)
  also("eps_max", "learning rate", known.eps_max, n.eps_max)
  local eps = known.eps_max / (1 + known.b_noise / 32)
  also("eps_opt(32)", "learning rate", eps, n:eps_opt(32))
  row("eps_opt(32) by line search", "learning rate", eps, function()
    return sw.measure.line_search(model, data.train, { batch_size = 32 })
  end)
  also("Delta L_opt(32)", "loss", known.signal * eps / 2, n:progress(32))
  also("temperature, B = 32", "eps / eps_opt", p.lr / eps, n:temperature(p.lr, 32))
end

local function trained(data, norm, activation)
  return sw.Trainer { data = data, lr = 0.1, batch_size = 16, model = sw.nn.Sequential {
    sw.nn.Linear(data.features, 16), norm, activation, sw.nn.Linear(16, data.classes) } }
    :fit({ epochs = 3 }).model
end

--- Of networks with normalisation layers, whose noise scale alone follows the total.
local function normalisation_rows(data)
  section "gradient noise and normalisation layers"
  local model = trained(data, sw.nn.LayerNorm(16), sw.nn.Tanh())
  local total = sw.measure.exact(model, data.train).b_simple
  local alone = sw.measure.exact(model, data.train, { over = "^1%." }).b_simple
  local n = row("B_simple, with a layer norm", "examples", total, function()
    return sw.measure.noise(model, data.train:sample(600), { layers = true })
  end, "b_simple")
  also("B_simple, of the layer norm alone", "examples", alone, n.normalisation.b_simple)
  also("ratio of the two", "", alone / total, n.ratio)
  local coupled = trained(data, sw.nn.GhostBatchNorm(8)(16), sw.nn.Tanh())
  row("B_simple, of ghost batches of 8", "examples", nil, function()
    return sw.measure.noise(coupled, data.train, { by = "ghosts", mode = "train" })
  end, "b_simple")
end

--- What the whole set gives, and a network that was trained on noisy labels.
local function gram_rows(run, model, data, known)
  section "gradients of the examples"
  local gram
  row("tr(Sigma^2), from the Gram matrix", "", known.covariance:norm() ^ 2, function()
    gram = sw.measure.gram(model, data.train)
    return gram.square
  end)
  local spectrum = sw.linalg.eigvalsh(known.covariance)
  also("largest eigenvalue of Sigma", "", spectrum:get(#spectrum), gram:spectrum():get(1))
  gram:plot(picture(run, "gram"))
  row("noise scale of sign descent", "examples", hand.sign_noise(known), function()
    return sw.measure.dual_noise(model, data.train, { norm = "sign" }).value
  end)
  local noisy = data:label_noise { rate = 0.2 }
  local fitted = sw.Trainer { model = model.layer, data = noisy, lr = 0.3, batch_size = 16,
    optimizer = sw.optim.SGD { momentum = 0.9 } }:fit { epochs = 30 }.model
  local sample, changed, hits = noisy.train:sample(600), 0, 0
  local _, guess = fitted:predict(sample)
  for i = 1, #sample do
    if sample.y:get(i) ~= sample.clean_y:get(i) then
      changed, hits = changed + 1, hits + (guess:get(i) == sample.y:get(i) and 1 or 0)
    end
  end
  row("memorised noisy labels", "fraction", hits / changed, function()
    return sw.measure.gram(fitted, sample):memorised().noisy.fitted
  end)
end

-- ------------------------------------------------------------------ curvature

local function curvature_rows(run, model, data, known)
  section "curvature on the training set"
  local spectrum, trace = sw.linalg.eigvalsh(known.hessian), hand.trace_of(known.hessian)
  local n = #spectrum
  row("largest eigenvalue", "loss / weight^2", spectrum:get(n), function()
    return sw.measure.eigenvalues(model, data.train)[1]
  end)
  row("smallest eigenvalue", "loss / weight^2", spectrum:get(1), function()
    return sw.measure.eigenvalues(model, data.train, { which = "smallest" })[1]
  end)
  row("trace", "loss / weight^2", trace, function() return sw.measure.trace(model, data.train) end)
  row("diagonal, last bias", "loss / weight^2", known.hessian:get(n, n), function()
    return sw.measure.diagonal(model, data.train):estimate(n)
  end)
  local density = row("mean of the density", "loss / weight^2", trace / n, function()
    return sw.measure.density(model, data.train)
  end, "mean")
  density:plot(picture(run, "density"))
  local newton = { kind = "gauss_newton" }
  local w = model:weights():to "float64"
  local form = hand.dense(model:loss_on(data.train):linearize(w, newton), n)
  row("largest, Gauss-Newton", "loss / weight^2", sw.linalg.eigvalsh(form):get(n), function()
    return sw.measure.eigenvalues(model, data.train, newton)[1]
  end)
  row("trace, Gauss-Newton", "loss / weight^2", hand.trace_of(form), function()
    return sw.measure.trace(model, data.train, newton)
  end)
end

local function edge_rows(run, model, data, known, p)
  section "edge of stability"
  local momentum, velocity = 0.5, known.gradient
  local sharpness, pushed, ratio = hand.edge_of_examples(model, data, velocity, momentum)
  local edge = row("batch sharpness, B = 1", "loss / weight^2", sharpness, function()
    return sw.measure.edge(model, data.train, { batch_size = 1, lr = p.lr, momentum = momentum,
      velocity = velocity })
  end, "batch_sharpness")
  also("ratio of means, B = 1", "loss / weight^2", ratio, edge.ratio_of_means)
  also("with momentum, B = 1", "loss / weight^2", pushed, edge.with_momentum)
  also("threshold 2 / lr", "loss / weight^2", 2 / p.lr, edge.thresholds.plain)
  local share = 1 / 32 - 1 / #data.train
  edge = row("noise interaction, B = 32", "loss / weight^2",
    (known.curvature + known.noise_curvature * share) / known.signal, function()
      return sw.measure.edge(model, data.train, { batch_size = 32, lr = p.lr, interaction = true })
    end, "interaction")
  edge:plot(picture(run, "edge"))
end

-- ------------------------------------------------------------------ sharpness

local function sharpness_rows(run, model, data)
  section "sharpness (Keskar et al. 2017): the largest value found, which bounds the maximum below"
  row("last biases, epsilon 0.05", "% of 1 + loss", hand.sharpness_of_corners(model, data, 0.05),
    function()
      return sw.measure.sharpness(model, data.train, { over = "2.bias", epsilon = 0.05,
        dtype = "float64", companions = false })
    end)
  local sample = data.train:sample(300)
  row("2 random columns, epsilon 0.02", "% of 1 + loss",
    hand.sharpness_of_grid(model, sample, 0.02, 41), function()
      return sw.measure.sharpness(model, sample, { subspace = 2, epsilon = 0.02, starts = 10,
        dtype = "float64", companions = false })
    end)
  local whole = row("full space, epsilon 0.005", "% of 1 + loss", nil, function()
    return sw.measure.sharpness(model, data.train, { epsilon = 5e-3 })
  end)
  whole:plot(picture(run, "sharpness"))
  local companions = whole.companions
  also("SAM's step of 0.05", "loss", hand.rise_of_sam(model, data, 0.05), companions.sam)
  also("SAM's adaptive step of 0.5", "loss", hand.rise_of_sam(model, data, 0.5, true),
    companions.adaptive_sam)
  for _, name in ipairs { "l2", "linf", "adaptive_l2", "adaptive_linf" } do
    also("ball, " .. name:gsub("_", " "), "loss", nil, companions[name])
  end
end

--- What a rescaled ReLU layer changes, which changes no output: the adaptive companions stay.
local function rescaling_rows(data)
  local net = sw.nn.Sequential { sw.nn.Linear(data.features, 16), sw.nn.ReLU(),
    sw.nn.Linear(16, data.classes) }
  local model = sw.Trainer { model = net, data = data, lr = 0.1, batch_size = 16 }
    :fit({ epochs = 3 }).model
  local ratios = row("sharpness, layer rescaled by 4", "ratio", nil, function()
    return sw.measure.rescaling(model, data.train:sample(300), { starts = 1 }).ratios
  end, "sharpness")
  also("SAM's adaptive step, rescaled", "ratio", 1, ratios.adaptive_sam)
end

-- ------------------------------------------------------------------ evidence

--- Of logistic regression, whose minimum is the only one.
local function evidence_rows(data)
  section "evidence of logistic regression, lambda = 1 (Smith & Le 2018)"
  local model = sw.nn.Linear(data.features, data.classes):build { seed = 1 }
  local sample = data.train:sample(300)
  local exact, occam = hand.evidence_by_hand(model, sample, 1)
  local null = -#sample * math.log(data.classes)
  local e = row("log evidence", "nats", exact, function()
    return sw.measure.evidence(model, sample, { lambda = 1 })
  end, "log_evidence")
  also("Occam factor", "nats", occam, e.occam)
  also("log ratio to the null model", "nats", exact - null, e.log_ratio)
  row("log evidence, Lanczos", "nats", exact, function()
    return sw.measure.evidence(model, sample, { lambda = 1, method = "lanczos" })
  end, "log_evidence")
end

-- ------------------------------------------------------------------ batch sizes, models of SGD

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
  section "critical batch size: simulated runs of the noisy quadratic model"
  local model, target, runs, exact = sw.nqm { dimensions = 12 }, 0.06, {}, {}
  for _, batch in ipairs { 4, 16, 64, 256 } do
    local lr, steps = model:best_rate(target, { batch = batch })
    for seed = 1, 8 do
      exact[#exact + 1] = { batch = batch, lr = lr, seed = seed, steps = steps, reached = true }
      for _, factor in ipairs { 0.8, 1, 1.25 } do
        runs[#runs + 1] = simulated(model, target, { steps = math.ceil(1.5 * steps), runs = 100,
          lr = factor * lr, batch = batch, seed = seed })
      end
    end
  end
  local known = sw.fit.critical_batch(exact, { target = target })
  local fit = row("B_crit", "examples", known.b_crit.value, function()
    return sw.fit.critical_batch(runs, { target = target })
  end, "b_crit")
  also("S_min", "steps", known.s_min.value, fit.s_min)
  also("E_min", "examples", known.e_min.value, fit.e_min)
  fit:plot(picture(run, "critical_batch"))
end

--- Weights after steps of rate r_i along given gradients, and checkpoints at rate 1 merged to them.
local function distance_of_merged(n)
  local rates, at = { 0.8, 0.6, 0.4, 0.2 }, sw.randn { n }
  local decayed, checkpoints = at:clone(), { at }
  for i, rate in ipairs(rates) do
    local g = sw.randn { n }
    decayed:add(-rate, g)
    checkpoints[i + 1] = checkpoints[i]:clone():add(-1, g)
  end
  return sw.average.merge(checkpoints, sw.average.merging_weights(rates)):distance(decayed)
end

local function model_rows(trainer, data, p)
  section "models of SGD"
  local batch, n = trainer:state().batch_size, #data.train
  also("SGD noise scale g", "learning rate", p.lr * (n / batch - 1),
    sw.scaling.sgd_noise { lr = p.lr, batch_size = batch, examples = n })
  also("updates, B = 128, 200 epochs", "steps", 200 * 50000 // 128,
    sw.schedule.updates(128, { epochs = 200, epoch_examples = 50000 }).updates)
  local settings = { steps = 30, lr = 0.5, batch = 4, runs = 400 }
  local model = sw.nqm { dimensions = 12 }
  row("quadratic model, loss at step 30", "loss",
    model:run({ steps = 30, lr = 0.5, batch = 4 }).loss[30],
    function() return model:simulate(settings)[30] end)
  row("merged checkpoints to decayed run", "weight", 0,
    function() return distance_of_merged(100) end)
  row("B_crit of branches from epoch 1", "examples", nil, function()
    local start = sw.Trainer { model = trainer.model.layer, data = data, lr = 0.1, batch_size = 16 }
    return sw.fit.branched_batch(start:fit { epochs = 1 }, { epochs = 2, repeats = 3,
      tolerance = 0.05 })
  end, "b_crit")
end

-- ------------------------------------------------------------------ landscapes

local function distance_rows(trainer, start)
  section "landscapes"
  local w, moved, dot, squares, start_squares = trainer:weights(), 0, 0, 0, 0
  for i = 1, #w do
    moved, dot = moved + (w:get(i) - start:get(i)) ^ 2, dot + w:get(i) * start:get(i)
    squares, start_squares = squares + w:get(i) ^ 2, start_squares + start:get(i) ^ 2
  end
  local s = trainer:state()
  also("distance from the start", "weight", math.sqrt(moved), s.distance)
  also("angle to the start", "radians", math.acos(dot / math.sqrt(squares * start_squares)),
    s.angle)
  also("norm of the weights", "weight", math.sqrt(squares), s.weight_norm)
end

local function landscape_rows(run, trainer, data)
  local average, layer = trainer.average, trainer.model.layer
  local w = average.captured
  row("width along rays, rise 0.1", "weight", nil, function()
    return sw.landscape.rays(average, { on = trainer, rise = 0.1 })
  end, "mean")
  local other = sw.Trainer { model = layer, data = data, lr = 0.3, batch_size = 16, seed = 2 }
    :fit { epochs = 8 }
  local a, b = trainer:weights(), other:weights()
  row("barrier to another seed", "loss", hand.barrier_of_grid(trainer.model, a, b, data.train),
    function()
      return (sw.landscape.barrier(a, b, { on = trainer, points = 101 }):barrier "train_loss")
    end)
  local on = { on = data, examples = 300, model = trainer.model }
  sw.landscape.line(trainer, other, on):plot(picture(run, "line"))
  if #w < 3 then return end -- of few epochs
  on.a, on[1], on[2], on[3], on.grid = nil, w[1], w[(#w + 1) // 2], w[#w], 15
  sw.landscape.plane(on):mark("SWA", average):plot(picture(run, "plane"))
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
    section "during the training"
    also("noise scale, window", "examples", hand.window_noise(window, path, model, data), window)
    local known = sw.measure.exact(model, data.train)
    noise_rows(run, model, data, known, p)
    normalisation_rows(data)
    gram_rows(run, model, data, known)
    curvature_rows(run, model, data, known)
    edge_rows(run, model, data, known, p)
    sharpness_rows(run, model, data)
    rescaling_rows(data)
    evidence_rows(data)
    critical_rows(run)
    model_rows(trainer, data, p)
    distance_rows(trainer, path[1].weights)
    landscape_rows(run, trainer, data)
    for _, line in ipairs(list:lines()) do run:print("%s", line) end
  end,
}
