-- Does it matter whether the learning rate falls or the batch grows? (Smith et al. 2018, section
-- 5.1.) A network 784-256-10 under one of four schedules: "lr" divides the rate by 5 at each mark,
-- "batch" multiplies the batch by 5 up to a tenth of the data and divides the rate beyond,
-- "hybrid" does the first mark by the batch and the others by the rate, "none" does not anneal.
--
--   swale run experiments/smith2018/schedules.lua [optimizer=momentum] [by=batch] [--seed 3]
--
-- It takes about 7 s on one core. `times` is a factor of the initial rate. With `by=lr` and several
-- factors, a sweep chooses the rates of setting.lua on validation.
local setting = require "setting"
local sw = require "swale"

return sw.experiment {
  name = "smith2018_schedules",
  params = {
    optimizer = sw.choice { "momentum", "sgd", "nesterov", "adam" },
    by = sw.choice { "lr", "hybrid", "batch", "none" }, times = 1.0,
    data = "fashion-mnist", examples = 10000, noise = 0.2, hidden = 256, epochs = 40, batch = 25,
    cap = 0.1,
  },
  objective = { "valid_accuracy", "max" },

  run = function(run, p)
    local data, optimizer = setting.data(p), setting.optimizer(p.optimizer)
    local anneal = setting.anneal { by = p.by, lr = p.times * optimizer.lr,
      batch = p.batch, cap = setting.cap(p, data), epochs = p.epochs }
    setting.train(run, { model = setting.mlp(data, p.hidden), data = data, anneal = anneal,
      epochs = p.epochs, optimizer = optimizer.make })
  end,
}
