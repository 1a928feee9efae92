-- A small convolutional network on CIFAR-10 with random crops and flips: one long cycle of the
-- learning rate, then short ones, at whose ends stochastic weight averaging captures the weights.
-- The running statistics that batch norm keeps belong to the last weights, not to their average. So
-- the average is evaluated twice: with these statistics, and with its own, re-estimated ones.
--
--   swale run experiments/cifar_cnn.lua path=FOLDER [epochs=14] [cycles=6] [lr=0.1] [--seed 3]
--
-- FOLDER has the files of the binary version, all or some. It takes about three minutes on two
-- cores with 10,000 images. Without a path it uses what `swale data get cifar10` has fetched.
local sw = require "swale"

local HOW = [[
there is no CIFAR-10 on this machine. `swale data get cifar10` fetches it (163 MB).
  Or take "CIFAR-10 binary version" from www.cs.toronto.edu/~kriz/cifar.html, unpack it, and say
  path=FOLDER, the one with data_batch_1.bin and test_batch.bin in it.]]

local function load(run, path)
  if path == "" and not sw.data.is_here "cifar10" then error(HOW, 0) end
  local data = sw.data.load("cifar10", { path = path ~= "" and path or nil,
    augment = { crop = 4, flip = true } })
  run:print("data: %s", data)
  return data
end

return sw.experiment {
  name = "cifar_cnn",
  params = { path = "", epochs = 14, cycles = 6, lr = 0.1, swa_lr = 0.1, batch = 64,
    weight_decay = 5e-4, scale = 1.0 },

  run = function(run, p)
    local first = p.epochs - p.cycles -- of the long cycle
    if first <= 0 then error("epochs must be more than cycles, the short ones at their end", 0) end
    local data = load(run, p.path)
    local trainer = sw.Trainer {
      model = sw.zoo.cnn_small { classes = data.classes, scale = p.scale },
      data = data, batch_size = p.batch,
      optimizer = sw.optim.SGD { momentum = 0.9, weight_decay = p.weight_decay },
      lr = sw.schedule.chain {
        sw.schedule.one_cycle { max = p.lr, to = p.swa_lr / 2, period = { epochs = first } },
        sw.schedule.cyclic { max = p.swa_lr, min = p.swa_lr / 2, period = { epochs = 1 } },
      },
      average = sw.average.SWA { start = { epochs = first }, every = { epochs = 1 } },
    }
    trainer:fit { epochs = p.epochs, run = run }

    run:plot()
    local function accuracy(which, statistics)
      return trainer:evaluate(which, { on = "test", batch_norm = statistics }).accuracy
    end
    local last, swa = accuracy "last", accuracy("swa", "pooled")
    local stale = accuracy("swa", "running")
    run:summary { last = last, swa = swa, swa_stale_statistics = stale }
    run:print("test accuracy of the last weights                     %.4f", last)
    run:print("of the average, with statistics of the last weights   %.4f", stale)
    run:print("of the average, with its own, re-estimated            %.4f", swa)
  end,
}
