--- What the scripts of this folder share: the data, the networks, a training that is looked at on
--- its way, and the metric of the paper.
local sw = require "swale"

local M = {}

--- Parameters of every script, with others added. `sample` examples and `starts` searches are the
--- effort of a sharpness; pair.lua looks at a training after 0, 1, `marks`, marks^2, … epochs, and
--- with `between` at the line and the arc from one end to the other.
---@param more table<string, any>
---@return table<string, any>
function M.params(more)
  local params = { data = sw.choice { "fashion-mnist", "digits" }, examples = 5000,
    network = sw.choice { "mlp", "F1", "C1" }, norm = sw.choice { "batch", "none" },
    optimizer = sw.choice { "adam", "sgd" }, small = 32, large = 500,
    lr_small = 0.001, lr_large = 0.001, epochs = 60, sample = 1000, starts = 2,
    subspace = 100, marks = 2, between = true }
  for name, value in pairs(more) do params[name] = value end
  return params
end

--- N examples of the training set, another draw for each seed.
---@param p table
---@param seed integer
---@return swale.Data
function M.data(p, seed)
  local data = sw.data.load(p.data, { images = p.network == "C1" or nil })
  return data:subset { n = p.examples, seed = seed }
end

local NETWORKS <const> = {
  mlp = function(data, norm)
    return sw.zoo.mlp { layers = 2, scale = 128 / 800, norm = norm, features = data.features,
      classes = data.classes }
  end,
  F1 = function(data, norm)
    return sw.zoo.F1 { norm = norm, features = data.features, classes = data.classes }
  end,
  C1 = function(data, norm)
    return sw.zoo.C1 { norm = norm, input = data.shape, classes = data.classes }
  end,
}

--- A trainer whose initial weights and order of examples follow from the seed alone, so that all
--- regimes of a seed share them.
---@param data swale.Data
---@param p table
---@param o { batch: integer, lr: number, seed: integer }
---@return swale.Trainer
function M.trainer(data, p, o)
  local adam = p.optimizer == "adam"
  return sw.Trainer {
    model = NETWORKS[p.network](data, p.norm), data = data, seed = o.seed,
    batch_size = o.batch, lr = o.lr,
    optimizer = adam and sw.optim.Adam {} or sw.optim.SGD { momentum = 0.9 },
    measure = { dead_fraction = { at = "end" } },
  }
end

