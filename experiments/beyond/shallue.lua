-- How many updates does a batch size need to a target once its rate is tuned, and is the best test
-- accuracy of large batches lower? (Shallue et al. 2019)
--
--   swale sweep experiments/beyond/shallue.lua batch=log2:8..512 lr=0.0125,0.025,0.05,0.1,0.2,0.4
--
-- The weights that count are the best on the validation set, which also chooses the rate. A run
-- ends at 3 times the updates that these took, at the latest after `epochs`. It takes 2 s.
local setting = require "setting"
local sw = require "swale"

return sw.experiment {
  name = "shallue",
  params = { data = "fashion-mnist", examples = 5000, batch = 32, lr = 0.05, epochs = 80,
    target = 0.5 },
  objective = { "best_valid_loss", "min" },

  run = function(run, p)
    local data = setting.data(p.data, p.examples, run.seed)
    local trainer = sw.Trainer { model = setting.network(data), data = data, lr = p.lr,
      batch_size = p.batch, sampler = "independent" }
    local reached, best = nil, { loss = math.huge }
    local next_look = 1
    trainer:on("step", function(s)
      if s.step < next_look then return end
      next_look = math.ceil((reached and 1.1 or 1.04) * s.step)
      local valid = trainer:evaluate("last", { on = "valid" })
      if valid.loss <= p.target then reached = reached or s.step end
      if valid.loss < best.loss then
        best = { loss = valid.loss, accuracy = valid.accuracy, step = s.step,
          weights = trainer:weights():clone() }
      end
    end)
    trainer:fit { epochs = p.epochs, run = run, until_ = function(s)
      return reached and s.step > 3 * best.step
    end }

    run:summary { best_valid_loss = best.loss, best_valid_accuracy = best.accuracy,
      best_step = best.step, reached = reached ~= nil,
      steps_to_target = reached or trainer:state().step, -- where not reached: the updates made
      test = setting.metrics(trainer, best.weights, "test"), beside = setting.beside(trainer) }
  end,
}
