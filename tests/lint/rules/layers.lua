-- No script compares the kind of a layer, and none outside scripts/swale/nn reads it: what is to
-- be known of a layer is a method. tests/lua/test_layers.lua checks the methods of each layer.
-- Kinds of layers begin with a capital, others do not.
local function compares(code)
  return code:find '%f[%w_]kind%s*[=~]=%s*["\']%u'
    or code:find '["\']%u%w*["\']%s*[=~]=%s*[%w_.]*%f[%w_]kind%f[^%w_]'
end

-- layer.kind, child.kind, entry.layer.kind
local function reads(code)
  for _, name in ipairs { "layer", "child", "net", "network", "norm" } do
    if code:find("%f[%w_]" .. name .. "%.kind%f[^%w_]") then return true end
  end
  return false
end

-- Messages may have the kind: "nn.%s".
local function is_message(code) return code:find("nn.%s", 1, true) or code:find "misuse%(" end

return function(tree, fault)
  for _, file in ipairs(tree) do
    if file.path:find "^scripts/" or file.path:find "^experiments/" then
      for i, line in ipairs(file.lines) do
        local code = line:gsub("%-%-.*", "")
        if compares(code) then
          fault(file.path, i, "compares the kind of a layer; ask a method of the layer")
        elseif not file.path:find "^scripts/swale/nn/" and reads(code) and not is_message(code) then
          fault(file.path, i, "reads the kind of a layer; ask a method of the layer")
        end
      end
    end
  end
end
