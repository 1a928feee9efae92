--- The lines of Swale in docs/from_pytorch.md run.
local lu = require "luaunit"
local sw = require "swale"
local page = require "page_environment"

TestFromPytorch = {}

local PAGE = debug.getinfo(1, "S").source:match "^@(.-)tests/lua/[^/]*$" .. "docs/from_pytorch.md"

--- The second column of each table, a code span each.
local function lines()
  local list = {}
  for line in io.lines(PAGE) do
    local cell = line:match "^| .- | (`.-`) | "
    if cell then
      local code = {}
      for span in cell:gmatch "`([^`]+)`" do code[#code + 1] = span end
      list[#list + 1] = table.concat(code, ", ")
    end
  end
  return list
end

function TestFromPytorch:test_every_line_of_swale_runs()
  local found = lines()
  lu.assert_true(#found > 50, #found .. " lines found")
  page.in_empty_folder(function()
    for _, code in ipairs(found) do
      local chunk = assert(load("return " .. code, code, "t", page.environment()))
      local ok, value = pcall(chunk)
      lu.assert_true(ok and value ~= nil, code .. "\n" .. tostring(value))
    end
  end)
end

--- What the third column says of a few of them.
function TestFromPytorch:test_what_differs()
  local x = sw.tensor { { 1, 2 }, { 3, 6 } }
  lu.assert_equals(x:sum(1):table(), { 4, 8 })
  lu.assert_equals(x:argmax(2):table(), { 1, 1 })
  lu.assert_equals(x:var(1, { correction = 0 }):table(), { 1, 4 })
  lu.assert_equals(x:var(1):table(), { 2, 8 })
  lu.assert_error_msg_contains("lt", function() return x < x end)
end
