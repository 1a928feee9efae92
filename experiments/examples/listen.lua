-- A batch that listens to the gradient (McCandlish et al. 2018): B = sqrt(r noise scale), where r
-- says what a step costs beside what an example costs. The rule has a memory of its own, and acts
-- on what is sure: the low end of the interval is there even while the estimate is unresolved.
--
--   swale run experiments/examples/listen.lua [r=64] [epochs=20] [--seed 3]
local sw = require "swale"

--- The batch grows at once to what is wanted, once that is half as much again; it never shrinks.
local function listen(o)
  return function(s, mem)
    mem.batch = mem.batch or o.start
    local want = math.sqrt(o.r * s.noise_scale.low)
    if want > 1.5 * mem.batch then mem.batch = math.min(o.max, math.floor(want)) end
    return mem.batch
  end
end

return sw.experiment {
  name = "listen",
  params = { r = 64, start = 8, max = 256, lr = 0.02, epochs = 20 },

  run = function(run, p)
    local data = sw.data.load "digits"
    local trainer = sw.Trainer {
      model = sw.nn.Sequential {
        sw.nn.Linear(data.features, 64), sw.nn.ReLU(), sw.nn.Linear(64, data.classes),
      },
      data = data, optimizer = sw.optim.SGD { momentum = 0.9 }, lr = p.lr,
      batch_size = sw.rule(p.start, listen { start = p.start, max = p.max, r = p.r }),
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
