--- The map in docs/architecture.md against the folders: each source file is on it, and each name on
--- it exists.
local folders = require "swale.folders"
local lu = require "luaunit"

TestMap = {}

local HOME = debug.getinfo(1, "S").source:match "^@(.-)tests/lua/[^/]*$"

--- Rows of the map: { folder, names }. A folder stands for the rows below it, too.
local function map()
  local rows, folder, inside = {}, nil, false
  for line in io.lines(HOME .. "docs/architecture.md") do
    if line:find "^## " then inside = line == "## Map" end
    local first, second = line:match "^|(.-)|(.-)|"
    if inside and second and second:find "`" then
      folder = first:match "`(.-)`" or folder
      for name in second:gmatch "`(.-)`" do rows[#rows + 1] = { folder = folder, name = name } end
    end
  end
  return rows
end

--- Source files: { folder, stem }.
local function files()
  local list = {}
  local find = "cd '%s' && find core bindings scripts/swale -type f | sort"
  local pipe <close> = assert(io.popen(find:format(HOME == "" and "." or HOME)))
  for path in pipe:lines() do
    local folder, name = path:match "^(.*)/([^/]*)$"
    list[#list + 1] = { path = path, folder = folder, stem = name:gsub("%..*$", "") }
  end
  return list
end

local function covers(row, file)
  if row.folder ~= file.folder then return false end
  local pattern = "^" .. row.name:gsub("%*", ".*") .. "$"
  return file.stem:find(pattern) ~= nil or file.stem:gsub("_int$", ""):find(pattern) ~= nil
end

local function has_any(list, test)
  for _, item in ipairs(list) do
    if test(item) then return true end
  end
  return false
end

function TestMap:test_each_file_is_on_the_map()
  local rows, missing = map(), {}
  for _, file in ipairs(files()) do
    if not has_any(rows, function(row) return covers(row, file) end) then
      missing[#missing + 1] = file.path
    end
  end
  lu.assert_equals(missing, {}, "not on the map in docs/architecture.md")
end

function TestMap:test_each_name_on_the_map_is_there()
  local list, gone, rows = files(), {}, map()
  lu.assert_true(#rows > 100, #rows .. " names found on the map")
  for _, row in ipairs(rows) do
    if not has_any(list, function(file) return covers(row, file) end) then
      gone[#gone + 1] = row.folder .. "/" .. row.name
    end
  end
  lu.assert_equals(gone, {}, "on the map in docs/architecture.md, but not there")
end

function TestMap:test_no_name_is_on_the_map_twice()
  local seen = {}
  for _, row in ipairs(map()) do
    local key = row.folder .. "/" .. row.name
    lu.assert_nil(seen[key], key)
    seen[key] = true
  end
end

--- Files that the page names elsewhere: `core/train/loop.c`; NAME.lua stands for any.
function TestMap:test_paths_in_the_text_are_there()
  local text = folders.read(HOME .. "docs/architecture.md")
  for path in text:gmatch "`(%l[%w_./]*/[%w_./]*%.%l+)`" do
    local found = folders.exists(HOME .. path) or folders.exists(HOME .. "scripts/swale/" .. path)
    lu.assert_true(found or path:find "NAME" ~= nil, path)
  end
end
