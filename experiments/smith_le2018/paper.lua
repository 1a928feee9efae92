local pictures = require "pictures"
local sw = require "swale"

-- Quick: few examples of the digits; the widths and rates stay, so that claims find their settings.
local QUICK = { data = "digits", n = 200, updates = 400, fitted = 0.05, least = 8, most = 128 }

local function quick(changes)
  local o = {}
  for name, value in pairs(QUICK) do o[name] = value end
  for name, value in pairs(changes or {}) do o[name] = value end
  return { o, seeds = 4 }
end

return sw.paper {
  title = "A Bayesian perspective on generalization and stochastic gradient descent",
  citation = "Smith and Le 2018, arXiv 1710.06451",
  work = {
    { "evidence.lua", { labels = "true", most = 3.0 }, seeds = 6,
      quick = { { data = "digits", n = 50, each = 1.0 }, seeds = 4 } },
    { "evidence.lua", { labels = "random", most = 3.0, each = 1.0 }, seeds = 6,
      quick = { { data = "digits", n = 50, each = 1.0 }, seeds = 4 } },
    { "updates.lua", { lr = { 0.03, 1.0 } }, seeds = 2,
      quick = { { data = "digits", n = 200, updates = 100 }, seeds = 2 } },
    -- over the rate. Beyond B = N nothing is left for the rates 0.3 and 1
    { "curve.lua", { lr = 0.01, least = 6, most = 91, full = false }, seeds = 10, quick = quick() },
    { "curve.lua", { lr = 0.03, least = 23, most = 256, full = false }, seeds = 20,
      quick = quick() },
    { "curve.lua", { lr = 0.1, least = 32 }, seeds = 20, quick = quick() },
    { "curve.lua", { lr = 0.3, least = 91 }, seeds = 10, quick = quick() },
    { "curve.lua", { lr = 1.0, least = 91 }, seeds = 1, quick = quick() },
    -- over N
    { "curve.lua", { lr = 0.03, n = { 250, 500 }, least = 8, most = 181, full = false }, seeds = 3,
      quick = quick { n = { 60, 100 } } },
    { "curve.lua", { lr = 0.03, n = 2000, least = 23, most = 256, full = false }, seeds = 3,
      quick = quick { n = 400 } },
    { "curve.lua", { n = { 250, 500 }, least = 16, full = false }, seeds = 10,
      quick = quick { n = { 60, 100 } } },
    { "curve.lua", { n = 2000, least = 91, most = 724, full = false }, seeds = 10,
      quick = quick { n = 400 } },
    -- over the momentum
    { "curve.lua", { momentum = 0.0, least = 6, most = 91, full = false }, seeds = 14,
      quick = quick() },
    { "curve.lua", { momentum = 0.5, least = 8, most = 128, full = false }, seeds = 14,
      quick = quick() },
    { "curve.lua", { momentum = 0.8, least = 23, most = 256, full = false }, seeds = 14,
      quick = quick() },
    { "curve.lua", { momentum = 0.95, least = 91 }, seeds = 1, quick = quick() },
    -- controls: no units that die; independent draws; the paper's width
    { "curve.lua", { activation = "tanh", least = 45, most = 512, full = false }, seeds = 2,
      quick = quick() },
    { "curve.lua", { sampler = "independent", least = 45, most = 512, full = false }, seeds = 2,
      quick = quick() },
    { "curve.lua", { width = 800, least = 45, most = 512, full = false }, seeds = 2,
      quick = quick() },
  },
  figures = {
    { "evidence.svg", "Evidence and test loss over lambda, for true and random labels"
      .. " (mean over seeds, 95 %)", pictures.evidence },
    { "updates.svg", "Small and full batch over updates, at the rates 0.03 and 1 (means of 2"
      .. " seeds)",
      pictures.updates },
    { "batch.svg", "Test accuracy, training accuracy and dead units over the batch size",
      pictures.batch },
    { "optimum.svg", "The best batch size over rate, training examples and momentum; the line has"
      .. " slope 1", pictures.optimum },
    { "collapse.svg", "Test accuracy over the noise scale g", pictures.collapse },
    { "controls.svg", "Tanh, independent draws and the paper's width (means of 2 seeds) beside the"
      .. " main setting (95 %)",
      pictures.controls },
  },
}
