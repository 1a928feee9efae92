-- Is the noise scale that a training estimates from its own steps that of all examples?
--
--   swale run experiments/mccandlish2018/window.lua [batch=32]
--
-- It takes 3 s. (McCandlish et al. 2018, appendix A.1.) The estimate is over a window of 256 steps;
-- beside it stands tr(Sigma) / |G|^2 of all examples, both averaged over the same steps.
local setting = require "setting"
local sw = require "swale"

return sw.experiment {
  name = "mccandlish_window",
  params = { data = "digits", batch = 32, window = 256, windows = 2 },

  run = function(run, p)
    local s = setting.of(p.data)
    local trainer = setting.trainer(s, { batch = p.batch, lr = setting.rate(s, p.batch),
      measure = { noise_scale = { every = { steps = 1 },
        window = { examples = p.window * p.batch } } } })
    local points, sum = {}, 0
    for i = 1, p.windows do
      local signal, noise = 0, 0
      for _ = 1, p.window do
        local n = sw.measure.noise(trainer.model, s.data.train)
        signal, noise = signal + n.signal.value, noise + n.noise.value
        trainer:fit { steps = 1 }
      end
      local e = trainer:state().noise_scale
      points[i] = { step = i * p.window, window = e.value, low = e.low, high = e.high,
        exact = noise / signal }
      sum = sum + math.log(e.value * signal / noise) / p.windows
      run:print("step %d: %.4g of %g to %g, exactly %.4g", i * p.window, e.value, e.first, e.last,
        noise / signal)
    end
    run:summary { ratio = math.exp(sum), points = points }
  end,
}
