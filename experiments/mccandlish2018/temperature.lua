-- Is the noise scale proportional to B / eps, where a training at a constant rate has come to rest?
--
--   swale run experiments/mccandlish2018/temperature.lua [lr=0.05] [batch=4]
--
-- It takes 1 to 8 s. (McCandlish et al. 2018, appendix C.) Logistic regression on digits of which
-- 20 % have a wrong label cannot fit them all, so there is such a state. It is approached from a
-- hotter one, 8 times the rate, so that B_simple first is far too small. Examples are drawn
-- independently, |G|^2 is that of the whole set. Durations are in units of 1 / rate.
local sw = require "swale"

return sw.experiment {
  name = "mccandlish_temperature",
  params = { lr = 0.05, batch = 4, label_noise = 0.2, hotter = 8.0, hot = 100.0, rest = 500.0,
    measured = 1000.0, marks = 200 },

  run = function(run, p)
    local data = sw.data.load("digits"):label_noise { rate = p.label_noise }
    local lr = p.hotter * p.lr
    local trainer = sw.Trainer { model = sw.nn.Linear(data.features, data.classes), data = data,
      lr = function() return lr end, batch_size = p.batch, sampler = "independent" }
    local loss = trainer.model:loss_on(data.train)
    local minimum = sw.optim.lbfgsb(loss, trainer:weights(), { iterations = 500 })
    trainer:weights():copy(minimum.x)

    trainer:fit { steps = math.ceil(p.hot / lr) }
    local hot = sw.measure.noise(trainer.model, data.train).b_simple.value
    lr = p.lr
    trainer:fit { steps = math.ceil(p.rest / lr) }
    local signal, noise, halves = 0, 0, { 0, 0 }
    for i = 1, p.marks do
      trainer:fit { steps = math.ceil(p.measured / lr / p.marks) }
      local n = sw.measure.noise(trainer.model, data.train)
      signal, noise = signal + n.signal.value, noise + n.noise.value
      local half = i <= p.marks // 2 and 1 or 2
      halves[half] = halves[half] + n.signal.value
    end
    run:summary { b_simple = noise / signal, hot = hot, noise = noise / p.marks,
      signal = signal / p.marks,
      later_half = halves[2] / halves[1], -- of |G|^2: 1 at rest
      excess_loss = loss(trainer:weights()) - minimum.value, minimum = minimum.status }
    run:print("B / eps %.4g: B_simple %.4g, hot %.4g; |G|^2, later half over earlier: %.3g",
      p.batch / p.lr, noise / signal, hot, halves[2] / halves[1])
  end,
}
