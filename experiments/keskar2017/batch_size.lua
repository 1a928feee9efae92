-- Beyond which batch size does the test accuracy drop, and where does sharpness stop rising (Keskar
-- et al. 2017, figure 4)? One training with one batch size.
--
--   swale run experiments/keskar2017/batch_size.lua batch=500 [lr=0.003]
--   swale sweep experiments/keskar2017/batch_size.lua batch=log2:16..2048 --seeds 3
--
-- A run takes 6 s on one core.
local sw = require "swale"
local regimes = require "regimes"

return sw.experiment {
  name = "keskar_batch_size",
  params = regimes.params { batch = 32, lr = 0.001 },
  objective = { "valid_accuracy", "max" },

  run = function(run, p)
    local data, seed = regimes.data(p, run.seed), run.seed
    local trainer = regimes.trainer(data, p, { batch = p.batch, lr = p.lr, seed = seed })
    local result = regimes.result(trainer, p, seed, regimes.finish(trainer, p.epochs, run))
    run:summary(result)
    run:print("batch %d: test accuracy %.4f, train loss %.4g, sharpness %.4g", p.batch,
      result.test_accuracy, result.train_loss, result.sharpness)
  end,
}
