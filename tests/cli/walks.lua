--- Makes an addition in a copy of the tree, tests it, then leaves out one piece at a time and
--- expects the build or a test to fail with a line that names the omission. tests/walks/run.lua
--- says how a walk is written.
---
--- The copy, .build/walks, is kept between runs, so that its build is incremental. Files whose text
--- is unchanged are not written: their objects stay.
local core = require "swale.core"
local folders = require "swale.folders"
local process = require "swale.process"

local M = {}

local BUILD = ".build/debug" -- of the copy; unoptimised, for it is compiled once a piece
local TIMEOUT = { build = 1800, test = 900 } -- seconds

local WALK_FIELDS = { adds = "string", pieces = "table", tests = "table" }
local PIECE_FIELDS = { name = "string", file = "string", text = "string", after = "string",
  before = "string", replace = "string", create = "boolean", of = "string", part = "string",
  dropped = "string" }
local PARTS = { test = true, docs = true }

-- ------------------------------------------------------------------ walks and their pieces

local function check_fields(where, given, fields)
  for name, value in pairs(given) do
    if not fields[name] then error(("%s: there is no field %s"):format(where, name), 0) end
    if type(value) ~= fields[name] then
      error(("%s: %s must be a %s"):format(where, name, fields[name]), 0)
    end
  end
end

local function check_piece(where, piece, seen)
  check_fields(where, piece, PIECE_FIELDS)
  local places = 0
  for _, field in ipairs { "after", "before", "replace", "create" } do
    if piece[field] then places = places + 1 end
  end
  if not piece.name or not piece.file or not piece.text then
    error(where .. ": name, file and text are needed", 0)
  elseif places ~= 1 then
    error(where .. ": one of after, before, replace, create is needed", 0)
  elseif seen[piece.name] then
    error(where .. ": another piece has that name", 0)
  elseif piece.of and not seen[piece.of] then
    error(("%s: of = %q names no piece before it"):format(where, piece.of), 0)
  elseif piece.part and not PARTS[piece.part] then
    error(where .. ": part is \"test\" or \"docs\"", 0)
  elseif not piece.dropped and not piece.part then
    error(where .. ": dropped is needed: what the build or a test says without the piece", 0)
  end
  seen[piece.name] = piece
end

local function check_walk(name, walk)
  check_fields(name, walk, WALK_FIELDS)
  for field in pairs(WALK_FIELDS) do
    if not walk[field] then error(("%s: %s is needed"):format(name, field), 0) end
  end
  local seen = {}
  for i, piece in ipairs(walk.pieces) do
    check_piece(("%s: piece %s"):format(name, piece.name or i), piece, seen)
  end
end

--- Where the anchor begins and ends in the text, in which it must stand once.
local function find_once(where, text, anchor)
  local first, last = text:find(anchor, 1, true)
  if not first then error(("%s: not found: %s"):format(where, anchor), 0) end
  if text:find(anchor, last + 1, true) then
    error(("%s: stands more than once: %s"):format(where, anchor), 0)
  end
  return first, last
end

local function end_line(text) return text:find "\n$" and text or text .. "\n" end

