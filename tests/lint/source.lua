--- What rules read in C files.
local M = {}

---Calls visit(header, line) for each #include.
function M.each_include(file, visit)
  for i, line in ipairs(file.lines) do
    local header = line:match '^%s*#%s*include%s*["<]([^">]+)[">]'
    if header then visit(header, i) end
  end
end

return M
