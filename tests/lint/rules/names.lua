-- Names and lines of files: what may stand at the top level, no two C files of one name, no line
-- wider than 100 columns, no tabs.
local WIDTH = 100

local TOP_LEVEL = {}
for name in ([[core bindings scripts experiments tests docs CMakeLists.txt README.md LICENSE
  CHANGELOG.md CMakePresets.json swale swale-scm-1.rockspec runs]]):gmatch "%S+" do
  TOP_LEVEL[name] = true
end

local function check_top_level(names, fault)
  for _, name in ipairs(names) do
    if not TOP_LEVEL[name] then fault(name, nil, "does not belong at the top level") end
  end
end

local function check_unique(file, seen, fault)
  local name = file.path:match "([^/]+%.[ch])$"
  if not name or not (file.path:find "^core/" or file.path:find "^bindings/") then return end
  if seen[name] then fault(file.path, nil, "the same name as %s", seen[name]) end
  seen[name] = file.path
end

local function check_width(file, fault)
  for i, line in ipairs(file.lines) do
    local width = utf8.len(line) or #line
    if width > WIDTH then fault(file.path, i, "%d columns, at most %d", width, WIDTH) end
    if line:find "\t" then fault(file.path, i, "a tab") end
  end
end

return function(tree, fault)
  local seen = {}
  check_top_level(tree.top, fault)
  for _, file in ipairs(tree) do
    check_unique(file, seen, fault)
    if not file.path:match "%.lua$" then check_width(file, fault) end -- luacheck measures Lua
  end
end
