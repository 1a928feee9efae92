-- How do the noise scales B_simple and B_noise grow along a training, and how far above the best
-- single step is a constant rate?
--
--   swale run experiments/mccandlish2018/noise.lua [data=digits]
--
-- It takes 8 s on the digits, 60 s on Fashion-MNIST. (McCandlish et al. 2018, sections 2.2 and 3,
-- appendix E.1.) On the digits all examples are measured, so that nothing is estimated.
local setting = require "setting"
local sw = require "swale"

local TERMS = { "signal", "noise", "curvature", "noise_curvature" }
local WINDOW = 64 -- steps

--- The noise scales of the means of the terms: a single step's swing several-fold.
local function scales(marks, batch, lr)
  local mean = {}
  for _, name in ipairs(TERMS) do
    mean[name] = 0
    for _, m in ipairs(marks) do mean[name] = mean[name] + m[name] / #marks end
  end
  return { marks = #marks, b_simple = mean.noise / mean.signal,
    b_noise = mean.noise_curvature / mean.curvature,
    overshoot = lr * (mean.curvature + mean.noise_curvature / batch) / mean.signal }
end

local function between(marks, low, high)
  local list = {}
  for _, m in ipairs(marks) do
    if m.loss >= low and m.loss <= high then list[#list + 1] = m end
  end
  return list
end

return sw.experiment {
  name = "mccandlish_noise",
  params = { data = "digits", batch = 32, examples = 1197, final = 0.05, budget = 40000 },

  run = function(run, p)
    local s = setting.of(p.data)
    local lr, marks, losses = setting.rate(s, p.batch), {}, table.move(s.targets, 1, 3, 1, {})
    losses[#losses + 1] = p.final
    s.targets[#s.targets + 1] = 0.9 * p.final
    local trainer = setting.trainer(s, { batch = p.batch, lr = lr,
      measure = { noise_scale = { every = { steps = 1 },
        window = { examples = WINDOW * p.batch } } } })
    setting.steps_to(s, trainer, p.budget, function(loss, at)
      local n = sw.measure.noise(trainer.model, s.data.train:sample(p.examples, at),
        { hessian = true })
      local m = { step = at, loss = loss, window = trainer:state().noise_scale.value }
      for _, name in ipairs(TERMS) do m[name] = n[name].value end
      marks[#marks + 1] = m
    end)

    local at = { start = scales({ marks[1], marks[2], marks[3] }, p.batch, lr) }
    for i, loss in ipairs(losses) do
      at[i] = scales(between(marks, 0.9 * loss, 1.1 * loss), p.batch, lr)
      run:print("loss %g: B_simple %.4g, B_noise %.4g, rate / best rate %.3g (%d marks)", loss,
        at[i].b_simple, at[i].b_noise, at[i].overshoot, at[i].marks)
    end
    run:summary { lr = lr, losses = losses, marks = marks, start = at.start, first = at[1],
      second = at[2], third = at[3], final = at[4] }
  end,
}
