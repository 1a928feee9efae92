-- Do full batches train at a largest eigenvalue of 2 / lr, and small ones at a batch sharpness of
-- 2 / lr with a lower eigenvalue? (Cohen et al. 2021; Andreyev and Beneventano 2024)
--
--   swale run experiments/beyond/edge.lua batch=8 epochs=80 warmup=5 [--seed 3]
--
-- It takes about 6 s; batch=0 is the whole set. The loss is the squared error: with cross-entropy
-- the curvature of a fitted network falls. The rate begins at 0, so that it may be larger than the
-- first weights allow; a smaller rate has its edge so high that the data are fitted before.
local setting = require "setting"
local sw = require "swale"

--- The squared error of outputs and one-hot labels.
local function squared_error(classes)
  return function(y, labels) return sw.loss.mse(y, sw.ops.one_hot(labels, classes)) end
end

local function mean(list)
  local sum = 0
  for _, v in ipairs(list) do sum = sum + v end
  return sum / #list
end

return sw.experiment {
  name = "edge",
  params = { data = "fashion-mnist", examples = 1000, batch = 0, lr = 0.4, epochs = 500.0,
    warmup = 100.0, points = 12 },

  run = function(run, p)
    local data = setting.data(p.data, p.examples, run.seed)
    local trainer = sw.Trainer {
      model = setting.network(data, { activation = sw.nn.Tanh() }), data = data,
      lr = function(s) return p.lr * math.min(1, (s.epoch + 0.01) / p.warmup) end,
      loss = squared_error(data.classes), batch_size = p.batch > 0 and p.batch or #data.train,
      measure = { edge = { at = "end", relative_error = 0.05, draws = 400 } },
    }
    local found = { epoch = {}, top = {}, sharpness = {}, ratio = {}, train_loss = {} }
    for k = 1, p.points do
      trainer:fit { epochs = p.epochs / p.points, run = run }
      local s = trainer:state()
      found.epoch[k], found.top[k] = s.epoch, s.edge.largest_eigenvalue.value * p.lr / 2
      found.sharpness[k] = s.edge.batch_sharpness.value * p.lr / 2
      found.ratio[k] = s.edge.ratio_of_means.value * p.lr / 2
      found.train_loss[k] = trainer:evaluate("last", { on = "train" }).loss
    end
    run:plot()

    local n = p.points
    local function part(list, from, to) return mean { table.unpack(list, from, to) } end
    local function late(list) return part(list, n // 2 + 1, n) end
    run:summary { top = late(found.top), sharpness = late(found.sharpness), -- in units of 2 / lr
      ratio_of_means = late(found.ratio), drift = part(found.sharpness, n * 3 // 4 + 1, n)
        / part(found.sharpness, n // 2 + 1, n * 3 // 4), along = found,
      beside = setting.beside(trainer) }
  end,
}
