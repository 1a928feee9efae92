--- Quantities of weights on data. Each is a function of a model, a sample and options:
---
---     local top = sw.measure.eigenvalues(model, data.train:sample(1000), { k = 5 })
---
--- It needs no training, and changes neither the model nor the streams of a training.
---@class swale.measure
local M = {}

--- The files of this folder that hold such functions, a line each.
local FILES = {
  "ball",
  "density",
  "dual_noise",
  "edge",
  "eigenvalues",
  "evidence",
  "exact",
  "gram",
  "line_search",
  "noise",
  "rescaling",
  "sharpness",
  "step_cost",
  "tangent_kernel",
  "trace",
}

for _, file in ipairs(FILES) do
  for name, f in pairs(require("swale.measure." .. file)) do M[name] = f end
end

return M
