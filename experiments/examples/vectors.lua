-- Everything about weights is arithmetic on one flat vector: the slope of the loss along a random
-- direction, by differences and by the gradient.
--
--   swale lua experiments/examples/vectors.lua [epochs]
local sw = require "swale"

local data = sw.data.load "digits"
local model = sw.nn.Sequential {
  sw.nn.Linear(data.features, 32), sw.nn.Tanh(), sw.nn.Linear(32, data.classes),
}:build { seed = 1 }
sw.Trainer { model = model, data = data, lr = 0.05 }:fit { epochs = tonumber(arg[1] or 3) }

local w = model:weights()                             -- a view, not a copy
local d = sw.randn(#w)
d = d * (w:norm() / d:norm())                         -- as long as the weights
local loss = model:loss_on(data.train:sample(1000))   -- a function of a weight vector

local slope = (loss(w + 1e-3 * d) - loss(w - 1e-3 * d)) / 2e-3
print(("loss %.4f   slope by differences %.5f   by the gradient %.5f"):format(loss(w), slope,
  loss:gradient(w):dot(d)))
for t = -0.4, 0.4, 0.2 do print(("at %4.1f: %.4f"):format(t, loss(w + t * d))) end
