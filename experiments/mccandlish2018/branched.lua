-- From a moment of a training, how large may the batch become before the same examples bring less?
--
--   swale run experiments/mccandlish2018/branched.lua [data=digits]
--
-- It takes 1 s on the digits, 20 s on Fashion-MNIST. The branches, their tolerance of 0.01 and what
-- is called critical are those of Merrill et al. 2025. Rates are those of the sweep, not retuned:
-- small batches sit at their noise floor, so that the size is where that floor is no longer beaten.
local setting = require "setting"
local sw = require "swale"

return sw.experiment {
  name = "mccandlish_branched",
  params = { data = "digits", batch = 4, doublings = 6, share = 1.0, repeats = 4,
    tolerance = 0.01, budget = 20000 },

  run = function(run, p)
    local s = setting.of(p.data)
    local lr, factors, results = setting.rate(s, p.batch), {}, {}
    for k = 0, p.doublings do factors[k + 1] = 1 << k end
    local trainer = setting.trainer(s, { batch = p.batch, lr = lr })
    setting.steps_to(s, trainer, p.budget, function(_, at, passed)
      for _, i in ipairs(passed) do
        local examples = math.max(math.floor(p.share * at * p.batch), factors[#factors] * p.batch)
        local b = sw.fit.branched_batch(trainer, { examples = examples, factors = factors,
          repeats = p.repeats, tolerance = p.tolerance, lr = lr, batch_size = p.batch,
          scaling = function(k) return setting.rate(s, k * p.batch) / lr end })
        results[i] = { examples = examples, b_crit = b.b_crit.value, points = {} }
        for k, point in ipairs(b.points) do
          results[i].points[k] = { batch = point.batch, loss = point.loss }
        end
        run:print("loss %g, over %d examples: %s", s.targets[i], examples, b)
      end
    end)
    run:summary { targets = s.targets, at = results }
  end,
}
