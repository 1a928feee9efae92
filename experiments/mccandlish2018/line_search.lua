-- Is the best single step at batch size B, by line search, eps_max / (1 + B_noise / B)?
--
--   swale run experiments/mccandlish2018/line_search.lua [data=digits]
--
-- It takes 3 s on the digits, 40 s on Fashion-MNIST. (McCandlish et al. 2018, eq. 2.6.) The losses
-- are measured at the formula's rate and at twice that, so that what is not quadratic counts.
local setting = require "setting"
local sw = require "swale"

return sw.experiment {
  name = "mccandlish_line_search",
  params = { data = "digits", batch = 32, target = 2, powers = 4, largest = 1024, draws = 64,
    budget = 20000 },

  run = function(run, p)
    local s = setting.of(p.data)
    s.targets = { s.targets[p.target] }
    local trainer = setting.trainer(s, { batch = p.batch, lr = setting.rate(s, p.batch) })
    setting.steps_to(s, trainer, p.budget)
    local whole = { x = s.sample.x, y = s.sample.y } -- this sample is the training set here
    local noise = sw.measure.noise(trainer.model, whole, { hessian = true })
    local points, batch = {}, 1
    while batch <= p.largest do
      local formula = noise:eps_opt(batch).value
      local found = sw.measure.line_search(trainer.model, whole, { batch_size = batch,
        eps = formula, draws = p.draws })
      points[#points + 1] = { batch = batch, formula = formula, found = found.value,
        low = found.low, high = found.high }
      run:print("B %d: formula %.4g, line search %s", batch, formula, found)
      batch = batch * p.powers
    end
    run:summary { b_noise = noise.b_noise.value, eps_max = noise.eps_max.value, points = points }
  end,
}
