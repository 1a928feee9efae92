-- Do a rate that grows with the root of the batch, ghost batch norm and as many updates close the
-- gap between large and small batches? Does the distance from the start grow like log t?
-- (Hoffer et al. 2017, table 1 and figure 2)
--
--   swale run experiments/beyond/hoffer.lua method=adapted [--seed 3]
--
-- The methods add up, as in table 1: small; large at the same rate and epochs; rate: times the root
-- of the batch's ratio; ghost: also ghost batch norm; adapted: also as many updates as small.
-- It takes 2 s, adapted 20 s.
local setting = require "setting"
local sw = require "swale"

local LEVEL = { small = 0, large = 1, rate = 2, ghost = 3, adapted = 4 }

--- The share of the variance of y that a straight line over x leaves.
local function rest(x, y)
  local n, sx, sy, sxx, sxy, syy = #x, 0, 0, 0, 0, 0
  for i = 1, n do sx, sy = sx + x[i] / n, sy + y[i] / n end
  for i = 1, n do
    local dx, dy = x[i] - sx, y[i] - sy
    sxx, sxy, syy = sxx + dx * dx, sxy + dx * dy, syy + dy * dy
  end
  return 1 - sxy * sxy / (sxx * syy)
end

--- Keeps the weights after 1, 2, 3, 5, … updates of the first phase.
local function follow(trainer, last)
  local path, at, due = {}, {}, 1
  trainer:on("step", function(s)
    if s.step < due or s.step > last then return end
    path[#path + 1], at[#at + 1] = trainer:weights():clone(), s.step
    due = math.max(due + 1, math.floor(1.4 * due))
  end)
  return path, at
end

return sw.experiment {
  name = "hoffer",
  params = { data = "fashion-mnist", examples = 5000, small = 32, large = 512, lr = 0.02,
    weight_decay = 0.0, epochs = 40,
    method = sw.choice { "small", "large", "rate", "ghost", "adapted" } },

  run = function(run, p)
    local level, ratio = LEVEL[p.method], p.large / p.small
    local data = setting.data(p.data, p.examples, run.seed)
    local epochs = level >= 4 and p.epochs * ratio or p.epochs
    local norm = level >= 3 and sw.nn.GhostBatchNorm(p.small) or sw.nn.BatchNorm
    local trainer = sw.Trainer {
      model = setting.network(data, { norm = norm }), data = data,
      optimizer = sw.optim.SGD { momentum = 0.9, weight_decay = p.weight_decay },
      batch_size = level >= 1 and p.large or p.small,
      lr = sw.schedule.step { value = p.lr * (level >= 2 and ratio ^ 0.5 or 1), gamma = 0.1,
        period = { epochs = epochs * 2 / 3 } },
    }
    local updates = math.ceil(epochs * #data.train / (level >= 1 and p.large or p.small))
    local start = trainer:weights():clone()
    local path, at = follow(trainer, updates * 2 // 3)
    trainer:fit { epochs = epochs, run = run }

    local travel = sw.landscape.travel(path, { start = start, at = at })
    local log, root = {}, {}
    for i, t in ipairs(at) do log[i], root[i] = math.log(t), math.sqrt(t) end
    run:summary { test = setting.metrics(trainer, "last", "test"),
      valid = setting.metrics(trainer, "last", "valid"), beside = setting.beside(trainer),
      rest = { log = rest(log, travel.distance), sqrt = rest(root, travel.distance) },
      power = travel.power_fit.slope,
      distance = travel.distance, at = at }
  end,
}
