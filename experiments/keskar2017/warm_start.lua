-- Does a large batch that starts from iterates of a small one end in flat minima (Keskar et al.
-- 2017, section 4, figure 5)? The small batch trains; from its weights after 0, 1, 8, … epochs the
-- large batch trains anew, with a fresh optimizer, and its end is measured.
--
--   swale run experiments/keskar2017/warm_start.lua [norm=none] [--seed 3]
--
-- It takes 30 s on one core.
local sw = require "swale"
local regimes = require "regimes"

--- Weights and running statistics of batch norms, copies.
local function snapshot(trainer)
  local buffers = trainer.model:buffers()
  return { weights = trainer:weights():clone(), buffers = buffers and buffers:clone() }
end

local function put(trainer, from)
  trainer:weights():copy(from.weights)
  if from.buffers then trainer.model:buffers():copy(from.buffers) end
end

return sw.experiment {
  name = "keskar_warm_start",
  params = regimes.params {},

  run = function(run, p)
    local data, seed = regimes.data(p, run.seed), run.seed
    local function regime(batch, lr)
      return regimes.trainer(data, p, { batch = batch, lr = lr, seed = seed })
    end
    local small, results, done = regime(p.small, p.lr_small), { warm = {} }, 0
    local function look(name, trainer, test_accuracy)
      local result = regimes.result(trainer, p, seed, test_accuracy)
      run:print("%-10s test accuracy %.4f, sharpness %.4g", name, test_accuracy, result.sharpness)
      return result
    end
    for i, mark in ipairs(regimes.marks(p.epochs, 8)) do
      local small_accuracy = mark > 0 and regimes.finish(small, mark - done)
      done, results.warm[i] = mark, mark
      local large = regime(p.large, p.lr_large)
      put(large, snapshot(small))
      results["after" .. i] = look(("%d epochs"):format(mark), large,
        regimes.finish(large, p.epochs))
      if mark == p.epochs then results.small = look("small", small, small_accuracy) end
    end
    run:summary(results)
  end,
}
