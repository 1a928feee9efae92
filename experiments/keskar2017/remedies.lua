-- Do the remedies of the paper's appendix help large batches, and are their minima flat (Keskar et
-- al. 2017, section 5 and appendix E)? One training with the large batch and one remedy:
--   augmentation  images are shifted by up to 2 pixels (`shift`) and flipped
--   conservative  each batch solves min f_B(w) + lambda / 2 |w - w_k|^2 by 3 steps
--   robust        gradients are those at the worst corner of the box of metric 2.1, to first order
-- pair.lua has both batch sizes without a remedy. The numbers of the appendix were not confirmed;
-- adversarial examples are left out.
--
--   swale run experiments/keskar2017/remedies.lua remedy=robust
--
-- A run takes 6 to 15 s on one core.
local sw = require "swale"
local regimes = require "regimes"

--- Trains without the Trainer's steps: update(w, f, batch, step) changes w by one batch, where
--- step(gradient) is a step of Adam and f the loss as a function of weights and a batch. Returns
--- the mean test accuracy after each of the last five epochs.
local function own_loop(trainer, p, seed, update)
  local f = sw.compile(sw.loss.cross_entropy, trainer.model,
    { mode = "train", update_buffers = true })
  local w, adam, state = trainer:weights(), sw.optim.Adam {}, {}
  local function step(gradient) adam(w, gradient, state, { lr = p.lr_large }) end
  local first, seen, sum, n = math.max(p.epochs - 4, 1), 0, 0, 0
  for batch in trainer.data.train:batches { size = p.large, epochs = p.epochs, seed = seed } do
    update(w, f, batch, step)
    seen = seen + p.large
    if seen >= (first + n) * #trainer.data.train then
      sum, n = sum + regimes.evaluate(trainer, "test").accuracy, n + 1
    end
  end
  return sum / n
end

local REMEDIES <const> = {
  conservative = function(p)
    return function(w, f, batch, step)
      local before = w:clone()
      for _ = 1, p.inner do
        local _, g = f:value_and_gradient(w, batch)
        step(g + (w - before) * p.lambda)
      end
    end
  end,
  robust = function(p)
    return function(w, f, batch, step)
      local _, g = f:value_and_gradient(w, batch)
      local _, worst = f:value_and_gradient(w + (w:abs() + 1) * g:sign() * p.epsilon, batch)
      step(worst)
    end
  end,
}

--- Training images are shifted and flipped, another way each time.
local function augmented(trainer, p, seed)
  local data = trainer.data:augment { crop = p.shift, flip = true }
  local other = regimes.trainer(data, p, { batch = p.large, lr = p.lr_large, seed = seed })
  local test_accuracy = regimes.finish(other, p.epochs)
  trainer:weights():copy(other:weights())
  return test_accuracy
end

return sw.experiment {
  name = "keskar_remedies",
  params = regimes.params { shift = 2, inner = 3, lambda = 1e-3, epsilon = 1e-3,
    remedy = sw.choice { "augmentation", "conservative", "robust" } },

  run = function(run, p)
    local data, seed = regimes.data(p, run.seed), run.seed
    local trainer = regimes.trainer(data, p, { batch = p.large, lr = p.lr_large, seed = seed })
    local test_accuracy
    if p.remedy == "augmentation" then
      test_accuracy = augmented(trainer, p, seed)
    else
      test_accuracy = own_loop(trainer, p, seed, REMEDIES[p.remedy](p))
    end
    local result = regimes.result(trainer, p, seed, test_accuracy)
    result.updates, result.dead = nil, nil -- this trainer made no steps
    run:summary(result)
    run:print("%s: test accuracy %.4f, train loss %.4g, sharpness %.4g", p.remedy,
      result.test_accuracy, result.train_loss, result.sharpness)
  end,
}
