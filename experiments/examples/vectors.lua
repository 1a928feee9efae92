-- Arithmetic on the flat vector of weights: slope and curvature of the loss along a random
-- direction, by differences and by derivatives; then the direction of largest curvature.
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

local h = 1e-2
local ahead, here, behind = loss(w + h * d), loss(w), loss(w - h * d)
print(("loss %.4f   slope by differences %.5f   by the gradient %.5f"):format(here,
  (ahead - behind) / (2 * h), loss:gradient(w):dot(d)))
print(("curvature by differences %.3f   by a Hessian-vector product %.3f"):format(
  (ahead - 2 * here + behind) / h ^ 2, loss:hvp(w, d):dot(d)))

local H, v, top = loss:linearize(w), d, nil           -- H(v): keeps what does not depend on v
for _ = 1, 30 do                                      -- power iteration: the largest eigenvalue
  v = v * (1 / v:norm())
  local Hv = H(v)
  top, v = v:dot(Hv), Hv
end
v = v * (d:norm() / v:norm())
print(("largest eigenvalue %.2f; along d it is %.3f"):format(top, d:dot(H(d)) / d:dot(d)))
print "   t    loss along d   along the sharpest"
for t = -0.4, 0.4, 0.2 do
  print(("%4.1f    %.4f         %.4f"):format(t, loss(w + t * d), loss(w + t * v)))
end
