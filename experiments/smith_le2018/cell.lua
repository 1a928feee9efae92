--- One cell of a grid: a network with one hidden layer, trained at a constant rate, batch size and
--- momentum without L2 until its train loss is p.fitted, or for a number of updates.
local sw = require "swale"

local M = {}

local TOLERANCE <const> = 0.25 -- stationary: how far the loss may move between the last two fifths

---The training set and the test set; without valid, so that epochs end without an evaluation.
---@return swale.Data data, swale.Split|nil valid
function M.data(name, n, seed)
  local data = sw.data.load(name):subset { n = n, seed = seed }
  local valid = data.valid
  data.valid = nil
  return data, valid
end

local function network(data, p)
  local activation = p.activation == "tanh" and sw.nn.Tanh() or sw.nn.ReLU()
  return sw.nn.Sequential { sw.nn.Linear(data.features, p.width), activation,
    sw.nn.Linear(p.width, data.classes) }
end

---@param p table    n, lr, momentum, width, activation, sampler
---@return swale.Trainer
function M.trainer(data, p, batch, seed)
  return sw.Trainer {
    model = network(data, p), data = data, optimizer = sw.optim.SGD { momentum = p.momentum },
    lr = p.lr, batch_size = batch, sampler = p.sampler, seed = seed,
    measure = p.activation == "relu"
      and { dead_fraction = { at = "end", sample = data.train } } or nil,
  }
end

---Trains for so many updates; false if the training diverges.
---@return boolean
function M.fit(trainer, updates)
  local ok, why = pcall(trainer.fit, trainer, { steps = updates })
  if not ok and not (type(why) == "table" and why.kind == "diverged") then error(why, 0) end
  return ok
end

--- Ends the fit once the mean batch loss of an epoch (at least 10 updates) is p.fitted; returns a
--- function that says whether the loss of the fourth and the last fifth of all updates agree.
local function watch(trainer, p, batch, updates)
  local window, sum, count = math.max(10, math.ceil(p.n / batch)), 0, 0
  local fifths = { 0, 0, 0, 0, 0 }
  trainer:on("step", function(s)
    sum, count = sum + s.loss, count + 1
    local fifth = math.min(5, 1 + (s.step - 1) * 5 // updates)
    fifths[fifth] = fifths[fifth] + s.loss
    if count < window then return end
    if sum / count < p.fitted then trainer:stop "fitted" end
    sum, count = 0, 0
  end)
  return function() return math.abs(fifths[5] / fifths[4] - 1) < TOLERANCE end
end

---Trains a cell. `counts`: its train loss is below p.fitted or stationary. `collapsed`: it fits
---less than 90 % of the training set, or most of its units are dead, or it diverged.
---@return table
function M.train(data, valid, p, batch, seed)
  -- Where lr / (1 - momentum) is below 1, as many times more updates.
  local updates = math.ceil(p.updates * math.max(1, (1 - p.momentum) / p.lr))
  local trainer = M.trainer(data, p, batch, seed)
  local stationary = watch(trainer, p, batch, updates)
  local cell = { batch = batch, g = sw.scaling.sgd_noise { lr = p.lr, batch_size = batch,
    examples = p.n, momentum = p.momentum } }
  local finished = M.fit(trainer, updates)
  cell.updates = trainer:state().step
  if not finished then
    cell.diverged, cell.collapsed, cell.counts = true, true, false
    return cell
  end
  local train, test = trainer:evaluate("last", { on = "train" }),
    trainer:evaluate("last", { on = "test" })
  cell.dead = p.activation == "relu" and trainer:state().dead_fraction or nil
  cell.train_loss, cell.train_accuracy = train.loss, train.accuracy
  cell.test_loss, cell.test_accuracy = test.loss, test.accuracy
  cell.valid_accuracy = trainer:evaluate("last", { on = valid }).accuracy
  cell.counts = trainer:stopped() ~= nil or stationary()
  cell.collapsed = train.accuracy < 0.9 or (cell.dead or 0) > 0.5
  return cell
end

return M
