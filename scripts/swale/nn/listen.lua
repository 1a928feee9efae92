--- What goes into each layer of a network and what comes out of it.
local tree = require "swale.nn.tree"

local M = {}

---Calls f; while it lasts, each call of a layer is noted once it is done.
---@param layer swale.Layer      with all that is inside
---@param note fun(layer: swale.Layer, path: string, x: swale.Value, y: swale.Value)
---@param f function
function M.listen(layer, note, f)
  local all, paths = {}, {}
  tree.each(layer, function(l, path)
    if paths[l] then -- one that is there twice: its calls come in the order of its places
      table.insert(paths[l], path)
      return
    end
    all[#all + 1], paths[l] = l, { path }
    local call, calls = l.call, 0
    rawset(l, "call", function(self, x, ...)
      calls = calls + 1
      local here = paths[l][calls] or paths[l][#paths[l]]
      local y = call(self, x, ...)
      note(self, here, x, y)
      return y
    end)
  end)
  local ok, problem = pcall(f)
  for _, l in ipairs(all) do rawset(l, "call", nil) end
  if not ok then error(problem, 0) end
end

return M
