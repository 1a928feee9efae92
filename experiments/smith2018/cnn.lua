-- The three schedules with a convolutional network and batch norm (Smith et al. 2018, section
-- 5.1). Ghost batch norm takes its statistics from parts of the first batch's size, so that a
-- larger batch does not change what they are; otherwise the batch would change two things at once.
--
--   swale run experiments/smith2018/cnn.lua [by=batch] [data=cifar10] [--seed 3]
--
-- It takes about 85 s on one core.
local setting = require "setting"
local sw = require "swale"

return sw.experiment {
  name = "smith2018_cnn",
  params = {
    by = sw.choice { "lr", "hybrid", "batch", "none" }, lr = 0.02,
    data = sw.data.is_here "cifar10" and "cifar10" or "fashion-mnist", examples = 5000, noise = 0.0,
    scale = 0.5, epochs = 24, batch = 25, cap = 0.1,
  },
  objective = { "valid_accuracy", "max" },

  run = function(run, p)
    local data = setting.data(p, { images = true })
    local anneal = setting.anneal { by = p.by, lr = p.lr, batch = p.batch,
      cap = setting.cap(p, data), epochs = p.epochs }
    setting.train(run, { data = data, anneal = anneal, epochs = p.epochs,
      optimizer = sw.optim.SGD { momentum = 0.9, weight_decay = 5e-4 },
      model = sw.zoo.cnn_small { input = data.shape, classes = data.classes, scale = p.scale,
        norm = sw.nn.GhostBatchNorm(p.batch) } })
  end,
}
