-- Where a cosine would halve the rate, Seesaw divides it by sqrt 2 and doubles the batch: does it
-- reach the loss of the cosine with fewer updates? (Meterez et al. 2025)
--
--   swale run experiments/beyond/seesaw.lua [--seed 3]
--
-- Adam, equally many examples. `batch_only`, in which the batch takes the whole cut, is the rule of
-- Smith et al. (2018) for SGD. It takes 5 s.
local setting = require "setting"
local sw = require "swale"

local function train(run, p, data, lr, batch)
  local trainer = sw.Trainer { model = setting.network(data), data = data, lr = lr,
    batch_size = batch, optimizer = sw.optim.Adam {} }
  trainer:fit { epochs = p.epochs, run = run }
  local found = setting.beside(trainer)
  found.test = setting.metrics(trainer, "last", "test")
  found.valid = setting.metrics(trainer, "last", "valid")
  return found
end

return sw.experiment {
  name = "seesaw",
  params = { data = "fashion-mnist", examples = 20000, batch = 32, most = 512, lr = 2e-3,
    epochs = 8 },

  run = function(run, p)
    local data = setting.data(p.data, p.examples, run.seed)
    local cosine = sw.schedule.cosine { from = p.lr, to = 0, epochs = p.epochs }
    local seesaw = sw.schedule.seesaw { lr = cosine, batch = p.batch, most = p.most }
    local found = { cosine = train(run, p, data, cosine, p.batch),
      seesaw = train(run, p, data, seesaw.lr, seesaw.batch),
      constant = train(run, p, data, p.lr, p.batch),
      batch_only = train(run, p, data, p.lr, seesaw.batch) }
    found.saved = 1 - found.seesaw.updates / found.cosine.updates
    run:summary(found)
  end,
}
