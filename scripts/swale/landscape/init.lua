--- Landscapes: losses around and between weights. Each is evaluated as trainer:evaluate does, in
--- evaluation mode, and changes neither weights nor random streams of a training.
---@class swale.landscape
local M = {}

for _, file in ipairs { "path", "plane", "rays", "travel" } do
  for name, f in pairs(require("swale.landscape." .. file)) do M[name] = f end
end

return M
