-- No script compares the kind of a layer: what is to be known of one is a method that it answers.
-- Kinds of layers begin with a capital, others do not.
local function compares(code)
  return code:find '%f[%w_]kind%s*[=~]=%s*["\']%u'
    or code:find '["\']%u%w*["\']%s*[=~]=%s*[%w_.]*%f[%w_]kind%f[^%w_]'
end

return function(tree, fault)
  for _, file in ipairs(tree) do
    if file.path:find "^scripts/" or file.path:find "^experiments/" then
      for i, line in ipairs(file.lines) do
        if compares((line:gsub("%-%-.*", ""))) then
          fault(file.path, i, "compares the kind of a layer; ask a method of the layer")
        end
      end
    end
  end
end
