--- Inputs and outputs of each layer of a network.
local tree = require "swale.nn.tree"

local M = {}

---Calls f, and note after each call of a layer in it, with the parameters and context of the call.
---What note returns, if anything, takes the place of y.
---@param layer swale.Layer      with all that is inside
---@param note fun(layer: swale.Layer, path: string, x: swale.Value, y: swale.Value, p: table): any
---@param f function
function M.listen(layer, note, f)
  local all, paths = {}, {}
  tree.each(layer, function(l, path)
    if paths[l] then -- in several places, which are called in their order
      table.insert(paths[l], path)
      return
    end
    all[#all + 1], paths[l] = l, { path }
    local call, calls = l.call, 0
    rawset(l, "call", function(self, x, ...)
      calls = calls + 1
      local here = paths[l][calls] or paths[l][#paths[l]]
      local y = call(self, x, ...)
      return note(self, here, x, y, ...) or y
    end)
  end)
  local ok, problem = pcall(f)
  for _, l in ipairs(all) do rawset(l, "call", nil) end
  if not ok then error(problem, 0) end
end

return M
