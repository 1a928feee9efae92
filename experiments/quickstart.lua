-- A network on real images with a cyclic learning rate, a batch size that grows with the gradient
-- noise, and the average of the weights at the ends of the later cycles.
--
--   swale run experiments/quickstart.lua [data=mnist] [lr=0.02] [epochs=12] [--seed 3]
--
-- It takes about 10 s on two cores. The record and the picture are in the run's directory.
local sw = require "swale"

--- Fashion-MNIST comes from a package of the system; the digits are part of Swale.
local function load(run, name)
  if name == "fashion-mnist" and not sw.data.is_here(name) then
    run:print("fashion-mnist is not on this machine, so this trains on the small digits;"
      .. " `swale data get fashion-mnist` fetches it")
    name = "digits"
  end
  local data = sw.data.load(name) -- standardised by the training mean and deviation
  run:print("data: %s", data)
  return data
end

--- Doubles the batch if the whole interval of the noise scale is above four times its size.
local function grow(s)
  return s.noise_scale:above(4 * s.batch_size) and math.min(2 * s.batch_size, 128) or s.batch_size
end

return sw.experiment {
  name = "quickstart",
  params = { data = "fashion-mnist", lr = 0.02, cycle = 1, epochs = 12 },
  objective = { "valid_loss", "min" }, -- what `swale sweep` judges runs by

  run = function(run, p)
    local data = load(run, p.data)
    local trainer = sw.Trainer {
      model = sw.nn.Sequential {
        sw.nn.Linear(data.features, 128), sw.nn.ReLU(), sw.nn.Linear(128, data.classes),
      },
      data = data, loss = sw.loss.cross_entropy,
      optimizer = sw.optim.SGD { momentum = 0.9, weight_decay = 5e-4 },
      lr = sw.schedule.cyclic { max = p.lr, min = p.lr / 2, period = { epochs = p.cycle } },
      batch_size = sw.rule(32, grow),
      average = sw.average.SWA {
        start = { epochs = math.max(p.cycle, p.epochs // 2) }, every = { epochs = p.cycle },
      },
      measure = { noise_scale = sw.every { steps = 5 } },
    }
    trainer:fit { epochs = p.epochs, run = run }

    trainer:report(run)
    run:plot()
    local which = trainer.average.count > 0 and "swa" or "last"
    local accuracy = trainer:evaluate(which, { on = "test" }).accuracy
    run:summary { test_accuracy = accuracy }
    run:print("%s test accuracy: %.4f", which, accuracy)
  end,
}
