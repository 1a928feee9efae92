--- Valid calls of what measures and decides: sw.measure, sw.stats, sw.fit, sw.rules, sw.scaling and
--- the tools beside them. call_recipes.lua takes them in; see there.
local sw = require "swale"

local M = {}

-- ------------------------------------------------------------------ sw.measure

--- A network for the samples of 4 features and 3 classes.
local function model(p)
  return p:any_of {
    sw.nn.Linear(4, 3),
    sw.nn.Sequential { sw.nn.Linear(4, 3), sw.nn.ReLU(), sw.nn.Linear(3, 3) },
    sw.nn.Sequential { sw.nn.Linear(4, 3), sw.nn.BatchNorm(3), sw.nn.Linear(3, 3) },
    sw.nn.Sequential { sw.nn.LayerNorm(4), sw.nn.Dropout(0.2), sw.nn.Linear(4, 3) },
  }:build { seed = p:whole(9) }
end

local function sample(p)
  local n = p:any_of { 1, 2, 8, 12 }
  return { x = p:tensor({ n, 4 }, "float32"), y = p:labels(n, 3) }
end

local function measures(p, own)
  local o = { seed = p:whole(9), mode = p:any_of { "eval", "eval", "train" },
    over = p:one_in(3) and "weight" or nil, weight_decay = p:any_of { 0, 0.1 } }
  for name, value in pairs(own) do o[name] = value or nil end
  return model(p), sample(p), o
end

local OPTIONS = {
  ball = function(p) return { rho = 0.1, steps = 2, norm = p:any_of { "l2", "linf" } } end,
  density = function() return { probes = 2, steps = 4 } end,
  diagonal = function() return { probes = 4 } end,
  dual_noise = function() return {} end,
  edge = function(p)
    return { batch_size = 2, lr = 0.1, draws = 4, interaction = p:one_in(2), top = p:one_in(2) }
  end,
  eigenvalues = function(p)
    return { k = 1, which = p:any_of { "largest", "both" }, restarts = 3 }
  end,
  evidence = function(p)
    return { lambda = 1, method = p:any_of { "exact", "lanczos" }, iterations = 3, steps = 5,
      mode = "eval", weight_decay = false, over = false }
  end,
  exact = function() return {} end,
  gram = function() return { mode = "eval", weight_decay = false } end,
  line_search = function() return { batch_size = 2, draws = 3 } end,
  noise = function(p)
    local by = p:any_of { "examples", "two_batches", "micro" }
    return { by = by, batch_size = by ~= "examples" and 4, hessian = p:one_in(3),
      layers = p:one_in(2) }
  end,
  rescaling = function() return { factor = 2, iterations = 2, starts = 1 } end,
  sam = function() return { rho = 0.1 } end,
  sharpness = function(p)
    return { starts = 1, iterations = 2, subspace = p:any_of { 2, nil } }
  end,
  tangent_kernel = function(p)
    return { mode = "eval", weight_decay = false, output = p:any_of { 1, 3, nil } }
  end,
  trace = function(p) return { method = p:any_of { "hutchinson", "hutch++" }, probes = 6 } end,
}
for name, own in pairs(OPTIONS) do
  M["sw.measure." .. name] = function(p) return measures(p, own(p)) end
end
M["sw.measure.step_cost_ratio"] = function(p)
  return p:object "swale.Trainer", { batch_sizes = { 2, 4 }, rounds = 2 }
end
M["sw.measurement"] = function()
  return { every = sw.every { steps = 2 }, function(m) return m.weights:norm() end }
end
M["sw.estimate"] = function() return { value = 1, low = 0.5, high = 2, target = "a" } end

-- ------------------------------------------------------------------ decisions

local function list(p, n)
  local values = {}
  for i = 1, n do values[i] = p:any_of { 0.1, 0.9, 1, 1.1, 2 } + i / 8 end
  return values
end

local function rows(p, n, columns)
  local t = {}
  for i = 1, n do t[i] = list(p, columns) end
  return t
end

