-- Who includes whom: between the folders of core/ along ARROWS; the core knows nothing of Lua; the
-- bindings use public headers only.
local each_include = require("source").each_include

local ARROWS = {
  base = "base",
  kernels = "base kernels",
  tensor = "base kernels tensor",
  graph = "base kernels tensor graph",
  train = "base kernels tensor graph train",
  measure = "base kernels tensor graph train measure",
  io = "base tensor io",
}

local function check_arrows(file, fault)
  local layer = file.path:match "^core/(%w+)/"
  each_include(file, function(header, i)
    local from = header:match "^(%w+)/"
    if header:match "^lua" or header:match "^lauxlib" then
      if layer then fault(file.path, i, "the core knows nothing of Lua") end
    elseif layer and ARROWS[layer] and ARROWS[from]
      and not ARROWS[layer]:find("%f[%w]" .. from .. "%f[%W]") then
      fault(file.path, i, "%s must not include %s", layer, header)
    elseif file.path:match "^bindings/" and header:match "/.*_int%.h$" then
      fault(file.path, i, "the bindings use public headers only")
    end
  end)
end

return function(tree, fault)
  for _, file in ipairs(tree) do
    if file.path:match "%.[ch]$" then check_arrows(file, fault) end
  end
end
