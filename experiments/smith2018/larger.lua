-- How many updates does a larger initial rate or momentum save, and what does it cost? (Smith et
-- al. 2018, section 5.2.) The batch begins at B0 rate (1 - 0.9) / (1 - momentum), which keeps the
-- noise of the original start, and grows by 5 at each mark up to a tenth of the data; beyond, the
-- rate falls. "original" of the paper is `schedules.lua by=lr`.
--
--   swale run experiments/smith2018/larger.lua [rate=5] [momentum=0.98] [stretch=2] [--seed 3]
--
-- It takes about 7 s on one core. `stretch` lengthens all phases of the training; `times` is a
-- factor of both the original rate and the larger one.
local setting = require "setting"
local sw = require "swale"

return sw.experiment {
  name = "smith2018_larger",
  params = {
    rate = 5.0, momentum = 0.9, stretch = 1.0, times = 1.0,
    data = "fashion-mnist", examples = 10000, noise = 0.2, hidden = 256, epochs = 40, batch = 25,
    cap = 0.1,
  },
  objective = { "valid_accuracy", "max" },

  run = function(run, p)
    local data, original = setting.data(p), setting.optimizer "momentum"
    local lr = p.times * original.lr
    local start = sw.scaling.equivalent(
      { lr = lr, batch_size = p.batch, momentum = 0.9, examples = #data.train },
      { lr = lr * p.rate, momentum = p.momentum })
    for _, limit in ipairs(start.limits) do run:print("%s", limit) end
    local epochs = p.epochs * p.stretch
    local anneal = setting.anneal { by = "batch", lr = start.lr, batch = start.batch_size,
      cap = math.max(setting.cap(p, data), start.batch_size), epochs = epochs }
    setting.train(run, { model = setting.mlp(data, p.hidden), data = data, anneal = anneal,
      epochs = epochs, optimizer = sw.optim.SGD { momentum = p.momentum } },
      { start_batch = start.batch_size, start_lr = start.lr })
  end,
}
