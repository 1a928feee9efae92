-- What no other linter knows about this tree: the arrows between its layers, the names of its
-- files, the width of its lines. Prints the largest files and functions as well, which is no fault.

local WIDTH = 100
local LARGEST = 5

local function set(words)
  local members = {}
  for word in words:gmatch "%S+" do members[word] = true end
  return members
end

-- Which folders the C files of a folder may include from.
local MAY_INCLUDE = {
  base = set "base",
  kernels = set "base kernels",
  tensor = set "base kernels tensor",
  graph = set "base kernels tensor graph",
  train = set "base kernels tensor graph train",
  measure = set "base kernels tensor graph train measure",
  io = set "base tensor io",
}

local TOP_LEVEL = set [[core bindings scripts experiments tests docs CMakeLists.txt README.md
  LICENSE CHANGELOG.md CMakePresets.json swale swale-scm-1.rockspec runs]]

local faults = 0
local function fault(...)
  faults = faults + 1
  print(string.format(...))
end

local function lines_of(command)
  local pipe <close> = assert(io.popen(command))
  local list = {}
  for line in pipe:lines() do list[#list + 1] = line end
  return list
end

local function read_lines(path)
  local list = {}
  for line in io.lines(path) do list[#list + 1] = line end
  return list
end

local function check_top_level()
  for _, name in ipairs(lines_of "ls") do
    if not TOP_LEVEL[name] then fault("%s: does not belong at the top level", name) end
  end
end

local function check_unique(paths)
  local seen = {}
  for _, path in ipairs(paths) do
    local name = path:match "[^/]+$"
    if seen[name] then fault("%s: the same name as %s", path, seen[name]) end
    seen[name] = path
  end
end

local function check_width(path, lines)
  for i, line in ipairs(lines) do
    local width = utf8.len(line) or #line
    if width > WIDTH then fault("%s:%d: %d columns, at most %d", path, i, width, WIDTH) end
    if line:find "\t" then fault("%s:%d: a tab", path, i) end
  end
end

local function is_against_the_arrows(layer, header)
  local allowed, from = MAY_INCLUDE[layer], header:match "^(%w+)/"
  return allowed and MAY_INCLUDE[from] and not allowed[from]
end

local function check_include(path, i, header)
  local layer = path:match "^core/(%w+)/"
  if header:match "^lua" or header:match "^lauxlib" then
    if path:match "^core/" then fault("%s:%d: the core knows nothing of Lua", path, i) end
  elseif is_against_the_arrows(layer, header) then
    fault("%s:%d: %s must not include %s", path, i, layer, header)
  elseif path:match "^bindings/" and header:match "/.*_int%.h$" then
    fault("%s:%d: the bindings use public headers only", path, i)
  end
end

local function check_arrows(path, lines)
  for i, line in ipairs(lines) do
    local header = line:match '^%s*#%s*include%s*["<]([^">]+)[">]'
    if header then check_include(path, i, header) end
  end
end

-- The core never ends the process, prints or jumps; memory goes through alloc.c.
local FORBIDDEN = { "abort", "exit", "printf", "puts", "longjmp", "malloc", "calloc", "realloc",
  "free", "strdup" }
local MAY_CALL = set "alloc.c context.c"

local function check_calls(path, lines)
  local file = path:match "^core/.*/([^/]+%.c)$"
  if not file or MAY_CALL[file] then return end
  for i, line in ipairs(lines) do
    local code = line:gsub("/%*.-%*/", ""):gsub('"[^"]*"', '""')
    for _, name in ipairs(FORBIDDEN) do
      if code:find("%f[%w_]" .. name .. "%(") and not code:find "^%s*%*" then
        fault("%s:%d: the core does not call %s", path, i, name)
      end
    end
  end
end

-- A function begins at a line without indent that ends in `{` and ends at a lone `}`.
local function functions_of(path, lines, found)
  local start, name
  for i, line in ipairs(lines) do
    if not start and line:find "^[%a_].*%)%s*{$" then
      start, name = i, line:match "([%w_]+)%("
    elseif start and line == "}" then
      found[#found + 1] = { size = i - start + 1, name = (name or "?") .. " in " .. path }
      start = nil
    end
  end
end

local function print_largest(title, list)
  table.sort(list, function(a, b) return a.size > b.size end)
  for i = 1, math.min(LARGEST, #list) do
    local head = i == 1 and title or (" "):rep(#title)
    print(string.format("%s: %4d lines  %s", head, list[i].size, list[i].name))
  end
end

local paths = lines_of [[find core bindings scripts experiments tests -name '*.[ch]' \
  -o -name '*.lua' -o -name '*.def' -o -name '*.sh' | grep -v '/\.' | sort]]
local files, functions, total = {}, {}, 0
check_top_level()
check_unique(lines_of "find core bindings -name '*.[ch]' | sort")
for _, path in ipairs(paths) do
  local lines = read_lines(path)
  if not path:match "%.lua$" then check_width(path, lines) end -- luacheck measures Lua
  if path:match "%.[ch]$" then
    check_arrows(path, lines)
    check_calls(path, lines)
    functions_of(path, lines, functions)
  end
  total = total + #lines
  files[#files + 1] = { size = #lines, name = path }
end
print(string.format("tree: %d lines in %d files", total, #files))
print_largest("largest files", files)
print_largest("longest functions", functions)
os.exit(faults == 0)
