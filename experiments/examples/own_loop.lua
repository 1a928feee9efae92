-- A training loop without the Trainer: sharpness-aware minimisation (Foret et al. 2021), which
-- takes the gradient not at w but at a point at distance rho uphill of it.
--
--   swale lua experiments/examples/own_loop.lua [epochs]
local sw = require "swale"

local data = sw.data.load "digits"
local net = sw.nn.Sequential {
  sw.nn.Linear(data.features, 64), sw.nn.ReLU(), sw.nn.Linear(64, data.classes),
}
local model = net:build { seed = 1 }
local f = sw.compile(sw.loss.cross_entropy, model)    -- a function of weights and a batch
local w, rho = model:weights(), 0.05

for batch in data.train:batches { size = 32, epochs = tonumber(arg[1] or 10) } do
  local _, g = f:value_and_gradient(w, batch)
  local uphill = g * (rho / g:norm())
  local _, gs = f:value_and_gradient(w + uphill, batch)
  w:add(-0.1, gs)
end

local worst, _, path = sw.check_gradient(f)           -- central differences in double
print(("gradient checked: off by at most %.1g, in %s"):format(worst, path))
local held_out = model:loss_on(data.test:sample(#data.test))
print(("test loss %.4f"):format(held_out(w)))
