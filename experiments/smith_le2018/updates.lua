-- Small against full batches over the updates made (Smith & Le 2018, section 4): test accuracy and
-- test loss of B = 30 and of B = N.
--
--   swale run experiments/smith_le2018/updates.lua [lr=0.03] [--seed 3]
--
-- It takes about 20 s on a core. lr=1.0 is the paper's rate as it is printed.
local sw = require "swale"
local cell = require "cell"

--- Updates 1, 2, 3, 4, 6, 9, 13, … and the last.
local function marks(updates)
  local set, at = { [updates] = true }, 1
  while at < updates do
    set[at] = true
    at = math.max(at + 1, math.floor(at * math.sqrt(2) + 0.5))
  end
  return set
end

local function curve(data, p, batch, seed)
  local trainer, due, points = cell.trainer(data, p, batch, seed), marks(p.updates), {}
  trainer:on("step", function(s)
    if not due[s.step] then return end
    local test, train = trainer:evaluate("last", { on = "test" }),
      trainer:evaluate("last", { on = "train" })
    points[#points + 1] = { update = s.step, test_accuracy = test.accuracy, test_loss = test.loss,
      train_loss = train.loss }
  end)
  cell.fit(trainer, p.updates)
  return points
end

return sw.experiment {
  name = "updates",
  params = { data = "fashion-mnist", n = 1000, small = 30, lr = 0.03, momentum = 0.9, width = 200,
    activation = "relu", sampler = "shuffle", updates = 2000 },

  run = function(run, p)
    local data = cell.data(p.data, p.n, run.seed)
    local result = { small = curve(data, p, p.small, run.seed),
      full = curve(data, p, p.n, run.seed) }
    for _, name in ipairs { "small", "full" } do
      local last = result[name][#result[name]]
      run:print("%5s batch: train loss %.4g, test loss %.4f, test accuracy %.4f", name,
        last.train_loss, last.test_loss, last.test_accuracy)
    end
    run:summary(result)
  end,
}
