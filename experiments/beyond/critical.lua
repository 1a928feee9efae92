-- Is the critical batch size that branches of one training find (Merrill et al. 2025) that of the
-- Pareto fit of whole trainings (McCandlish et al. 2018), and where is the noise scale?
--
--   swale run experiments/beyond/critical.lua [--seed 3]
--
-- The training ends where the runs of shallue.lua end that the fit is made of: at a validation loss
-- of `target`. Branches of k times the batch have k times the rate. It takes 10 s.
local setting = require "setting"
local sw = require "swale"

return sw.experiment {
  name = "critical",
  params = { data = "fashion-mnist", examples = 5000, batch = 8, lr = 0.025, target = 0.5,
    tolerance = 0.02, length = 0.5, repeats = 24 },

  run = function(run, p)
    local data = setting.data(p.data, p.examples, run.seed)
    local trainer = sw.Trainer { model = setting.network(data), data = data, lr = p.lr,
      batch_size = p.batch, sampler = "independent" }
    local far = false
    trainer:on("step", function(s)
      if s.step % 10 ~= 0 then return end
      far = far or trainer:evaluate("last", { on = "valid" }).loss <= p.target
    end)
    trainer:fit { epochs = 10, until_ = function() return far end, run = run }

    local noise = sw.measure.noise(trainer.model, data.train)
    local branched = sw.fit.branched_batch(trainer, { epochs = p.length,
      factors = { 1, 2, 4, 8, 16, 32 }, tolerance = p.tolerance, repeats = p.repeats,
      on = "train" })
    run:plot()
    branched:plot(run.dir .. "/plots/branched.svg")
    run:print("%s", branched)
    local losses = {}
    for i, point in ipairs(branched.points) do losses[i] = point.loss end
    run:summary { b_crit = branched.b_crit.value, low = branched.b_crit.low,
      high = branched.b_crit.high, b_simple = noise.b_simple.value, losses = losses,
      steps_before = trainer:state().step, beside = setting.beside(trainer) }
  end,
}
