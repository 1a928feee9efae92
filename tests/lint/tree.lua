-- What no other linter knows about this tree: every file of tests/lint/rules is a rule,
--
--     return function(tree, fault) … end
--
-- tree is a list of { path = , lines = }, sorted by path, and tree.top the names at the top level;
-- fault(path, line, format, …) reports, with line nil for a file as a whole.
-- tests/lua/test_lint_rules.lua shows each rule a tree that breaks it. At the end the largest files
-- and functions are printed, which is no fault.
package.path = "tests/lint/?.lua;" .. package.path
local LARGEST = 5

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

local function read_tree()
  local tree = { top = lines_of "ls" }
  for _, path in ipairs(lines_of [[find core bindings scripts experiments tests -name '*.[ch]' \
      -o -name '*.lua' -o -name '*.def' -o -name '*.sh' | grep -v '/\.' | sort]]) do
    tree[#tree + 1] = { path = path, lines = read_lines(path) }
  end
  return tree
end

local faults = 0
local function fault(path, line, ...)
  faults = faults + 1
  print(("%s%s: %s"):format(path, line and ":" .. line or "", string.format(...)))
end

-- A function begins at a line without indent that ends in `{` and ends at a lone `}`.
local function functions_of(file, found)
  local start, name
  for i, line in ipairs(file.lines) do
    if not start and line:find "^[%a_].*%)%s*{$" then
      start, name = i, line:match "([%w_]+)%("
    elseif start and line == "}" then
      found[#found + 1] = { size = i - start + 1, name = (name or "?") .. " in " .. file.path }
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

local function print_sizes(tree)
  local files, functions, total = {}, {}, 0
  for _, file in ipairs(tree) do
    if file.path:match "%.[ch]$" then functions_of(file, functions) end
    files[#files + 1] = { size = #file.lines, name = file.path }
    total = total + #file.lines
  end
  print(string.format("tree: %d lines in %d files", total, #files))
  print_largest("largest files", files)
  print_largest("longest functions", functions)
end

local tree = read_tree()
for _, rule in ipairs(lines_of "ls tests/lint/rules/*.lua") do dofile(rule)(tree, fault) end
print_sizes(tree)
os.exit(faults == 0)
