-- Does the average of SGD's iterates at a high rate beat SGD whose rate decays, at equal budgets?
-- Is it wider? Does it need batch-norm statistics of its own?
--
--   swale run experiments/izmailov2018/swa.lua [net=mlp data=fashion-mnist] [--seed 3]
--
-- It takes about 2.5 minutes on one core with net=cnn longer=false, 6 s with net=mlp.
--
-- All trainings of a seed have the same weights at first and the same batches. The first epochs,
-- with equal rates, are computed once: a fork goes on as its original would. SGD has one budget;
-- with longer=true it has 1.25 and 1.5, too. With whole=false it is SGD and SWA with one budget and
-- no more, to choose rates on validation.
local around = require "around"
local setting = require "setting"
local sw = require "swale"

local BUDGETS = { { "b100", 1 }, { "b125", 1.25 }, { "b150", 1.5 } } -- a quarter each

local function swa_from(epochs)
  return sw.average.SWA { start = { epochs = epochs }, every = { epochs = 1 }, keep = true }
end

return sw.experiment {
  name = "swa",
  params = { net = sw.choice { "cnn", "mlp" }, data = "cifar10", augment = false, examples = 5000,
    epochs = 20, batch = 64, lr = 0.01, swa_lr = 0.003, cycle_lr = 0.006, weight_decay = 5e-4,
    rise = 0.1, rays = 4, plane = 0, grid = 9, sample = 2000, -- plane: the seed that draws one
    longer = true, whole = true },

  run = function(run, p)
    local data, valid, tests = setting.data(run, p, p.net == "cnn", p.augment)
    local start = 0.75 * p.epochs -- of averaging
    local budgets = p.whole and BUDGETS or { BUDGETS[1] }

    --- Accuracy over all test images.
    local function test(trainer, which, o)
      local right, n = 0, 0
      for _, split in ipairs(tests) do
        o.on = split
        right, n = right + #split * trainer:evaluate(which, o).accuracy, n + #split
      end
      return right / n
    end

    --- How good a trainer's last weights or their average are.
    local function result(trainer, which)
      local train = trainer:evaluate(which, { on = data.train })
      local found = { updates = trainer:state().step, train_loss = train.loss,
        train_accuracy = train.accuracy, test_accuracy = test(trainer, which, {}),
        valid_accuracy = trainer:evaluate(which, { on = valid }).accuracy }
      run:print("%-6s epoch %4.1f: train loss %.4f, valid %.4f, test %.4f", which,
        trainer:state().epoch, found.train_loss, found.valid_accuracy, found.test_accuracy)
      return found
    end

    --- Mean test accuracy over the captured iterates, each with statistics of its own.
    local function of_iterates(trainer)
      local list, sum = trainer.average.captured, 0
      for _, w in ipairs(list) do
        local buffers = p.net == "cnn" and trainer.model:reestimate(data.train, { weights = w })
        sum = sum + test(trainer, w, { buffers = buffers or nil })
      end
      return sum / #list
    end

    local swa = sw.Trainer {
      model = setting.network(p.net, data), data = data, batch_size = p.batch, seed = run.seed,
      optimizer = sw.optim.SGD { momentum = 0.9, weight_decay = p.weight_decay },
      lr = setting.decayed(p.lr, p.swa_lr, start), average = swa_from(start),
    }
    swa:fit { epochs = start / 2, run = run } -- each fit goes on from the one before
    local constant = swa:fork { lr = p.lr, average = swa_from(p.epochs / 2) }
    local r = { data = data.name, sgd = {}, swa = {} }

    local sgd, trained = nil, start / 2
    for _, budget in ipairs(p.longer and budgets or { BUDGETS[1] }) do -- SGD with a decaying rate
      local name, half = budget[1], budget[2] * p.epochs / 2
      constant:fit { epochs = half - trained }
      trained = half
      local decayed = constant:fork { average = {},
        lr = setting.decayed(p.lr, 0.01 * p.lr, 2 * half) }
      r.sgd[name] = result(decayed:fit { epochs = half }, "last")
      sgd = sgd or decayed
    end
    if p.whole then -- from scratch, at a constant rate, averaged
      r.scratch = result(constant:fit { epochs = p.epochs - trained }, "swa")
      r.scratch.iterates = of_iterates(constant)
    end

    swa:fit { epochs = start / 2, run = run }
    local cyclic = swa:fork { average = swa_from(start),
      lr = setting.decayed_then_cyclic(p.lr, p.cycle_lr, p.swa_lr, start) }
    local average
    for _, budget in ipairs(budgets) do -- SWA
      local name, quarter = budget[1], 0.25 * p.epochs
      r.swa[name] = result(swa:fit { epochs = quarter, run = run }, "swa")
      if p.whole and name == "b100" then
        r.cyclic = result(cyclic:fit { epochs = quarter }, "swa")
        average = swa.average:weights()
        r.iterates = of_iterates(swa)
        if p.net == "cnn" then
          local initial = swa.model.layer:build { seed = run.seed }:buffers()
          r.without = { -- statistics of the last iterate; of no pass at all: mean 0, variance 1
            last = test(swa, average, { batch_norm = "running" }),
            initial = test(swa, average, { buffers = initial }) }
        end
      end
    end

    run:plot()
    if not p.whole then return run:summary(r) end
    local points = { sgd = sgd:weights(), swa = average, constant = constant:weights() }
    r.around = around.measure(run, p, { data = data, model = swa.model, points = points,
      path = swa.average.captured })
    run:summary(r)
  end,
}