--- Metric 2.1 at the weights of a trainer, with statistics of batch norms from the training set.
--- The same examples and random numbers for every call with the same seed.
---@param trainer swale.Trainer
---@param p table
---@param seed integer
---@param o? swale.SharpnessOptions
---@return swale.Sharpness
function M.sharpness(trainer, p, seed, o)
  local data, options = trainer.data, { starts = p.starts, companions = false, seed = seed }
  for name, value in pairs(o or {}) do options[name] = value end
  if trainer.model:buffers() then
    options.buffers = trainer.model:reestimate(data.train, { batch_size = 1000 })
  end
  return sw.measure.sharpness(trainer.model, data.train:sample(math.min(p.sample, #data.train)),
    options)
end

--- Epochs at which a training is looked at: 0, 1, factor, factor squared, … and the last one.
---@param epochs integer
---@param factor integer
---@return integer[]
function M.marks(epochs, factor)
  local list, mark = { 0 }, 1
  while mark < epochs do
    list[#list + 1], mark = mark, factor * mark
  end
  list[#list + 1] = epochs
  return list
end

--- Loss and accuracy of the present weights, with statistics of batch norms from the training set.
---@param trainer swale.Trainer
---@param on string
---@return swale.Metrics
function M.evaluate(trainer, on)
  return trainer:evaluate(trainer:weights():clone(), { on = on })
end

---Trains, and returns the mean test accuracy after each of the last five epochs: that of a single
---iterate of a small batch goes up and down by half a point.
---@param trainer swale.Trainer
---@param epochs number
---@param run? swale.Run
---@return number test_accuracy
function M.finish(trainer, epochs, run)
  local n, sum = math.max(math.min(5, math.floor(epochs)), 1), 0
  if epochs > n then trainer:fit { epochs = epochs - n, run = run } end
  for _ = 1, n do
    trainer:fit { epochs = math.min(epochs, 1), run = run }
    sum = sum + M.evaluate(trainer, "test").accuracy
  end
  return sum / n
end

---Trains `epochs * longer` epochs, and measures loss and sharpness at `longer` times each mark.
---@param trainer swale.Trainer
---@param p table
---@param seed integer
---@param longer number
---@return { epoch: number[], loss: number[], sharpness: number[] } path
---@return number test_accuracy   of M.finish
function M.train(trainer, p, seed, longer)
  local path, done, accuracy = { epoch = {}, loss = {}, sharpness = {} }, 0, nil
  for i, mark in ipairs(M.marks(p.epochs, p.marks)) do
    local epoch = mark * longer
    if mark == p.epochs then
      accuracy = M.finish(trainer, epoch - done)
    elseif mark > 0 then
      trainer:fit { epochs = epoch - done }
    end
    done, path.epoch[i] = epoch, epoch
    path.loss[i] = M.evaluate(trainer, "train").loss
    path.sharpness[i] = M.sharpness(trainer, p, seed, { starts = 1 }).value
  end
  return path, accuracy
end

--- The sharpness at which a training first reaches a loss, interpolated between the logarithms of
--- its marks; nil where it starts below or ends above it.
---@param path { loss: number[], sharpness: number[] }
---@param loss number
---@return number|nil
function M.at_loss(path, loss)
  for i = 2, #path.loss do
    local a, b = path.loss[i - 1], path.loss[i]
    if a >= loss and b <= loss and a > b then
      local t = math.log(a / loss) / math.log(a / b)
      return path.sharpness[i - 1] ^ (1 - t) * path.sharpness[i] ^ t
    end
  end
  return nil
end

---The exponent of sharpness as a power of 1 / loss along a training, without the initial weights:
---above 0, sharpness rises as the loss falls.
---@param path { loss: number[], sharpness: number[] }
---@return number
function M.slope(path)
  local n, x, y, xx, xy = #path.loss - 1, 0, 0, 0, 0
  for i = 2, #path.loss do
    local a, b = -math.log(path.loss[i]), math.log(path.sharpness[i])
    x, y, xx, xy = x + a / n, y + b / n, xx + a * a / n, xy + a * b / n
  end
  return (xy - x * y) / (xx - x * x)
end

---What a training has reached: accuracies, losses, sharpness with the companions that rescaling
---does not change, updates made, dead units.
---@param trainer swale.Trainer
---@param p table
---@param seed integer
---@param test_accuracy number   of M.finish
---@return table<string, any>
function M.result(trainer, p, seed, test_accuracy)
  local result, state = {}, trainer:state()
  for _, split in ipairs { "train", "valid", "test" } do
    local m = M.evaluate(trainer, split)
    result[split .. "_loss"], result[split .. "_accuracy"] = m.loss, m.accuracy
  end
  result.test_accuracy, result.last_test_accuracy = test_accuracy, result.test_accuracy
  local phi = M.sharpness(trainer, p, seed, { companions = true })
  result.sharpness, result.sharpness_spread, result.companions = phi.value, phi.spread, {}
  for name, estimate in pairs(phi.companions) do result.companions[name] = estimate.value end
  result.updates, result.dead = state.step, state.dead_fraction
  return result
end

---Trains, and returns the same, with sharpness at half the epsilon and in random subspaces, the
---way there, and how far it led. With `subspace = 0` the search in random subspaces, dear in large
---networks, is left out.
---@param trainer swale.Trainer
---@param p table
---@param seed integer
---@param longer number        how many times the epochs
---@return table<string, any>
function M.minimum(trainer, p, seed, longer)
  local start = trainer:weights():clone()
  local path, test_accuracy = M.train(trainer, p, seed, longer)
  local result = M.result(trainer, p, seed, test_accuracy)
  local function phi(o) return M.sharpness(trainer, p, seed, o).value end
  result.sharpness_half = phi { epsilon = 5e-4 }
  if p.subspace > 0 then
    result.subspace = phi { subspace = p.subspace, starts = 1 }
    result.subspace_half = phi { subspace = p.subspace, starts = 1, epsilon = 5e-4 }
  end
  result.distance, result.path = trainer:weights():distance(start), path
  result.loss_before, result.slope = path.loss[#path.loss - 1], M.slope(path)
  return result
end

return M
