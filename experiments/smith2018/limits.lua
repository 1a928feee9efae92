-- Up to which batch is a larger batch as good as a smaller rate? (Smith et al. 2018, section 2:
-- "B << N", up to about N / 10.) At 30 % of the epochs lr / B falls by `factor` in one step: by
-- the batch, which with a factor above 40 is then above a tenth of the data, or, its twin, by the
-- rate. Nothing else differs, and the rate of the growing batch is never above the initial one.
--
--   swale run experiments/smith2018/limits.lua [factor=100] [by=batch] [--seed 3]
--
-- It takes about 8 s on one core.
local setting = require "setting"
local sw = require "swale"

return sw.experiment {
  name = "smith2018_limits",
  params = {
    factor = 100, by = sw.choice { "batch", "lr" }, times = 1.0,
    data = "fashion-mnist", examples = 10000, noise = 0.2, hidden = 256, epochs = 40, batch = 25,
  },
  objective = { "valid_accuracy", "max" },

  run = function(run, p)
    local data, optimizer = setting.data(p), setting.optimizer "momentum"
    local anneal = sw.schedule.anneal { by = p.by, factor = p.factor, at = { 0.3 * p.epochs },
      lr = p.times * optimizer.lr, batch = p.batch }
    setting.train(run, { model = setting.mlp(data, p.hidden), data = data, anneal = anneal,
      epochs = p.epochs, optimizer = optimizer.make })
  end,
}
