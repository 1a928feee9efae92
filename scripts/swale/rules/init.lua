--- Ready-made rules: hyperparameters that follow what a training measures.
---
---     local batch = sw.rules.noise_scale { start = 32 }
---     local trainer = sw.Trainer { model = net, data = data, lr = 0.1, batch_size = batch,
---       measure = { noise_scale = sw.every { steps = 5 } } }
---
--- They act on what is sure: they grow a batch on `sure`, a lower end for rules (rules/sure.lua),
--- which is there even while the estimate is unresolved, and shrink one on its upper end.
---@class swale.rules: swale.BatchRules, swale.RateRules
local M = {}

for _, file in ipairs { "batch", "rate" } do
  for name, f in pairs(require("swale.rules." .. file)) do M[name] = f end
end

return M
