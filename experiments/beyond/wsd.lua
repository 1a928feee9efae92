-- Is a constant rate with a short cool-down as good as a cosine of that length, and does the mean
-- of checkpoints replace the cool-down? (Hägele et al. 2024; Tian et al. 2025)
--
--   swale run experiments/beyond/wsd.lua [cool=0.2] [--seed 3]
--
-- One training with a constant rate serves all lengths: a fork at 1 - cool of each length cools
-- down linearly; the checkpoints of the constant rate over the same stretch are merged with the
-- weights of a linear decay. It takes 6 s.
local setting = require "setting"
local sw = require "swale"

local function trainer_for(run, p, data, lr)
  return sw.Trainer { model = setting.network(data), data = data, lr = lr, batch_size = p.batch,
    optimizer = sw.optim.Adam {}, seed = run.seed }
end

--- From here over `epochs`, in `points` pieces: the constant rate, whose checkpoints are returned.
local function checkpoints(trainer, epochs, points)
  local found = { trainer:weights():clone() }
  for k = 1, points do
    found[k + 1] = trainer:fit({ epochs = epochs / points }):weights():clone()
  end
  return found
end

local function linear_weights(points)
  local decay = {}
  for k = 1, points do decay[k] = 1 - (k - 0.5) / points end
  return sw.average.merging_weights(decay)
end

local function both(trainer, which)
  return { test = setting.metrics(trainer, which, "test"),
    valid = setting.metrics(trainer, which, "valid") }
end

return sw.experiment {
  name = "wsd",
  params = { data = "fashion-mnist", examples = 50000, batch = 32, lr = 2e-3, cool = 0.2,
    epochs = 4.0, points = 10 },

  run = function(run, p)
    local data = setting.data(p.data, p.examples, run.seed)
    local trunk, done, found = trainer_for(run, p, data, p.lr), 0, {}
    for _, part in ipairs { 0.25, 0.5, 1 } do
      local length = part * p.epochs
      local cool = p.cool * length
      trunk:fit { epochs = length - cool - done, run = run }
      local begin = trunk:state().epoch
      local cooled = trunk:fork { lr = function(s)
        return p.lr * math.max(0, 1 - (s.epoch - begin) / cool)
      end }
      cooled:fit { epochs = cool }
      local points = checkpoints(trunk, cool, p.points)
      local cosine = trainer_for(run, p, data,
        sw.schedule.cosine { from = p.lr, to = 0, epochs = length })
      cosine:fit { epochs = length }
      found[("of_%g"):format(100 * part)] = { cooled = both(cooled, "last"),
        cosine = both(cosine, "last"), constant = both(trunk, "last"),
        merged = both(trunk, sw.average.merge(points, linear_weights(p.points))) }
      done = length
    end
    found.beside = setting.beside(trunk)
    run:summary(found)
  end,
}
