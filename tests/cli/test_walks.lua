--- The frame of the walks, on a toy tree; with --long all walks of this tree.
local command = require "command"
local folders = require "swale.folders"
local lu = require "luaunit"
local process = require "swale.process"
local walks = require "walks"

TestWalks = command.in_a_folder()

--- The toy's `./swale test` fails if a shape of shapes.txt has no line in areas.txt. It copies the
--- files that it tested to the toy's folder.
local SWALE = [[
#!/bin/sh
mkdir -p ../../tested && cp *.txt new/*.txt ../../tested 2>/dev/null
for shape in $(cat shapes.txt); do
  grep -q "^$shape " areas.txt || { echo "$shape has no area"; exit 1; }
done
]]

local function git(dir, ...)
  return assert(process.run({ "git", ... }, { cwd = dir })).code == 0
end

function TestWalks:setUp()
  self.dir, self.said = command.folder(), {}
  command.write(self.dir .. "/swale", SWALE)
  require("luv").fs_chmod(self.dir .. "/swale", 493)
  command.write(self.dir .. "/shapes.txt", "circle\nsquare\n")
  command.write(self.dir .. "/areas.txt", "circle pi r^2\nsquare a^2\n")
  lu.skipIf(not process.find "git" or not git(self.dir, "init", "-q"), "there is no git")
  command.write(self.dir .. "/.gitignore", "/.build/\n/tested/\n")
end

local function piece(changes)
  local p = { name = "area", file = "areas.txt", after = "circle", text = "cube 6 a^2\n",
    dropped = "cube has no area" }
  for name, value in pairs(changes or {}) do p[name] = value or nil end
  return p
end

local function shape(changes)
  local p = { name = "shape", file = "shapes.txt", before = "square", text = "cube",
    part = "docs" }
  for name, value in pairs(changes or {}) do p[name] = value or nil end
  return p
end

function TestWalks:walk(...)
  local copy <const> = assert(walks.copy(self.dir))
  local ok, result = pcall(walks.walk, copy, "toy", { adds = "a cube", pieces = { ... },
    tests = { { "lua", "." } } }, function(text) table.insert(self.said, text) end)
  copy:close()
  if not ok then error(result, 0) end
  return result
end

function TestWalks:test_a_piece_whose_absence_is_named()
  local result = self:walk(piece(), shape())
  lu.assert_equals(result.faults, {})
  lu.assert_equals(result.files, "1 file + 1 of docs")
  local said = table.concat(self.said, "\n")
  lu.assert_str_contains(said, "with all pieces (0 s): passes")
  lu.assert_str_contains(said, "without area (0 s): cube has no area")
end

function TestWalks:test_the_tree_stays_and_the_copy_is_as_before()
  self:walk(piece(), shape())
  lu.assert_equals(command.read(self.dir .. "/areas.txt"), "circle pi r^2\nsquare a^2\n")
  lu.assert_equals(command.read(self.dir .. "/.build/walks/areas.txt"),
    "circle pi r^2\nsquare a^2\n")
  lu.assert_false(folders.exists(self.dir .. "/.build/walks/.build/walks"))
end

function TestWalks:test_a_piece_that_nothing_misses_is_a_fault()
  local result = self:walk(piece(), shape { part = false, dropped = "cube" })
  lu.assert_equals(result.faults, { "toy: without shape nothing fails" })
end

function TestWalks:test_a_failure_that_does_not_name_the_piece_is_a_fault()
  local result = self:walk(piece { dropped = "surface of a cube" }, shape())
  lu.assert_equals(#result.faults, 1)
  lu.assert_str_contains(result.faults[1], 'without area no line has "surface of a cube"')
  lu.assert_str_contains(result.faults[1], "cube has no area")
end

function TestWalks:test_an_addition_that_does_not_pass_is_a_fault()
  local result = self:walk(shape())
  lu.assert_equals(result.faults, { "toy: with all pieces:\ncube has no area\n" })
end

function TestWalks:test_pieces_are_placed()
  local function docs(changes)
    changes.part, changes.dropped = "docs", false
    if not changes.after then changes.after = false end
    return piece(changes)
  end
  local result = self:walk(piece { part = "docs", dropped = false, after = "pi" }, shape(),
    docs { name = "before", before = "re a^2", text = "line" },
    docs { name = "replace", replace = "pi r", text = "3.14 r" },
    docs { name = "new", file = "new/file.txt", create = true, text = "one\nthree" },
    docs { name = "in it", file = "new/file.txt", after = "one", text = "two", of = "new" })
  lu.assert_equals(result.faults, {})
  lu.assert_equals(command.read(self.dir .. "/tested/areas.txt"),
    "circle 3.14 r^2\ncube 6 a^2\nline\nsquare a^2\n")
  lu.assert_equals(command.read(self.dir .. "/tested/file.txt"), "one\ntwo\nthree\n")
  lu.assert_false(folders.exists(self.dir .. "/.build/walks/new/file.txt"))
end

function TestWalks:test_what_is_left_out_takes_along_what_is_of_it()
  local result = self:walk(shape(), piece { text = "cube", name = "head" },
    piece { name = "formula", replace = "cube", after = false, text = "cube 6 a^2", of = "head" })
  lu.assert_equals(result.faults, {})
end

function TestWalks:test_one_walk_at_a_time()
  local copy <const> = assert(walks.copy(self.dir))
  local other, message = walks.copy(self.dir)
  copy:close()
  lu.assert_nil(other)
  lu.assert_str_contains(message, "another walk is under way: ")
  assert(walks.copy(self.dir)):close()
end

function TestWalks:test_a_file_counts_once_as_code_before_tests()
  local files = walks.files_of { pieces = { shape { file = "areas.txt" }, piece(), shape(),
    shape { file = "test.txt", part = "test" } } }
  lu.assert_equals(files, { code = { "areas.txt" }, test = { "test.txt" },
    docs = { "shapes.txt" } })
end

function TestWalks:refuses(message, ...)
  lu.assert_error_msg_equals("toy: piece " .. message, self.walk, self, ...)
end

function TestWalks:test_anchors_must_stand_once()
  self:refuses("area, areas.txt: not found: triangle", piece { after = "triangle" })
  self:refuses("area, areas.txt: stands more than once: ^2", piece { after = "^2" })
  self:refuses("area, no.txt: there is no such file", piece { file = "no.txt" })
  self:refuses("area, areas.txt: the file is there already",
    piece { after = false, create = true })
end

function TestWalks:test_a_piece_is_checked()
  self:refuses("area: there is no field behind", piece { behind = "circle" })
  self:refuses("area: one of after, before, replace, create is needed", piece { after = false })
  self:refuses("area: one of after, before, replace, create is needed", piece { before = "x" })
  self:refuses("area: dropped is needed: what the build or a test says without the piece",
    piece { dropped = false })
  self:refuses("area: another piece has that name", piece(), piece())
  self:refuses('area: of = "root" names no piece before it', piece { of = "root" })
  self:refuses('area: part is "test" or "docs"', piece { part = "help" })
end

-- ------------------------------------------------------------------ the walks of this tree

local function add_walk(name, walk)
  TestWalks["test_walk_" .. name] = function()
    lu.skipIf(not os.getenv "SWALE_TEST_LONG", "long")
    local home = os.getenv "SWALE_HOME"
    lu.skipIf(not process.find "git" or not git(home, "rev-parse"), "there is no git")
    local copy <const> = assert(walks.copy(home))
    local ok, result = pcall(walks.walk, copy, name, walk, print)
    copy:close()
    if not ok then error(result, 0) end
    lu.assert_equals(result.faults, {}, table.concat(result.faults, "\n"))
  end
end

local all, names = walks.all(os.getenv "SWALE_HOME")
for _, name in ipairs(names) do add_walk(name, all[name]) end

function TestWalks:test_the_pieces_fit_into_the_tree()
  local faults = {}
  for _, name in ipairs(names) do
    local ok, problem = pcall(walks.check, os.getenv "SWALE_HOME", name, all[name])
    if not ok then faults[#faults + 1] = problem end
  end
  lu.assert_equals(faults, {})
end
