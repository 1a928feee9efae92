-- Which rule keeps the training as it was when the batch grows: a rate that grows like the batch,
-- or like its root? (SGD: Goyal et al. 2017; Adam: Malladi et al. 2022)
--
--   swale run experiments/beyond/scaling.lua optimizer=adam [k=8] [--seed 3]
--
-- Three trainings over the same examples: batch B, and k B with the rate k lr and sqrt(k) lr. For
-- Adam both have 1 - beta times k, as the square-root rule asks. A rule's distance is the mean over
-- epochs of |log valid loss - log valid loss of batch B|. It takes 4 s.
local setting = require "setting"
local sw = require "swale"

--- The optimizer for a batch of k times the base.
local function optimizer_for(name, k)
  if name == "sgd" then return sw.optim.SGD {} end
  return sw.optim.Adam { betas = { 1 - 0.1 * k, 1 - 0.001 * k }, eps = 1e-8 / math.sqrt(k) }
end

local function train(p, data, k, factor)
  local trainer = sw.Trainer { model = setting.network(data), data = data,
    optimizer = optimizer_for(p.optimizer, k), batch_size = k * p.batch,
    lr = factor * (p.optimizer == "sgd" and p.sgd_lr or p.adam_lr) }
  local curve = {}
  for epoch = 1, p.epochs do
    trainer:fit { epochs = 1 }
    curve[epoch] = setting.metrics(trainer, "last", "valid").loss
  end
  return curve, trainer
end

local function distance(a, b)
  local sum = 0
  for i, v in ipairs(a) do sum = sum + math.abs(math.log(v / b[i])) end
  return sum / #a
end

return sw.experiment {
  name = "scaling",
  params = { data = "fashion-mnist", examples = 5000, batch = 16, k = 8, epochs = 10, sgd_lr = 0.02,
    adam_lr = 5e-4, optimizer = sw.choice { "sgd", "adam" } },

  run = function(run, p)
    local data = setting.data(p.data, p.examples, run.seed)
    local base = train(p, data, 1, 1)
    local linear, with_linear = train(p, data, p.k, p.k)
    local root, with_root = train(p, data, p.k, math.sqrt(p.k))
    run:summary { distance = { linear = distance(linear, base), sqrt = distance(root, base) },
      curve = { base = base, linear = linear, sqrt = root },
      test = { linear = setting.metrics(with_linear, "last", "test"),
        sqrt = setting.metrics(with_root, "last", "test") } }
  end,
}
