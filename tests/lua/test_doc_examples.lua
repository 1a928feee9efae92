--- The examples in annotations run: blocks of `---    local f = …`, indented by at least four
--- blanks. Equations and lists, which are indented as well, begin otherwise.
local lu = require "luaunit"
local page = require "page_environment"

TestDocExamples = {}

local SCRIPTS = debug.getinfo(1, "S").source:match "^@(.-)tests/lua/[^/]*$" .. "scripts/swale"

--- How a line of code begins; what an equation begins with is one letter, or a name and `=`.
local BEGINNINGS = { "^local ", "^sw%.", "^trainer:", "^model:", "^print%(", "^arguments%.",
  "^measure = " }

local function begins_code(line)
  for _, pattern in ipairs(BEGINNINGS) do
    if line:find(pattern) then return true end
  end
  return false
end

--- Blocks of indented comment lines: { where, lines }.
local function examples_of(path)
  local list, block, n = {}, nil, 0
  for line in io.lines(path) do
    n = n + 1
    local text = line:match "^%s*%-%-%-    +(.*)$"
    if text and block then
      block.lines[#block.lines + 1] = text
    elseif text and begins_code(text) then
      block = { where = path:match "[^/]+/[^/]+$" .. ":" .. n, lines = { text } }
      list[#list + 1] = block
    else
      block = nil
    end
  end
  return list
end

local function examples()
  local list = {}
  local pipe <close> = assert(io.popen(("find '%s' -name '*.lua' | sort"):format(SCRIPTS)))
  for path in pipe:lines() do
    for _, block in ipairs(examples_of(path)) do list[#list + 1] = block end
  end
  return list
end

local function environment()
  local env = page.environment()
  env.class, env.arguments = require "swale.class", require "swale.arguments"
  env.M = { pad = function() end }
  env.print = function() end
  return env
end

local function run(block)
  local chunk, problem = load(table.concat(block.lines, "\n"), block.where, "t", environment())
  lu.assert_not_nil(chunk, ("%s: %s"):format(block.where, problem))
  local ok, why = pcall(chunk)
  lu.assert_true(ok, ("%s: %s"):format(block.where, why))
end

function TestDocExamples:test_examples_in_annotations_run()
  local found = examples()
  lu.assert_true(#found >= 8, #found .. " examples found")
  page.in_empty_folder(function(folder)
    local csv <close> = assert(io.open(folder .. "/pets.csv", "w"))
    csv:write("height,kind\n", ("1,cat\n2,dog\n"):rep(60))
    csv:flush()
    for _, block in ipairs(found) do run(block) end
  end)
end
