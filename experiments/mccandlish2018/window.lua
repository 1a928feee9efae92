-- Is the noise scale that a training estimates from its own steps that of all examples?
--
--   swale run experiments/mccandlish2018/window.lua [batch=32]
--
-- It takes 3 s. (McCandlish et al. 2018, appendix A.1.) A window has 256 steps; beside its estimate
-- stands tr(Sigma) / |G|^2 of all examples. tr(Sigma) and |G|^2 are averaged over the steps of all
-- windows and then divided: a window whose |G|^2 comes out small, or negative, counts like others.
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
    local points, noises, signals = {}, { window = 0, exact = 0 }, { window = 0, exact = 0 }
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
      noises.window, noises.exact = noises.window + e.noise, noises.exact + noise / p.window
      signals.window, signals.exact = signals.window + e.signal, signals.exact + signal / p.window
      run:print("step %d: %.4g of %g to %g, exactly %.4g", i * p.window, e.value, e.first, e.last,
        noise / signal)
    end
    local estimated, exact = noises.window / signals.window, noises.exact / signals.exact
    run:summary { ratio = estimated / exact, estimated = estimated, exact = exact, points = points }
  end,
}
