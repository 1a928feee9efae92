--- What the scripts of this folder share: data sets, networks, loss targets, learning rates.
local sw = require "swale"

local M = {}

---@class mccandlish.Setting
---@field data swale.Data
---@field layer swale.Layer       784-100-10; on the digits 64-32-10; with ReLU
---@field sample swale.Split      of the training set, on which losses are measured
---@field targets number[]        training losses, from the first one reached to the last
---@field lr number               eps* of the rates eps* / (1 + B* / B)
---@field batch number            B*

local KNOWN = {
  digits = { hidden = 32, sample = 1197, targets = { 1, 0.5, 0.2 }, lr = 0.5, batch = 12 },
  ["fashion-mnist"] = { hidden = 100, sample = 2000, targets = { 0.8, 0.6, 0.45 }, lr = 0.2,
    batch = 24 },
}

---@param name string
---@return mccandlish.Setting
function M.of(name)
  local known = KNOWN[name] or error("no setting for the data set " .. name)
  local data = sw.data.load(name)
  return { data = data, targets = known.targets, lr = known.lr, batch = known.batch,
    sample = data.train:sample(known.sample, 1),
    layer = sw.nn.Sequential { sw.nn.Linear(data.features, known.hidden), sw.nn.ReLU(),
      sw.nn.Linear(known.hidden, data.classes) } }
end

---The centre of the rates tried at a batch size (eq. A.3 with alpha = 1).
---@param s mccandlish.Setting
---@param batch number
function M.rate(s, batch) return s.lr / (1 + s.batch / batch) end

---Plain SGD on batches whose examples are drawn independently.
---@param s mccandlish.Setting
---@param o { batch: any, lr: any, measure: table?, seed: integer? }
---@return swale.Trainer
function M.trainer(s, o)
  return sw.Trainer { model = s.layer, data = s.data, sampler = "independent", lr = o.lr,
    batch_size = o.batch, measure = o.measure, seed = o.seed }
end

--- Makes some steps; false if the training diverged.
local function advance(trainer, steps)
  local ok, why = pcall(trainer.fit, trainer, { steps = steps })
  if not ok and not (type(why) == "table" and why.kind == "diverged") then error(why, 0) end
  return ok
end

---Trains until the loss on the sample is below the last target or `most` steps are made. Returns
---the steps to each target (nil: not reached), interpolated between evaluations,
---each of which is 4 % later than the one before.
---@param s mccandlish.Setting
---@param trainer swale.Trainer
---@param most integer
---@param visit? fun(loss: number, at: integer, passed: integer[])   at each evaluation; the targets
---that it is the first below
---@return number[] steps, integer made
function M.steps_to(s, trainer, most, visit)
  local f, steps, at = trainer.model:loss_on(s.sample), {}, 0
  local before = f(trainer:weights())
  while at < most and not steps[#s.targets] do
    local to, passed = math.min(most, math.max(at + 1, at * 26 // 25)), {}
    if not advance(trainer, to - at) then break end
    local loss = f(trainer:weights())
    for i, target in ipairs(s.targets) do
      if not steps[i] and loss <= target then
        local part = before > target and math.log(before / target) / math.log(before / loss) or 0
        steps[i], passed[#passed + 1] = at + part * (to - at), i
      end
    end
    at, before = to, loss
    if visit then visit(loss, at, passed) end
  end
  return steps, at
end

return M
