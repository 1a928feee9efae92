local draw = require "draw"
local sw = require "swale"

local DIGITS = { data = "digits", examples = 200, epochs = 8, batch = 20, rays = 2, grid = 5,
  sample = 100 }

local function swa(params, seeds)
  return { "swa.lua", params, seeds = seeds, quick = { DIGITS, seeds = 2 } }
end

return sw.paper {
  title = "Averaging weights leads to wider optima and better generalization",
  citation = "Izmailov, Podoprikhin, Garipov, Vetrov, Wilson 2018, arXiv 1803.05407",
  work = {
    swa({ net = "cnn", lr = 0.01, swa_lr = 0.003, cycle_lr = 0.006, longer = false, rays = 2,
      sample = 1500, plane = 1 }, 10),
    swa({ net = "cnn", lr = 0.02, swa_lr = 0.006, whole = false }, 10),
    swa({ net = "cnn", lr = 0.01, swa_lr = 0.003, whole = false, augment = true }, 3),
    swa({ net = "mlp", data = "fashion-mnist", lr = 0.05, swa_lr = 0.015, cycle_lr = 0.03 }, 20),
    { "fge.lua", {}, seeds = 10, quick = { { data = "digits", examples = 500, epochs = 4 },
      seeds = 2 } },
    { "quadratic.lua", {}, seeds = 10, quick = { { each = 50, windows = 2 }, seeds = 2 } },
  },
  figures = {
    { "budgets.svg", "Test accuracy against the budget: SWA, and SGD whose rate decays (mean over"
      .. " seeds, 95 %)", draw.budgets },
    { "line.svg", "On the line from SWA (0) to SGD (1): train loss and test error, the mean over"
      .. " seeds", draw.line },
    { "rays.svg", "Rise of the train loss on rays from the weights of SWA and of SGD,"
      .. " three seeds",
      draw.rays },
    { "plane_train_loss.svg", "Train loss on the plane through SGD, SWA and SGD at a constant rate"
      .. " (convolutional network, seed 1)", draw.plane "train_loss" },
    { "plane_test_error.svg", "Test error on this plane", draw.plane "test_error" },
    { "ensemble.svg", "Distance of the average's outputs from the ensemble's, and from those of one"
      .. " network, as the deviations of the weights shrink", draw.ensemble },
    { "quadratic.svg", "Noisy quadratic: variance of the average of n iterates over that of one;"
      .. " lines: the formula; dashed: 1 / n", draw.quadratic },
  },
}
