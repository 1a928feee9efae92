-- Where does SGD behave as its stochastic differential equation? SVAG with l = 1 is SGD; as l grows
-- it approaches the equation. (Li, Malladi, Arora 2021)
--
--   swale run experiments/beyond/svag.lua lr=0.02 [--seed 3]
--
-- Each l makes l times as many steps, of lr / l, from independent batches. The train loss is a mean
-- over forty moments of the second half. It takes 10 s, with lr=0.32 time=64 4 s.
local setting = require "setting"
local sw = require "swale"

--- Gradients of batches that are drawn independently.
local function gradients(f, data, size, random)
  local index = {}
  return function(w)
    for i = 1, size do index[i] = random:integer(#data.train) end
    local x, y = data.train:gather(index)
    local _, g = f:value_and_gradient(w, { x = x, y = y })
    return g
  end
end

local function mean(list)
  local sum = 0
  for _, v in ipairs(list) do sum = sum + v end
  return sum / #list
end

return sw.experiment {
  name = "svag",
  params = { data = "fashion-mnist", examples = 5000, batch = 32, lr = 0.02, time = 16.0,
    most = 8 },

  run = function(run, p)
    local data = setting.data(p.data, p.examples, run.seed)
    local train, test = data.train:sample(#data.train), data.test:sample(#data.test)
    local found, l = {}, 1
    while l <= p.most do
      local model = setting.network(data):build { seed = run.seed }
      local f, w = sw.compile(sw.loss.cross_entropy, model), model:weights():clone()
      local svag = sw.svag { lr = p.lr, l = l }
      local gradient = gradients(f, data, p.batch, sw.random(run.seed, "svag/" .. l))
      local steps, loss_on, losses = math.floor(p.time / p.lr + 0.5), model:loss_on(train), {}
      for step = 1, steps do
        svag:advance(w, gradient)
        if step * 80 >= steps * (41 + #losses) then losses[#losses + 1] = loss_on(w) end
      end
      found["l" .. l] = { train_loss = mean(losses), test_loss = model:loss_on(test)(w) }
      run:print("l = %d: train loss %.4f", l, found["l" .. l].train_loss)
      l = l * 2
    end
    run:summary(found)
  end,
}
