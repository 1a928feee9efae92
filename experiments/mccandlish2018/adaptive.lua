-- Does a batch size of scale * sqrt(r B_simple), which follows the noise scale, cost less than the
-- best fixed one?
--
--   swale run experiments/mccandlish2018/adaptive.lua [scale=0.5]
--
-- It takes 2 s on the digits. (McCandlish et al. 2018, appendix D, eq. D.6.) The cost of a training
-- is r steps + examples. The noise scale is that of all examples, every 4 % of the training: what
-- that would cost is not counted. Rates are tuned as in steps.lua.
local setting = require "setting"
local sw = require "swale"

return sw.experiment {
  name = "mccandlish_adaptive",
  params = { data = "digits", r = 32.0, scale = 1.0, rates = 7, budget = 4000 },

  run = function(run, p)
    local s = setting.of(p.data)
    local cells, most = {}, p.budget
    for k = 1, p.rates do
      local factor = 1.6 ^ (k % 2 == 0 and k // 2 or -(k // 2))
      local batch, examples, counts = nil, 0, {}
      local function adapt(trainer)
        local n = sw.measure.noise(trainer.model, s.data.train)
        batch = math.max(1, math.min(#s.data.train // 4,
          math.floor(p.scale * math.sqrt(p.r * n.b_simple.value) + 0.5)))
      end
      local trainer = setting.trainer(s, { batch = function() return batch end,
        lr = function() return factor * setting.rate(s, batch) end })
      adapt(trainer)
      local at = 0
      local steps = setting.steps_to(s, trainer, most, function(_, to)
        examples, at = examples + (to - at) * batch, to
        counts[#counts + 1] = { step = to, batch = batch, examples = examples }
        adapt(trainer)
      end)
      cells[k] = { factor = factor, costs = {}, reached = {}, path = counts }
      run:print("%g: %s", factor, table.concat(steps, ", "))
      for i in ipairs(s.targets) do
        local before = { step = 0, examples = 0, batch = 1 }
        -- Not reached: a run that diverged early drew few examples, which must not make it cheap.
        local cost = math.max(p.r * most + examples, most * (p.r + batch))
        for _, c in ipairs(counts) do
          if steps[i] and c.step >= steps[i] then
            cost = p.r * steps[i] + before.examples + (steps[i] - before.step) * c.batch
            break
          end
          before = c
        end
        cells[k].costs[i], cells[k].reached[i] = cost, steps[i] ~= nil
      end
    end
    run:summary { targets = s.targets, cells = cells }
  end,
}
