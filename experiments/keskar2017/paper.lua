local figures = require "figures"
local sw = require "swale"

local LITTLE = { data = "digits", examples = 200, epochs = 2, small = 10, large = 50, sample = 100,
  starts = 1 }

local function little(more)
  local params = more or {}
  for name, value in pairs(LITTLE) do params[name] = params[name] or value end
  return params
end

-- One pair of each large network; the epochs are few, so that they fit.
local LARGE = { subspace = 0, marks = 100, starts = 1, between = false }
local function network(more)
  for name, value in pairs(LARGE) do more[name] = value end
  return more
end

-- The rates of SGD, of "batch" with Adam at 0.003 and of the large batch without batch norm are
-- those with the best mean validation accuracy over the seeds 1000 and 1001, of a grid by factors
-- of 3. SGD with batch 32 has both rates that tie.
return sw.paper {
  title = "On large-batch training for deep learning: generalization gap and sharp minima",
  citation = "Keskar, Mudigere, Nocedal, Smelyanskiy, Tang 2017, arXiv 1609.04836",
  work = {
    { "pair.lua", { norm = { "batch", "none" } }, seeds = 12, quick = { little(), seeds = 4 } },
    { "pair.lua", { norm = "none", optimizer = "sgd", lr_small = 0.01, lr_large = 0.1 }, seeds = 6,
      quick = { little(), seeds = 2 } },
    { "pair.lua", { equal = "updates", epochs = 15 }, seeds = 5,
      quick = { little(), seeds = 2 } },
    { "batch_size.lua", { norm = "none", optimizer = "sgd", batch = 32, lr = 0.03 }, seeds = 6,
      quick = { little { batch = 10 }, seeds = 2 } },
    { "batch_size.lua", { batch = { 64, 128, 1000, 2500 } }, seeds = 10,
      quick = { little { batch = { 20, 100 } }, seeds = 4 } },
    { "batch_size.lua", { batch = { 32, 500 }, lr = 0.003 }, seeds = 12,
      quick = { little { batch = { 10, 50 } }, seeds = 4 } },
    { "batch_size.lua", { batch = 500, lr = 0.003, norm = "none" }, seeds = 12,
      quick = { little { batch = 50 }, seeds = 4 } },
    { "warm_start.lua", {}, seeds = 10, quick = { little(), seeds = 4 } },
    { "remedies.lua", { remedy = { "augmentation", "conservative", "robust" } }, seeds = 4,
      quick = { little(), seeds = 2 } },
    { "pair.lua", network { network = "F1", examples = 10000, large = 1000, epochs = 20,
      sample = 500 }, seeds = 1, quick = { little(), seeds = 1 } },
    { "pair.lua", network { network = "F1", examples = 55000, small = 256, large = 5500,
      epochs = 2, sample = 500 }, seeds = 1, quick = false },
    { "pair.lua", network { network = "C1", examples = 2000, large = 200, epochs = 4, sample = 50 },
      seeds = 1, quick = false },
  },
  figures = {
    { "line.svg", "Loss and accuracy on the line from the small batch's end (0) to the large one's"
      .. " (1); mean over seeds, 95 %", figures.line },
    { "curve.svg", "The same on the arc between them", figures.curve },
    { "sharpness.svg", "Sharpness of both ends in each setting, and a measure that rescaling does"
      .. " not change", figures.sharpness },
    { "path.svg", "Sharpness against the training loss, from the initial weights (right) to the end"
      .. " (left)", figures.path },
    { "batch_size.svg", "Test accuracy and sharpness against the batch size", figures.batch_size },
    { "warm_start.svg", "The end of the large batch after so many epochs of the small one",
      figures.warm_start },
    { "remedies.svg", "Remedies of the appendix with the large batch", figures.remedies },
  },
}
