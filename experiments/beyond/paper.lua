local draw = require "draw"
local sw = require "swale"

local DIGITS = { data = "digits", examples = 1000 }

--- The digits' parameters with others.
local function digits(more)
  for name, value in pairs(DIGITS) do more[name] = more[name] or value end
  return more
end

local function edge(batch, epochs, warmup, seeds)
  return { "edge.lua", { batch = batch, epochs = epochs, warmup = warmup }, seeds = seeds,
    quick = { digits { examples = 300, epochs = 12, warmup = 2, points = 6 }, seeds = 4 } }
end

local function shallue(batch, lr, seeds)
  return { "shallue.lua", { batch = batch, lr = lr }, seeds = seeds,
    quick = { digits { epochs = 4, target = 1.5, lr = { lr[1], lr[#lr] } }, seeds = 4 } }
end

local function svag(lr, time, seeds)
  return { "svag.lua", { lr = lr, time = time }, seeds = seeds,
    quick = { digits { time = 50 * lr }, seeds = 4 } }
end

return sw.paper {
  title = "What came after: nine short experiments",
  citation = "Cohen 2021, Andreyev 2024, Hoffer 2017, Shallue 2019, Merrill 2025, Malladi 2022,"
    .. " Sanyal 2023, Ajroldi 2025, Hägele 2024, Tian 2025, Meterez 2025, Li 2021",
  work = {
    edge(0, 500, 100, 10), edge(64, 150, 10, 3), edge(16, 300, 5, 10), edge(8, 80, 5, 10),
    { "hoffer.lua", { method = { "small", "large", "ghost" } }, seeds = 24,
      quick = { digits { large = 128, epochs = 3 }, seeds = 4 } },
    { "hoffer.lua", { method = { "rate", "adapted" } }, seeds = 8,
      quick = { digits { large = 128, epochs = 3 }, seeds = 4 } },
    shallue(8, { 0.00625, 0.0125, 0.025, 0.05 }, 12),
    shallue(16, { 0.0125, 0.025, 0.05, 0.1 }, 8),
    shallue(32, { 0.025, 0.05, 0.1, 0.2 }, 8),
    shallue(128, { 0.05, 0.1, 0.2, 0.4 }, 8),
    shallue(512, { 0.05, 0.1, 0.2, 0.4 }, 12),
    { "critical.lua", {}, seeds = 8,
      quick = { digits { target = 1.5, repeats = 4 }, seeds = 4 } },
    { "scaling.lua", { optimizer = { "sgd", "adam" } }, seeds = 20,
      quick = { digits { epochs = 3 }, seeds = 4 } },
    { "averages.lua", { lr = { 0.0025, 0.005, 0.01 } }, seeds = 12,
      quick = { digits { epochs = 4, lr = { 0.005, 0.01 } }, seeds = 4 } },
    { "wsd.lua", { lr = { 2e-3, 4e-3 } }, seeds = 20,
      quick = { digits { epochs = 4 }, seeds = 4 } },
    { "seesaw.lua", {}, seeds = 20, quick = { digits { epochs = 4, most = 128 }, seeds = 4 } },
    svag(0.02, 16, 20), svag(0.16, 64, 3), svag(0.32, 64, 20),
  },
  figures = {
    { "edge.svg", "Largest eigenvalue and batch sharpness along the training, over 2 / lr (mean"
      .. " over seeds, 95 %)", draw.edge },
    { "hoffer.svg", "Test accuracy as the corrections add up, and the distance from the start",
      draw.hoffer },
    { "shallue.svg", "Updates to the target and best test accuracy, the rate tuned for each batch;"
      .. " the batch sizes beyond which branches lose", draw.shallue },
    { "scaling.svg", "Validation loss of the base batch and of 8 times the batch by either rule",
      draw.scaling },
    { "late.svg", "Test losses of averages, cool-downs and Seesaw (mean over seeds, 95 %)",
      draw.late },
    { "svag.svg", "Train loss of SVAG over l, by the rate", draw.svag },
  },
}
