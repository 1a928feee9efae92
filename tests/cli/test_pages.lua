--- The blocks of code in README.md and docs/*.md run.
---
---     ```lua            runs; the blocks of a page share their locals; `swale run` executes
---                       experiments
---     ```lua fragment   part of a file or of a table: it compiles
---     ```sh             commands, run in an empty folder but for those in ELSEWHERE
---     ```text, ```c …   are not run
local command = require "command"
local folders = require "swale.folders"
local lu = require "luaunit"

TestPages = command.in_a_folder()

local HOME = os.getenv "SWALE_HOME"

--- Commands that are not run here: what a pattern matches, and why.
local ELSEWHERE = {
  ["^%./swale run experiments/quickstart"] = "test_the_table_of_the_quickstart runs it",
  ["^%./swale test"] = "it runs this file",
  ["^%./swale setup"] = "it may install packages",
  ["^cmake %-%-install"] = "tests/cli/test_install.lua runs it",
  ["^export LUA_C?PATH"] = "tests/cli/test_install.lua uses them",
  ["^SWALE_PRESET="] = "it builds",
  ["^SWALE_CPU="] = "they run this file",
  ["^bash tests/"] = "linters and sanitizers",
  ["^%./swale bench %-%-compare"] = "it needs PyTorch; tests/cli/test_bench.lua has a double of it",
}

local function pages()
  local list = { "README.md" }
  for _, name in ipairs(folders.entries(HOME .. "/docs")) do
    if name:find "%.md$" then list[#list + 1] = "docs/" .. name end
  end
  return list
end

--- The fenced blocks of a page: { kind = "lua fragment", line, lines }.
local function blocks_of(page)
  local list, block, number = {}, nil, 0
  for line in io.lines(HOME .. "/" .. page) do
    number = number + 1
    local fence = line:match "^```(.*)$"
    if fence and block then
      block = nil
    elseif fence then
      block = { kind = fence, line = number, lines = {}, where = page .. ":" .. number }
      list[#list + 1] = block
    elseif block then
      block.lines[#block.lines + 1] = line
    end
  end
  lu.assert_nil(block, page .. ": a block without an end")
  return list
end

local function each_block(kind, f)
  local n = 0
  for _, page in ipairs(pages()) do
    for _, block in ipairs(blocks_of(page)) do
      if block.kind == kind then
        n = n + 1
        f(block, page)
      end
    end
  end
  return n
end

local KINDS = { lua = true, ["lua fragment"] = true, sh = true, text = true, c = true }

function TestPages:test_every_block_says_what_it_is()
  for _, page in ipairs(pages()) do
    for _, block in ipairs(blocks_of(page)) do
      lu.assert_true(KINDS[block.kind] ~= nil, ("%s: ```%s"):format(block.where, block.kind))
    end
  end
end

local function write_pets(path)
  local rows = { "weight,height,kind" }
  for i = 1, 240 do
    rows[#rows + 1] = ("%d,%d,%s"):format(i * 37 % 50, i * 11 % 30, i % 3 == 0 and "dog" or "cat")
  end
  command.write(path, table.concat(rows, "\n") .. "\n")
end

--- Runs a page's experiment, and gives its record the name that the page calls it by.
local function run_experiment(dir, block, text)
  command.write(dir .. "/experiment.lua", table.concat(block.lines, "\n"))
  local r = command.swale(dir, { "run", "experiment.lua" })
  lu.assert_equals(r.code, 0, block.where .. r.err)
  local name = text:match '"runs/([^/"]+)/'
  if name then os.rename(command.only_run(dir), dir .. "/runs/" .. name) end
end

--- A page's blocks as one script: the locals of a block are globals here.
local function script_of(blocks)
  local lines, n = {}, 0
  for _, block in ipairs(blocks) do
    for i = n + 1, block.line do lines[i] = "" end
    n = block.line
    for _, line in ipairs(block.lines) do
      n = n + 1
      lines[n] = line:gsub("^local ", "")
    end
  end
  return table.concat(lines, "\n")
end

local function run_page(dir, page)
  local plain, all = {}, folders.read(HOME .. "/" .. page)
  for _, block in ipairs(blocks_of(page)) do
    if block.kind == "lua" and table.concat(block.lines, "\n"):find "return sw%.experiment" then
      run_experiment(dir, block, all)
    elseif block.kind == "lua" then
      plain[#plain + 1] = block
    end
  end
  if #plain == 0 then return end
  local name = page:match "[^/]+$"
  command.write(dir .. "/" .. name, script_of(plain)) -- its lines have the numbers of the page's
  local r = command.swale(dir, { "lua", name })
  lu.assert_equals(r.code, 0, page .. ": " .. r.err)
end

function TestPages:test_lua_runs()
  for _, page in ipairs(pages()) do
    local dir = command.folder()
    write_pets(dir .. "/pets.csv")
    local ok, why = pcall(run_page, dir, page)
    command.remove(dir)
    if not ok then error(why, 0) end
  end
  lu.assert_true(each_block("lua", function() end) >= 8)
end

function TestPages:test_fragments_compile()
  each_block("lua fragment", function(block)
    local text = table.concat(block.lines, "\n")
    local chunk, why = load(text, block.where, "t")
    chunk = chunk or load("return {" .. text .. "\n}", block.where, "t")
    lu.assert_not_nil(chunk, ("%s: %s"):format(block.where, why))
  end)
end

local function is_elsewhere(line)
  for pattern in pairs(ELSEWHERE) do
    if line:find(pattern) then return true end
  end
  return false
end

--- A line for the shell; the sweep of the quickstart takes the small data set.
local function shell_line(line)
  return (line:gsub("^%./swale", '"$SWALE_HOME/swale"')
    :gsub("(swale\" sweep) (experiments/quickstart.lua)", '%1 "$SWALE_HOME/%2" data=digits'))
end

function TestPages:test_commands_run()
  local n = 0
  each_block("sh", function(block)
    for _, line in ipairs(block.lines) do
      line = line:gsub("%s+#.*$", "")
      if line ~= "" and not is_elsewhere(line) then
        n = n + 1
        local r = command.shell(self.dir, shell_line(line), {})
        lu.assert_equals(r.code, 0, ("%s: %s\n%s"):format(block.where, line, r.err))
      end
    end
  end)
  lu.assert_true(n > 0)
end

-- ------------------------------------------------------------------ README's numbers

--- Label and numbers of the lines of a table: "last" = { 0.2020, 0.3229, 0.8846 }.
local function table_of(lines)
  local rows = {}
  for _, line in ipairs(lines) do
    local label, numbers = line:match "^(%S.-)  +([%d%. ]+)$"
    if label then
      rows[label] = {}
      for number in numbers:gmatch "%S+" do table.insert(rows[label], tonumber(number)) end
    end
  end
  return rows
end

local function lines_of(text)
  local list = {}
  for line in text:gmatch "[^\n]+" do list[#list + 1] = line end
  return list
end

--- Other instruction sets round otherwise, so that losses and accuracies differ a little, and the
--- epoch that was best may be another one.
local CLOSE = 0.015

function TestPages:test_the_table_of_the_quickstart()
  if not require("swale.data").is_here "fashion-mnist" then lu.skip "there is no Fashion-MNIST" end
  local r = command.swale(self.dir, { "run", HOME .. "/experiments/quickstart.lua" })
  local printed, block = table_of(lines_of((r.out:gsub("%(epoch %d+%)", "")))), nil
  each_block("text", function(b, page) block = block or page == "README.md" and b or nil end)
  local said = table_of(lines_of((table.concat(block.lines, "\n"):gsub("%(epoch %d+%)", ""))))
  lu.assert_not_nil(said["SWA of 6 captures"])
  for label, numbers in pairs(said) do
    for i, number in ipairs(numbers) do
      lu.assert_almost_equals(printed[label][i], number, CLOSE, label)
    end
  end
end

--- "here 0.1514 and 0.1413 with accuracy 0.9667", below the ten lines.
function TestPages:test_what_the_ten_lines_print()
  local text, lines = folders.read(HOME .. "/README.md"), nil
  each_block("lua", function(b, page)
    if page == "README.md" and not lines then lines = b.lines end
  end)
  command.write(self.dir .. "/first.lua", table.concat(lines, "\n"))
  local r = command.swale(self.dir, { "lua", "first.lua" })
  local printed = { r.out:match(("loss (%S+), accuracy (%S+) .-"):rep(2)) }
  local last, swa, accuracy = text:match "here (%S+) and (%S+) with accuracy (%d%.%d+)"
  for i, number in ipairs { last, accuracy, swa, accuracy } do
    lu.assert_almost_equals(tonumber(printed[i]), tonumber(number), CLOSE)
  end
end

-- ------------------------------------------------------------------ links

--- GitHub's name of a heading.
local function anchor(heading)
  return (heading:lower():gsub("[^%w%- _]", ""):gsub(" ", "-"))
end

local function anchors_of(path)
  local found = {}
  for line in io.lines(path) do
    local heading = line:match "^#+ (.*)$"
    if heading then found[anchor(heading)] = true end
  end
  return found
end

function TestPages:test_links_lead_somewhere()
  for _, page in ipairs(pages()) do
    local folder = HOME .. "/" .. (page:match "^(.*/)" or "")
    for target in folders.read(HOME .. "/" .. page):gmatch "%]%(([^)%s]+)%)" do
      local path, heading = target:match "^([^#]*)#?(.*)$"
      if not target:find "^https?:" then
        local file = path == "" and HOME .. "/" .. page or folder .. path
        lu.assert_true(folders.exists(file), page .. ": " .. target)
        if heading ~= "" then
          lu.assert_true(anchors_of(file)[heading] ~= nil, page .. ": " .. target)
        end
      end
    end
  end
