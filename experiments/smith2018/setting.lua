--- What the scripts of this folder share: the data, the schedules of learning rate and batch size,
--- and what is noted at the end of a run.
local sw = require "swale"

local M = {}

--- The paper's ratios (section 5): lr / B falls by 5 after 30, 60 and 80 % of the epochs; the
--- batch begins at B0 and ends at a tenth of the training set at most.
local FACTOR, MARKS = 5, { 0.3, 0.6, 0.8 }

---N training examples, a share of them with wrong labels; test and validation labels stay true.
---The same for every seed.
---@param p { data: string, examples: integer, noise: number }
---@param load? swale.LoadOptions
function M.data(p, load)
  local data = sw.data.load(p.data, load)
  if p.examples < #data.train then data = data:subset { n = p.examples } end
  return data:label_noise { rate = p.noise }
end

--- The rates are those with the best validation accuracy of the decaying schedule, of a grid by
--- factors of 2 (Adam 3), over the seeds 1000 and 1001; Nesterov has the rate of momentum.
local OPTIMIZERS = {
  sgd = { make = sw.optim.SGD {}, lr = 0.0125 },
  momentum = { make = sw.optim.SGD { momentum = 0.9 }, lr = 0.00125 },
  nesterov = { make = sw.optim.SGD { momentum = 0.9, nesterov = true }, lr = 0.00125 },
  adam = { make = sw.optim.Adam {}, lr = 0.0003 },
}

---@param name "sgd"|"momentum"|"nesterov"|"adam"
---@return { make: swale.Optimizer, lr: number }
function M.optimizer(name) return OPTIMIZERS[name] end

function M.mlp(data, hidden)
  return sw.nn.Sequential { sw.nn.Linear(data.features, hidden), sw.nn.ReLU(),
    sw.nn.Linear(hidden, data.classes) }
end

---The largest batch: `cap` is a share of the training set.
---@param p { cap: number }
---@return integer
function M.cap(p, data) return math.floor(p.cap * #data.train) end

---The schedule of a run: `by` is "lr", "hybrid", "batch" or "none", which does not anneal at all.
---@param o { lr: number, batch: integer, by: string, epochs: number, cap?: integer }
---@return swale.Anneal
function M.anneal(o)
  local at = {}
  for i, part in ipairs(MARKS) do at[i] = part * o.epochs end
  return sw.schedule.anneal { lr = o.lr, batch = o.batch, at = at, cap = o.cap,
    by = o.by == "none" and "lr" or o.by, factor = o.by == "none" and 1 or FACTOR }
end

---@class smith2018.Training: swale.TrainerOptions
---@field anneal swale.Anneal   of learning rate and batch size
---@field epochs number

---Trains, and notes what came out: loss and accuracy of each split, updates made, dead units. The
---labels of the training set are the noisy ones that it was trained on.
---@param run swale.Run
---@param o smith2018.Training
---@param more? table   for the summary
function M.train(run, o, more)
  local trainer = sw.Trainer { model = o.model, data = o.data, optimizer = o.optimizer,
    lr = o.anneal.lr, batch_size = o.anneal.batch, record = { epochs = 0.5 },
    measure = { dead_fraction = sw.every { epochs = o.epochs / 4 } } }
  trainer:fit { epochs = o.epochs, run = run }
  local result, s = more or {}, trainer:state()
  for _, split in ipairs { "train", "valid", "test" } do
    local m = trainer:evaluate("last", { on = split })
    result[split .. "_loss"], result[split .. "_accuracy"] = m.loss, m.accuracy
  end
  result.updates, result.dead_fraction = s.step, s.dead_fraction
  run:summary(result)
  run:print("%d updates: test accuracy %.4f, test loss %.4f, train loss %.4f", result.updates,
    result.test_accuracy, result.test_loss, result.train_loss)
end

return M
