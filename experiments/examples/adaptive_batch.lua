-- A batch size that follows the gradient noise (McCandlish et al. 2018): B = sqrt(r noise scale),
-- where r is the cost of a step in examples. The rule has a memory of its own, and uses the low end
-- of the interval, which is valid even while the estimate is unresolved.
--
--   swale run experiments/examples/adaptive_batch.lua [r=64] [epochs=20] [--seed 3]
local sw = require "swale"

--- Sets the batch to its optimum when that is 1.5 times the current one; never shrinks it.
local function follow_noise(o)
  return function(s, mem)
    mem.batch = mem.batch or o.start
    local optimum = math.sqrt(o.r * s.noise_scale.low)
    if optimum > 1.5 * mem.batch then mem.batch = math.min(o.max, math.floor(optimum)) end
    return mem.batch
  end
end

return sw.experiment {
  name = "adaptive_batch",
  params = { r = 64, start = 8, max = 256, lr = 0.02, epochs = 20 },

  run = function(run, p)
    local data = sw.data.load "digits"
    local trainer = sw.Trainer {
      model = sw.nn.Sequential {
        sw.nn.Linear(data.features, 64), sw.nn.ReLU(), sw.nn.Linear(64, data.classes),
      },
      data = data, optimizer = sw.optim.SGD { momentum = 0.9 }, lr = p.lr,
      batch_size = sw.rule(p.start, follow_noise { start = p.start, max = p.max, r = p.r }),
      measure = { noise_scale = sw.every { steps = 4 } },
    }
    trainer:on("batch_size", function(s, _, change)
      run:print("step %d: batch %d -> %d, noise scale %s", s.step, change.from, change.to,
        s.noise_scale)
    end)
    trainer:fit { epochs = p.epochs, run = run }

    local test = trainer:evaluate("best", { on = "test" })
    run:summary { test_accuracy = test.accuracy, updates = trainer:state().step }
    run:print("%d updates, test accuracy %.4f", trainer:state().step, test.accuracy)
  end,
}