end

-- ------------------------------------------------------------------ docs/commands.md

local COMMANDS = HOME .. "/docs/commands.md"

local function rows_of_commands()
  local rows = {}
  for line in io.lines(COMMANDS) do
    local cell = line:match "^| (`%.?/?swale .-) | "
    if cell then rows[#rows + 1] = cell end
  end
  return rows
end

function TestPages:test_the_table_of_commands_has_each()
  local named, there = {}, {}
  for _, cell in ipairs(rows_of_commands()) do
    local name = cell:match "`swale (%l+)"
    if name then named[name] = true end
  end
  for _, name in ipairs(require("swale.cli").names()) do
    there[name] = true
    lu.assert_true(named[name], "docs/commands.md has no row for swale " .. name)
  end
  for name in pairs(named) do
    lu.assert_true(there[name], "docs/commands.md has a row for no command: swale " .. name)
  end
end

function TestPages:test_the_options_of_commands_are_there()
  for _, cell in ipairs(rows_of_commands()) do
    local name = cell:match "`swale (%l+)"
    for option in cell:gmatch "%-%-%l+" do
      local r = command.swale(self.dir, { name, "--help" })
      lu.assert_str_contains(r.out, option)
    end
  end
end

--- Every variable that the sources read is in the page, but for those between our own processes.
local INTERNAL = { SWALE_HOME = true, SWALE_BUILD = true, SWALE_REVISIONS = true }

function TestPages:test_the_environment_variables()
  local page = folders.read(COMMANDS)
  local find = [[cd '%s' && grep -rhoE 'getenv[ (]*"SWALE_[A-Z_]+"' scripts core]]
  local pipe <close> = assert(io.popen(find:format(HOME)))
  local n = 0
  for line in pipe:lines() do
    local name = line:match "SWALE_[A-Z_]+"
    n = n + 1
    lu.assert_true(INTERNAL[name] or page:find("`" .. name .. "`", 1, true) ~= nil, name)
  end
  lu.assert_true(n >= 5)
end
