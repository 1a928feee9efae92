-- Does a large batch that starts from iterates of a small one end in flat minima (Keskar et al.
-- 2017, section 4, figure 5)? The small batch trains; from its weights after 0, 1, 4, … epochs the
-- large batch trains anew, with a fresh optimizer, and its end is measured.
--
--   swale run experiments/keskar2017/warm_start.lua [norm=none] [epochs=50] [--seed 3]
--
-- It takes 45 s on one core.
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
    local result = { warm = {}, test_accuracy = {}, train_accuracy = {}, sharpness = {} }
    local function look(trainer)
      return { test_accuracy = regimes.evaluate(trainer, "test").accuracy,
        train_accuracy = regimes.evaluate(trainer, "train").accuracy,
        sharpness = regimes.sharpness(trainer, p, seed).value }
    end
    local small = regimes.trainer(data, p, { batch = p.small, lr = p.lr_small, seed = seed })
    local done = 0
    for i, mark in ipairs(regimes.marks(p.epochs, 4)) do
      if mark > 0 then small:fit { epochs = mark - done } end
      done = mark
      local large = regimes.trainer(data, p, { batch = p.large, lr = p.lr_large, seed = seed })
      put(large, snapshot(small))
      large:fit { epochs = p.epochs }
      result.warm[i] = mark
      for name, value in pairs(look(large)) do result[name][i] = value end
      run:print("%3d epochs of small batches: test accuracy %.4f, sharpness %.4g", mark,
        result.test_accuracy[i], result.sharpness[i])
    end
    result.small = look(small)
    run:print("small batches alone:         test accuracy %.4f, sharpness %.4g",
      result.small.test_accuracy, result.small.sharpness)
    run:summary(result)
  end,
}
