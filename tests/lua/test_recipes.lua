--- The recipes in docs/architecture.md against tests/walks: each walk has a row in their table,
--- with the number of files that it touches, and each row has a section.
local folders = require "swale.folders"
local lu = require "luaunit"

TestRecipes = {}

local HOME = debug.getinfo(1, "S").source:match "^@(.-)tests/lua/[^/]*$"
local walks = dofile(HOME .. "tests/cli/walks.lua")
local PAGE = folders.read(HOME .. "docs/architecture.md")

--- Rows of the table: { title, files, walk }.
local function rows()
  local found = {}
  for title, cells in PAGE:gmatch "\n| %[([^%]]+)%]%(#[%w-]+%) |([^\n]*)" do
    found[#found + 1] = { title = title, files = tonumber(cells:match "|%s*(%d+)%s*|"),
      walk = cells:match "| `(%S+)` |$" }
  end
  return found
end

function TestRecipes:test_each_walk_has_a_row_that_counts_its_files()
  local by_walk = {}
  for _, row in ipairs(rows()) do if row.walk then by_walk[row.walk] = row end end
  for _, file in ipairs(folders.entries(HOME .. "tests/walks")) do
    local name = file:match "^(.*)%.lua$"
    if name ~= "run" then
      local row = by_walk[name]
      lu.assert_not_nil(row, "the table of recipes has no row with the walk " .. name)
      local files = walks.files_of(dofile(HOME .. "tests/walks/" .. file))
      lu.assert_equals(row.files, #files.code, row.title)
      by_walk[name] = nil
    end
  end
  lu.assert_equals(by_walk, {}, "walks that are not there")
end

function TestRecipes:test_each_row_has_a_section()
  local list = rows()
  lu.assert_equals(#list, 10)
  for _, row in ipairs(list) do
    local text = PAGE:match("\n### " .. row.title:gsub("^%l", string.upper) .. "\n(.-)\n##")
    lu.assert_not_nil(text, row.title)
    lu.assert_str_contains(text, "1. ", row.title)
  end
end
