--- What goes into each layer of a network and what comes out of it.
local M = {}

local function visit(layer, path, f)
  f(layer, path)
  for _, child in ipairs(layer:children()) do
    visit(child.layer, (path == "" and "" or path .. ".") .. child.key, f)
  end
end

---Calls f; while it lasts, each call of a layer is noted once it is done.
---@param layer swale.Layer      with all that is inside
---@param note fun(layer: swale.Layer, path: string, x: swale.Value, y: swale.Value)
---@param f function
function M.listen(layer, note, f)
  local all = {}
  visit(layer, "", function(l, path)
    if rawget(l, "call") then return end -- one that is there twice
    all[#all + 1] = l
    local call = l.call
    rawset(l, "call", function(self, x, ...)
      local y = call(self, x, ...)
      note(self, path, x, y)
      return y
    end)
  end)
  local ok, problem = pcall(f)
  for _, l in ipairs(all) do rawset(l, "call", nil) end
  if not ok then error(problem, 0) end
end

return M