M["sw.stats.mean"] = function(p)
  return list(p, 5), { level = 0.9, by = p:any_of { "t", "signs" } }
end
M["sw.stats.means"] = function(p) return rows(p, 3, 4), { log = false, level = 0.9 } end
M["sw.stats.paired"] = function(p) return list(p, 5), list(p, 5), { level = 0.9 } end
M["sw.stats.seeds"] = function() return { deviation = 1, effect = 0.5, alpha = 0.05 } end
M["sw.stats.greater"] = function(p) return list(p, 5), list(p, 5), { margin = 0.1 } end
M["sw.stats.equivalent"] = function(p) return list(p, 5), list(p, 5), { margin = 0.1 } end
M["sw.stats.slope"] = function(p)
  return { 1, 2, 3, 4 }, p:any_of { list(p, 4), rows(p, 3, 4) }, { above = 0.1, log = p:one_in(2) }
end
M["sw.stats.monotone"] = function(p) return rows(p, 5, 4), { direction = "increasing" } end
M["sw.stats.interior_peak"] = function(p) return { 1, 2, 3, 4 }, rows(p, 6, 4), {} end
M["sw.stats.holm"] = function() return { 0.01, 0.04, 0.03 }, { alpha = 0.1 } end
M["sw.stats.bootstrap"] = function(p)
  return list(p, 6), function(drawn) return drawn[1] end, { draws = 40, log = p:one_in(2) }
end

local function runs(p)
  local t = {}
  for _, batch in ipairs { 8, 32, 128 } do
    for seed = 1, 8 do
      local steps = 100 + 5000 // batch + p:whole(20)
      t[#t + 1] = { batch = batch, lr = 0.1, seed = seed, steps = steps, reached = not p:one_in(9),
        examples = batch * steps }
    end
  end
  return t
end
M["sw.fit.critical_batch"] = function(p) return runs(p), { bootstrap = 200 } end
M["sw.fit.branched_batch"] = function(p)
  return p:object "swale.Trainer", { factors = { 1, 2, 4 }, steps = 2, repeats = 2 }
end

-- ------------------------------------------------------------------ rules and scaling

for _, name in ipairs { "noise_scale", "mccandlish", "norm_test", "cabs", "constant_noise" } do
  M["sw.rules." .. name] = function()
    return { start = 4, most = 64, r = name == "mccandlish" and 10 or nil }
  end
end
M["sw.rules.adascale"] = function() return { reference = 4, lr = 0.1 } end
M["sw.schedule.rule"] = function() return 0.1, function(s) return s.loss end end
M["sw.schedule.updates"] = function(p)
  return p:any_of { 10, sw.schedule.constant(10) }, { epochs = 3 }, 100
end
M["sw.schedule.seesaw"] = function()
  return { lr = sw.schedule.linear { from = 0.1, to = 0.01, epochs = 4 }, batch = 8, factor = 2,
    after = { epochs = 1 } }
end
M["sw.scaling.sgd_noise"] = function() return { lr = 0.1, batch_size = 10, examples = 100 } end
M["sw.scaling.accumulation"] = function() return { batch_size = 10, examples = 100 } end
M["sw.scaling.adascale_gain"] = function()
  return { noise_scale = 100, batch_size = 20, reference = 10 }
end
M["sw.scaling.equivalent"] = function(p)
  return { optimizer = p:any_of { "sgd", "adam" }, lr = 0.1, batch_size = 8, ema = 0.9,
    examples = 100 }, { batch_size = 16 }
end
M["sw.nqm"] = function(p)
  return p:any_of { { dimensions = 5, power = 1 }, { h = { 1, 0.5 }, c = { 1, 2 } } }
end
M["sw.svag"] = function() return { lr = 0.1, l = 4 } end
M["sw.average.merge"] = function(p)
  return { p:floats { 3 }, p:floats { 3 } }, { 0.5, 0.5 }
end
M["sw.average.merging_weights"] = function() return { 1, 0.5 } end
M["sw.average.equivalent_decay"] = function() return { 0.2, 0.3, 0.5 } end

return M
