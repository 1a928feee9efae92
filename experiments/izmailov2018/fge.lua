-- How close is the average of the weights to the ensemble of the networks (FGE)? For weights w_i
-- and their mean w, Taylor's formula gives f(w) - mean f(w_i) = O(D^2) and f(w_i) - f(w) = O(D),
-- D being the distance of the w_i from w.
--
--   swale run experiments/izmailov2018/fge.lua [data=fashion-mnist] [--seed 3]
--
-- It takes about 5 s on one core.
--
-- The w_i are captured where a triangular rate is lowest, as FGE does. Then their deviations from w
-- are shrunk by 1/2, 1/4 … 1/64. The network has tanh: with ReLU, f has kinks, and no such order.
local setting = require "setting"
local sw = require "swale"

return sw.experiment {
  name = "fge",
  params = { data = "fashion-mnist", examples = 5000, batch = 32, lr = 0.02, max = 0.02,
    min = 0.002, epochs = 12, cycle = 2, captures = 6, width = 64, shrinkings = 7 },

  run = function(run, p)
    local data = setting.data(run, p, false)
    local network = sw.nn.Sequential { sw.nn.Linear(data.features, p.width), sw.nn.Tanh(),
      sw.nn.Linear(p.width, data.classes) }
    local cycles = sw.schedule.triangular { max = p.max, min = p.min,
      period = { epochs = p.cycle / 2 } }
    local trainer = sw.Trainer {
      model = network, data = data, batch_size = p.batch, seed = run.seed,
      optimizer = sw.optim.SGD { momentum = 0.9, weight_decay = 5e-4 },
      lr = sw.schedule.chain { { p.lr, epochs = p.epochs }, cycles },
      average = sw.average.SWA { start = { epochs = p.epochs }, every = { epochs = p.cycle },
        keep = true },
    }
    trainer:fit { epochs = p.epochs + p.cycle * p.captures, run = run }

    local model, labels = network:build { seed = run.seed }, data.test.y:to "float32"
    local function f(w) -- probabilities of the test examples
      model:weights():copy(w)
      return sw.ops.softmax(model:predict(data.test))
    end
    local function rms(t) return t:norm() / math.sqrt(#t) end
    local function accuracy(outputs)
      return sw.ops.argmax(outputs):to "float32":eq(labels):mean():item()
    end

    local average, iterates = trainer.average:weights(), trainer.average.captured
    local of_average, rows = f(average), {}
    for k = 1, p.shrinkings do
      local factor, ensemble, single, distance = 0.5 ^ (k - 1), nil, 0, 0
      for _, w in ipairs(iterates) do
        local outputs = f(average + factor * (w - average))
        ensemble = ensemble and ensemble + outputs or outputs
        single = single + rms(outputs - of_average) / #iterates
        distance = distance + factor * w:distance(average) / #iterates
      end
      ensemble = ensemble * (1 / #iterates)
      rows[k] = { distance = distance, gap = rms(of_average - ensemble), single = single,
        ensemble_accuracy = accuracy(ensemble) }
      run:print("D = %.4g: |f(w) - mean f(w_i)| %.3g, |f(w_i) - f(w)| %.3g", distance,
        rows[k].gap, single)
    end
    local accuracies = { average = accuracy(of_average), ensemble = rows[1].ensemble_accuracy,
      single = 0 }
    for _, w in ipairs(iterates) do
      accuracies.single = accuracies.single + accuracy(f(w)) / #iterates
    end
    run:summary { accuracy = accuracies, rows = rows }
  end,
}