---@return string text  of the file with the piece in it
local function place(where, piece, text)
  if piece.create then
    if text then error(where .. ": the file is there already", 0) end
    return end_line(piece.text)
  end
  if not text then error(where .. ": there is no such file", 0) end
  local first, last = find_once(where, text, piece.after or piece.before or piece.replace)
  if piece.replace then return text:sub(1, first - 1) .. piece.text .. text:sub(last + 1) end
  local at = piece.after and (text:find("\n", last, true) or #text) + 1
    or #text:sub(1, first):match "^(.-)[^\n]*$" + 1 -- where a line begins
  return text:sub(1, at - 1) .. end_line(piece.text) .. text:sub(at)
end

---The texts of the files that a walk touches: false where there is no such file.
---@param read fun(file: string): string|nil   the tree before the walk
---@param without? string  the name of the piece that is left out, with all that are `of` it
---@return table<string, string|false>
local function texts_of(name, walk, read, without)
  local texts, left_out = {}, {}
  for _, piece in ipairs(walk.pieces) do
    local file = piece.file
    if texts[file] == nil then texts[file] = read(file) or false end
    left_out[piece.name] = piece.name == without or piece.of and left_out[piece.of]
    if not left_out[piece.name] then
      texts[file] = place(("%s: piece %s, %s"):format(name, piece.name, file), piece, texts[file])
    end
  end
  return texts
end

local function reader(home)
  return function(file) return (folders.read(home .. "/" .. file)) end
end

---Raises if a walk is not well formed, or if a piece does not fit into the tree.
---@param home string
---@param name string
---@param walk table
function M.check(home, name, walk)
  check_walk(name, walk)
  local read = reader(home)
  texts_of(name, walk, read)
  for _, piece in ipairs(walk.pieces) do texts_of(name, walk, read, piece.name) end
end

---Distinct files of a walk: those that count, and those of tests and of docs. A file of several
---parts counts once, as code, or else as test.
---@param walk table
---@return { code: string[], test: string[], docs: string[] }
function M.files_of(walk)
  local seen, files = {}, { test = {}, docs = {}, code = {} }
  for _, part in ipairs { "code", "test", "docs" } do
    for _, piece in ipairs(walk.pieces) do
      if (piece.part or "code") == part and not seen[piece.file] then
        seen[piece.file] = true
        table.insert(files[part], piece.file)
      end
    end
  end
  return files
end

--- Whether anything is to be compiled.
local function builds(walk)
  for _, piece in ipairs(walk.pieces) do
    local top = piece.file:match "^[^/]+"
    if top == "core" or top == "bindings" or piece.file:match "%.[ch]$" then return true end
  end
  return false
end

-- ------------------------------------------------------------------ the copy

local Copy = {}
Copy.__index = Copy

local function files_of_tree(home)
  local result = assert(process.run({ "git", "ls-files", "-z", "--cached", "--others",
    "--exclude-standard" }, { cwd = home }))
  if result.code ~= 0 then return nil, "the walks copy what git knows: " .. result.err end
  local list = {}
  for file in result.out:gmatch "[^\0]+" do
    if folders.exists(home .. "/" .. file) then list[#list + 1] = file end
  end
  return list
end

--- Writes a file of the copy unless it has that text; false removes it.
function Copy:put(file, text)
  local path = self.place .. "/" .. file
  if not text then return folders.remove(path) end
  if folders.exists(path) and folders.read(path) == text then return end
  assert(folders.make_folder(path:match "^(.*)/"))
  local out = assert(io.open(path, "wb"))
  assert(out:write(text))
  assert(out:close())
  local mode = require("luv").fs_stat(self.home .. "/" .. file)
  if mode then assert(require("luv").fs_chmod(path, mode.mode & 511)) end
end

local function remove_others(root, folder, known)
  for _, name in ipairs(folders.entries(root .. folder)) do
    local path = folder .. "/" .. name
    if folders.is_folder(root .. path) and path ~= "/.build" then
      remove_others(root, path, known)
    elseif not known[path:sub(2)] and path ~= "/.build" then
      folders.remove(root .. path)
    end
  end
end

---The copy of a tree in which walks are made, brought to what the tree is now.
---@param home string
---@return table|nil copy, string? message   nil: git does not know it, or another walk is under way
function M.copy(home)
  local where = home .. "/.build/walks"
  local list, problem = files_of_tree(home)
  if not list then return nil, problem end
  assert(folders.make_folder(where .. "/.build"))
  local lock
  lock, problem = core.hold(where .. "/.build/walks.lock")
  if not lock then return nil, "another walk is under way: " .. problem end
  local self = setmetatable({ home = home, place = where, lock = lock, files = list }, Copy)
  local known = {}
  for _, file in ipairs(list) do
    known[file] = true
    self:put(file, assert(folders.read(home .. "/" .. file)))
  end
  remove_others(where, "", known)
  return self
end

--- What a command in the copy must not inherit: where this process finds its modules.
function Copy:environment(build)
  local function outside(name, ours)
    local path = os.getenv(name)
    if not path then return false end
    local at, last = path:find(ours, 1, true)
    return at and path:sub(1, at - 1) .. path:sub(last + 1) or path
  end
  local scripts = self.home .. "/scripts/?.lua;" .. self.home .. "/scripts/?/init.lua;"
  return { SWALE_HOME = false, SWALE_PRESET = false, SWALE_BUILD = build,
    SWALE_TEST_LONG = false, SWALE_TEST_REPORT = false,
    LUA_PATH_5_4 = outside("LUA_PATH_5_4", scripts),
    LUA_CPATH_5_4 = outside("LUA_CPATH_5_4", (os.getenv "SWALE_BUILD" or "") .. "/lua/?.so;") }
end

function Copy:run(argv, env, timeout)
  local result = assert(process.run(argv, { cwd = self.place, env = env, timeout = timeout }))
  if core.interrupted() then error(core.INTERRUPTED, 0) end
  return result.code == 0, result.out .. result.err
end

--- The targets that the tests of a walk need; C tests are targets by their names.
local function targets_of(walk)
  local targets = { "product" }
  for _, test in ipairs(walk.tests) do
    if test[1] == "core" then targets[#targets + 1] = test[2] end
  end
  return targets
end

function Copy:build(walk)
  local env = self:environment(false)
  if not folders.exists(self.place .. "/" .. BUILD .. "/build.ninja") then
    local ok, text = self:run({ "cmake", "--preset", "debug" }, env, TIMEOUT.build)
    if not ok then return false, text end
  end
  local argv = { "cmake", "--build", BUILD, "--target" }
  return self:run(table.move(targets_of(walk), 1, 1 + #walk.tests, #argv + 1, argv), env,
    TIMEOUT.build)
end

function Copy:test(walk, texts)
  local build = os.getenv "SWALE_BUILD"
  for file, text in pairs(texts) do self:put(file, text) end
  if builds(walk) then
    local ok, text = self:build(walk)
    if not ok then return false, text end
    build = self.place .. "/" .. BUILD
  end
  local all, said = true, {}
  for i, test in ipairs(walk.tests) do
    local pattern = test[1] == "core" and "^" .. test[2] .. "$" or test[2]
    local ok, text = self:run({ self.place .. "/swale", "test", "--only", test[1], pattern },
      self:environment(build), TIMEOUT.test)
    all, said[i] = all and ok, text
  end
  return all, table.concat(said)
end

function Copy:close() self.lock:release() end

-- ------------------------------------------------------------------ walking

--- The first line that matches, but for the compiler's command lines, which name every file.
local function line_with(text, pattern)
  for line in text:gmatch "[^\n]+" do
    if not line:find(" -o ", 1, true) and line:find(pattern) then return line end
  end
  return nil
end

local function seconds_since(start) return (require("luv").hrtime() - start) / 1e9 end

local function count(files)
  local text = ("%d file%s"):format(#files.code, #files.code == 1 and "" or "s")
  if #files.test > 0 then text = ("%s + %d of tests"):format(text, #files.test) end
  if #files.docs > 0 then text = ("%s + %d of docs"):format(text, #files.docs) end
  return text
end

--- One piece left out. Adds to faults unless something fails and says the right thing.
local function drop(copy, name, walk, piece, read, say, faults)
  local function fault(...) faults[#faults + 1] = ("%s: %s"):format(name, string.format(...)) end
  if not piece.dropped then return say("  without %s: not tried", piece.name) end
  local start = require("luv").hrtime()
  local ok, text = copy:test(walk, texts_of(name, walk, read, piece.name))
  local line = line_with(text, piece.dropped)
  if ok then
    fault("without %s nothing fails", piece.name)
  elseif not line then
    fault("without %s no line has %q, but:\n%s", piece.name, piece.dropped, text)
  end
  say("  without %s (%.0f s): %s", piece.name, seconds_since(start),
    ok and "NOTHING FAILS" or line or "FAILS WITHOUT NAMING IT")
end

---@class swale.WalkResult
---@field adds string
---@field files string     how many files, of what
---@field list string[]    the files that count
---@field faults string[]

---@param copy table        what M.copy gave
---@param name string
---@param walk table        as tests/walks/run.lua describes
---@param say fun(text: string)
---@return swale.WalkResult
function M.walk(copy, name, walk, say)
  local function print_line(...) say(string.format(...)) end
  M.check(copy.home, name, walk)
  local read = reader(copy.home)
  local files, faults, start = M.files_of(walk), {}, require("luv").hrtime()
  print_line("%s: adds %s: %s: %s", name, walk.adds, count(files), table.concat(files.code, " "))
  local ok, text = copy:test(walk, texts_of(name, walk, read))
  if ok then
    print_line("  with all pieces (%.0f s): passes", seconds_since(start))
    for _, piece in ipairs(walk.pieces) do
      drop(copy, name, walk, piece, read, print_line, faults)
    end
  else
    print_line "  with all pieces: FAILS"
    faults[1] = ("%s: with all pieces:\n%s"):format(name, text)
  end
  for file in pairs(texts_of(name, walk, read)) do copy:put(file, read(file)) end
  return { adds = walk.adds, files = count(files), list = files.code, faults = faults }
end

---The walks of the tree, by their names.
---@param home string
---@return table<string, table> walks, string[] names
function M.all(home)
  local walks, names = {}, {}
  for _, entry in ipairs(folders.entries(home .. "/tests/walks")) do
    local name = entry:match "^(.+)%.lua$"
    if name and name ~= "run" then
      walks[name], names[#names + 1] = dofile(home .. "/tests/walks/" .. entry), name
    end
  end
  return walks, names
end

return M
