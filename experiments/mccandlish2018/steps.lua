-- How many steps does it take to reach a training loss at a batch size, at each of several rates?
--
--   swale run experiments/mccandlish2018/steps.lua [data=digits] [batch=64]
--
-- It takes 0.3 s on the digits, 3 to 35 s on Fashion-MNIST. Over batch sizes, the steps at the best
-- rate make the trade-off of McCandlish et al. 2018, section 2.3.
local setting = require "setting"
local sw = require "swale"

return sw.experiment {
  name = "mccandlish_steps",
  params = { data = "digits", batch = 64, rates = 7, budget = 20000 }, -- steps of the first rate

  run = function(run, p)
    local s = setting.of(p.data)
    local cells, most = {}, p.budget
    for k = 1, p.rates do -- 1, 1.6, 1/1.6, 1.6^2, …
      local factor = 1.6 ^ (k % 2 == 0 and k // 2 or -(k // 2))
      local lr = factor * setting.rate(s, p.batch)
      local trainer = setting.trainer(s, { batch = p.batch, lr = lr })
      local steps, made = setting.steps_to(s, trainer, most)
      -- What a run that diverged, or was not there in time, would have taken is more than `most`.
      cells[k] = { lr = lr, factor = factor, reached = {}, steps = {} }
      for i in ipairs(s.targets) do
        cells[k].reached[i], cells[k].steps[i] = steps[i] ~= nil, steps[i] or most
      end
      run:print("B %d, rate %.4g: %s%s", p.batch, lr, table.concat(cells[k].steps, ", "),
        steps[#s.targets] and "" or (", not reached in %d"):format(made))
      -- A rate that takes 2.5 times the steps of another one will not be the best.
      local last = steps[#s.targets]
      if last then most = math.min(most, math.ceil(2.5 * last)) end
    end
    run:summary { targets = s.targets, cells = cells }
  end,
}
