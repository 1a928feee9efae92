-- Beyond which batch size does the test accuracy drop, and where does sharpness stop rising (Keskar
-- et al. 2017, figure 4)? One training of 100 epochs with one batch size.
--
--   swale run experiments/keskar2017/batch_size.lua batch=500
--   swale sweep experiments/keskar2017/batch_size.lua batch=log2:16..2048 --seeds 3
--
-- A run takes 8 s on one core.
local sw = require "swale"
local regimes = require "regimes"

return sw.experiment {
  name = "keskar_batch_size",
  params = regimes.params { batch = 32 },
  objective = { "valid_accuracy", "max" },

  run = function(run, p)
    local data, seed = regimes.data(p, run.seed), run.seed
    local trainer = regimes.trainer(data, p, { batch = p.batch, lr = p.lr_small, seed = seed })
    trainer:fit { epochs = p.epochs, run = run }
    local train, state = regimes.evaluate(trainer, "train"), trainer:state()
    run:summary {
      test_accuracy = regimes.evaluate(trainer, "test").accuracy,
      valid_accuracy = regimes.evaluate(trainer, "valid").accuracy,
      train_accuracy = train.accuracy, train_loss = train.loss, updates = state.step,
      dead = state.dead_fraction, sharpness = regimes.sharpness(trainer, p, seed).value,
    }
  end,
}
