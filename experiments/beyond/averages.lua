-- Is the mean of the last checkpoints (LAWA) better than EMA and SWA, and does averaging replace a
-- decaying rate? (Kaddour 2022; Sanyal et al. 2023; Ajroldi et al. 2025)
--
--   swale run experiments/beyond/averages.lua [lr=0.01] [--seed 3]
--
-- One training with a constant rate carries all averages, its twin has a rate that falls to 0. The
-- length of each average is chosen on the validation set, as is the rate of either training over
-- the runs of several rates. The best of 13 averages competes with one schedule. It takes 6 s.
local setting = require "setting"
local sw = require "swale"

--- Averages by name; the first word is the family.
local function averages(epochs)
  local found = {}
  for _, decay in ipairs { 0.99, 0.997, 0.999, 0.9995, 0.9998 } do
    found["ema_" .. math.floor(decay * 1e4)] = sw.average.EMA { decay = decay }
  end
  for _, k in ipairs { 4, 8, 16, 32 } do
    found["lawa_" .. k] = sw.average.LastK { k = k, every = { epochs = 1 / 8 } }
  end
  for _, part in ipairs { 0.25, 0.5, 0.75, 0.9 } do
    found["swa_" .. math.floor(100 * part)] = sw.average.SWA { start = { epochs = part * epochs },
      every = { epochs = 1 / 8 } }
  end
  return found
end

--- The best average of a family by validation loss.
local function best_of(trainer, all, family)
  local best
  for _, name in ipairs(all) do
    if name:find("^" .. family) then
      local valid = setting.metrics(trainer, name, "valid")
      if not best or valid.loss < best.valid.loss then best = { name = name, valid = valid } end
    end
  end
  best.test = setting.metrics(trainer, best.name, "test")
  return best
end

local function train(run, p, data, lr)
  local all = averages(p.epochs)
  local trainer = sw.Trainer { model = setting.network(data), data = data, lr = lr,
    batch_size = p.batch, optimizer = sw.optim.SGD { momentum = 0.9 }, average = all }
  trainer:fit { epochs = p.epochs, run = run }
  local names, found = {}, { last = { test = setting.metrics(trainer, "last", "test"),
    valid = setting.metrics(trainer, "last", "valid") }, beside = setting.beside(trainer) }
  for name in pairs(all) do names[#names + 1] = name end
  table.sort(names)
  for _, family in ipairs { "ema", "lawa", "swa" } do
    found[family] = best_of(trainer, names, family)
  end
  return found
end

return sw.experiment {
  name = "averages",
  params = { data = "fashion-mnist", examples = 20000, batch = 32, lr = 0.01, epochs = 8 },

  run = function(run, p)
    local data = setting.data(p.data, p.examples, run.seed)
    run:summary { constant = train(run, p, data, p.lr), decayed = train(run, p, data,
      sw.schedule.cosine { from = p.lr, to = 0, epochs = p.epochs }) }
  end,
}
