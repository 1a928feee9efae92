--- The noise scale of a training for the regularised objective: |G + decay w|^2, the noise being
--- that of the loss. Each number is computed here from the network's own gradients.
local core = require "swale.core"
local lu = require "luaunit"
local sw = require "swale"

local data = sw.data.load("digits"):subset { n = 120 }
local GROUPS <const> = { { match = "^0%.bias", weight_decay = 0 }, { match = "^2%.weight",
  weight_decay = 3 }, { match = "^2%.bias", frozen = true } }
local FACTORS <const> = { ["0.bias"] = 0, ["2.weight"] = 3 }
local DECAY <const> = 0.7

local function network(norm)
  return sw.nn.Sequential { sw.nn.Linear(64, 6), norm or sw.nn.Tanh(), sw.nn.Linear(6, 10) }
    :build { seed = 3 }
end

--- An optimizer in Lua.
local function own(w, g, _, hyper) w:add(-hyper.lr, g) end

--- Weights hardly move; the whole training set is a batch unless it is given.
local function trained(o, steps)
  local measured = { every = { steps = 1 }, objective = o.objective or "regularised",
    target = o.target, by = o.by, batch_size = o.size, units = o.units,
    window = { examples = 1e6 } }
  local trainer = sw.Trainer { model = o.model or network(), data = data, lr = 1e-12,
    batch_size = o.batch or #data.train, groups = o.optimizer ~= own and GROUPS or nil,
    micro_batch = o.micro_batch,
    optimizer = o.optimizer or sw.optim.SGD { weight_decay = DECAY, clip_norm = o.clip_norm },
    measure = { noise_scale = measured } }
  trainer:fit { steps = steps or 34 }
  return trainer:state().noise_scale
end

--- Per element of the weights: the factor of the decay, and whether it is trained.
local function factors(model)
  local decay, trained_ones = {}, {}
  for _, s in ipairs(model.segments) do
    local frozen, factor = s.path == "2.bias", FACTORS[s.path] or 1
    for i = s.offset, s.offset + s.size - 1 do
      decay[i], trained_ones[i] = frozen and 0 or factor, frozen and 0 or 1
    end
  end
  return decay, trained_ones
end

--- tr(Sigma) of the trained weights, and |G + decay w|^2, by the gradient of each example.
local function truth(model)
  local f, w = sw.compile(sw.loss.cross_entropy, model), model:weights()
  local decay, is_trained = factors(model)
  local sums, squares, n = {}, 0, #data.train
  for j = 1, #is_trained do sums[j] = 0 end
  for i = 1, n do
    local x, y = data.train:gather(core.tensor({ i - 1 }, "int32"))
    local _, gradient = f:value_and_gradient(w, { x = x, y = y })
    for j, g in ipairs(gradient:table()) do
      sums[j] = sums[j] + is_trained[j] * g
      squares = squares + is_trained[j] * g * g
    end
  end
  local plain, regularised = 0, 0
  for j, value in ipairs(w:table()) do
    plain = plain + (sums[j] / n) ^ 2
    regularised = regularised + (sums[j] / n + DECAY * decay[j] * value) ^ 2
  end
  return (squares - n * plain) / (n - 1), regularised, plain
end

TestNoiseRegularised = {}

function TestNoiseRegularised:test_the_whole_set_is_exact()
  local noise, signal, plain = truth(network())
  lu.assert_true(signal > 2 * plain)
  for name, o in pairs {
    sgd = {}, clipped = { clip_norm = 0.01 }, in_parts = { micro_batch = 50 },
    adam = { optimizer = sw.optim.Adam { weight_decay = DECAY } },
    momentum = { optimizer = sw.optim.SGD { momentum = 0.9, weight_decay = DECAY } },
  } do
    local e = trained(o, (name == "adam" or name == "momentum") and 340 or 34)
    lu.assert_almost_equals(e.signal, signal, 1e-5 * signal, name)
    lu.assert_almost_equals(e.noise, noise, 1e-4 * noise, name)
    lu.assert_almost_equals(e.low, noise / signal, 1e-4 * noise / signal, name)
    lu.assert_equals(e.objective, "regularised")
    lu.assert_str_contains(e.target, "of the training set, regularised objective")
  end
  local of_data = trained { objective = "data" }
  lu.assert_almost_equals(of_data.signal, plain, 1e-5 * plain)
  lu.assert_almost_equals(of_data.noise, noise, 1e-4 * noise) -- without that of frozen weights
end

--- Of small batches it is unbiased, for both targets.
function TestNoiseRegularised:test_small_batches_are_unbiased()
  local noise, signal = truth(network())
  for target, expected in pairs { train = signal, population = signal - noise / #data.train } do
    local e = trained({ batch = 4, target = target }, 3000)
    lu.assert_almost_equals(e.signal, expected, 0.03 * expected)
    lu.assert_almost_equals(e.noise, noise, 0.03 * noise)
  end
end

--- By micro-batches, two halves of the set at each mark: with decay |G|^2 is larger by what follows
--- from the mean gradient, which both halves together give exactly.
function TestNoiseRegularised:test_batches_as_units()
  local function measured(objective, norm, by)
    return trained { objective = objective, by = by, size = by == "micro" and 60 or nil, units = 2,
      model = network(norm), target = "population", batch = 24 }
  end
  local _, signal, plain = truth(network())
  local rise = measured("regularised", nil, "micro").signal - measured("data", nil, "micro").signal
  lu.assert_true(rise > plain)
  lu.assert_str_contains(measured("regularised", nil, "micro").target, "regularised objective")
  local mine = network()
  local w = mine:weights()
  local _, gradient = mine:loss_on(data.train):value_and_gradient(w)
  local decay, expected = factors(mine), 0
  for j, value in ipairs(w:table()) do
    local more = DECAY * decay[j] * value
    expected = expected + 2 * gradient:get(j) * more + more * more
  end
  lu.assert_almost_equals(rise, expected, 1e-4 * signal)
  local ghosts = measured("regularised", sw.nn.GhostBatchNorm(6)(6), "ghosts")
  lu.assert_true(ghosts.signal > measured("data", sw.nn.GhostBatchNorm(6)(6), "ghosts").signal)
end

--- Norms do not change the run, and need no memory after the first step.
function TestNoiseRegularised:test_the_run_is_the_same()
  local function weights(measure)
    local trainer = sw.Trainer { model = network(), data = data, lr = 0.1, batch_size = 16,
      groups = GROUPS, optimizer = sw.optim.SGD { weight_decay = 0.01, momentum = 0.9 },
      measure = measure }
    return trainer:fit({ steps = 20 }):weights():table()
  end
  local plain = weights {}
  lu.assert_equals(weights { noise_scale = { every = { steps = 3 },
    objective = "regularised" } }, plain)
end

function TestNoiseRegularised:test_a_decay_apart_is_refused()
  for name, optimizer in pairs { adamw = sw.optim.AdamW {}, custom = own } do
    for _, by in ipairs { "examples", "micro" } do
      lu.assert_error_msg_contains('objective = "regularised" is of optimizers that add weight'
        .. " decay to the gradient, SGD and Adam", trained, { optimizer = optimizer, by = by,
        size = by == "micro" and 60 or nil, target = "population" }, name)
    end
  end
end
