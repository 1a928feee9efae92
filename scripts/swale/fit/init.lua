--- Laws fitted to runs.
---@class swale.fit
---@field critical_batch fun(rows: table[], o?: swale.CriticalBatchOptions): swale.CriticalBatch
---@field branched_batch fun(trainer: swale.Trainer, o: table): swale.BranchedBatch
local M = {}

for _, file in ipairs { "critical_batch", "branched" } do
  for name, f in pairs(require("swale.fit." .. file)) do M[name] = f end
end

return M
