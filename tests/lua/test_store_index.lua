--- The index of runs: what it holds, and what becomes of it when it is damaged, newer, locked, in a
--- folder that cannot be written, or written by several processes at once.
local core = require "swale.core"
local folders = require "swale.folders"
local harness = require "store_harness"
local lu = require "luaunit"
local process = require "swale.process"
local store = require "swale.store"
local sw = require "swale"

TestIndex = harness.in_a_root()

function TestIndex:made(id, info, records) return harness.run(self.root, id, info, records) end

function TestIndex:path() return self.root .. "/index.sqlite" end

function TestIndex:count() return #store.open():runs() end

--- One value of the file, read from outside.
function TestIndex:value(sql)
  local db <close> = assert(core.sqlite_open(self:path(), "read"))
  local statement <close> = assert(db:prepare(sql))
  assert(statement:step())
  return statement:row()
end

local function notes_of(it)
  local list = {}
  it:tell(function(text) list[#list + 1] = text end)
  return table.concat(list, "\n")
end

-- ------------------------------------------------------------------ contents

function TestIndex:test_a_folder_without_runs_gets_no_index()
  lu.assert_equals(self:count(), 0)
  lu.assert_false(folders.exists(self:path()))
end

function TestIndex:test_numbers_are_exact()
  self:made("a", { params = { a = 0.1 + 0.2, b = math.maxinteger, c = 2.0, d = 1 / 0, e = "1" },
    summary = { x = "nan", y = true, z = { 1, 2 } }, seed = 9007199254740993 })
  self:count()
  lu.assert_equals(self:value "SELECT seed FROM runs", 9007199254740993)
  lu.assert_equals(self:value "SELECT value FROM params WHERE name = 'a'", 0.1 + 0.2)
  lu.assert_equals(self:value "SELECT value FROM params WHERE name = 'b'", math.maxinteger)
  lu.assert_equals(math.type(self:value "SELECT value FROM params WHERE name = 'c'"), "float")
  lu.assert_equals(self:value "SELECT value FROM params WHERE name = 'd'", math.huge)
  lu.assert_equals(self:value "SELECT typeof(value) FROM params WHERE name = 'e'", "text")
  lu.assert_equals(self:value "SELECT group_concat(type) FROM summaries", "nan,boolean,json")
  lu.assert_equals(self:value "PRAGMA user_version", 1)
  local run = sw.runs()[1]
  lu.assert_equals({ run.params.a, run.params.b, run.seed },
    { 0.1 + 0.2, math.maxinteger, 9007199254740993 })
end

--- Only what changed is read again: a run.json that is replaced by another of its stamp is not.
function TestIndex:test_what_is_unchanged_is_not_read()
  local dir = self:made("a", { tag = "old" })
  lu.assert_equals(sw.runs()[1].tag, "old")
  local before = require("luv").fs_stat(dir .. "/run.json").mtime
  local file <close> = assert(io.open(dir .. "/run.json", "r+b"))
  local text = file:read "a"
  file:seek "set"
  file:write((text:gsub("old", "new")))
  file:close()
  local time = before.sec + before.nsec / 1e9
  require("luv").fs_utime(dir .. "/run.json", time, time)
  local now = require("luv").fs_stat(dir .. "/run.json").mtime
  if now.sec == before.sec and now.nsec == before.nsec then -- where times are not rounded
    lu.assert_equals(sw.runs()[1].tag, "old")
  end
  store.open().index:rebuild()
  lu.assert_equals(sw.runs()[1].tag, "new")
end

function TestIndex:test_metrics_are_read_when_they_are_asked_for()
  self:made("a", {}, { { kind = "epoch", step = 3, loss = 2 } })
  self:count()
  lu.assert_equals(self:value "SELECT count(*) FROM metrics", 0)
  lu.assert_equals(#sw.runs { where = "loss = 2" }, 1)
  lu.assert_equals(self:value "SELECT count(*) FROM metrics", 2)
  self:made("a", {}, { { kind = "epoch", step = 3, loss = 2 }, { kind = "epoch", loss = 5 } })
  lu.assert_equals(#sw.runs { where = "loss = 5 and loss.min = 2" }, 1)
end

--- A run whose writer is killed changes its status without a change of its file.
function TestIndex:test_a_status_that_changes_by_itself()
  local writer = require("swale.run.status").writer()
  local dir = self:made("a", { status = "running", pid = writer.pid, host = writer.host })
  local lock = assert(core.hold(dir .. "/.lock"))
  lu.assert_equals(sw.runs { where = "status = 'running'" }[1].id, "a")
  lock:release()
  local waited = sw.runs { where = "status = 'killed'" }
  lu.assert_equals(#waited, 1)
  lu.assert_equals(self:value "SELECT status FROM runs", "killed")
end

function TestIndex:test_runs_of_a_collection()
  self:made("a", { collection = "c" })
  self:made("b", {})
  self:made("x", {})
  assert(folders.make_folder(self.root .. "/c"))
  harness.write(self.root .. "/c/collection.json", '{"format": 1, "status": "done"}')
  local line = '{"work": %d, "run": "%s", "script": "s.lua", "overrides": [], "seed": 1,'
    .. ' "status": "done"}\n'
  harness.write(self.root .. "/c/members.jsonl", line:format(1, "a") .. line:format(2, "b")
    .. '{"work": 3, "ru')
  local found = sw.runs { collection = "c" }
  lu.assert_equals({ #found, found[1].id, found[2].id }, { 2, "a", "b" })
end

-- ------------------------------------------------------------------ faults

function TestIndex:damage(text)
  self:made("a", {})
  self:count()
  harness.write(self:path(), text)
end

function TestIndex:test_a_damaged_index_is_rebuilt_and_that_is_said()
  for _, text in ipairs { ("x"):rep(5000), "SQLite format 3\0" .. ("\1"):rep(5000) } do
    self:damage(text)
    local it = store.open()
    lu.assert_equals(#it:runs(), 1)
    lu.assert_str_contains(notes_of(it), "the index was damaged (")
    lu.assert_equals(self:value "SELECT count(*) FROM runs", 1)
  end
end

--- Pages in the middle are damaged, the header is not.
function TestIndex:test_damage_within()
  for i = 1, 40 do self:made("run" .. i, { params = { text = ("x"):rep(500) } }) end
  lu.assert_equals(self:count(), 40)
  local text = folders.read(self:path())
  harness.write(self:path(), text:sub(1, 4096) .. ("\xa5"):rep(#text - 4096))
  local it = store.open()
  lu.assert_equals(#it:runs(), 40)
  lu.assert_str_contains(notes_of(it), "the index was damaged (")
end

function TestIndex:test_an_empty_file_is_a_new_index()
  self:damage ""
  lu.assert_equals(self:count(), 1)
  lu.assert_equals(self:value "SELECT count(*) FROM runs", 1)
end

function TestIndex:change(sql)
  self:made("a", {})
  self:count()
  local db <close> = assert(core.sqlite_open(self:path(), "write"))
  assert(db:execute(sql))
end

function TestIndex:test_a_newer_index_is_refused_until_it_is_rebuilt()
  self:change "PRAGMA user_version = 2"
  local words = "index.sqlite: version 2 is newer than this release of Swale reads, which is 1"
  lu.assert_error_msg_contains(words, sw.runs)
  lu.assert_error_msg_contains("rebuild it by `swale index`", sw.runs)
  store.open().index:rebuild()
  lu.assert_equals(self:count(), 1)
end

function TestIndex:test_a_database_of_others_is_left_alone()
  self:change "PRAGMA application_id = 7"
  local words = "is not an index of Swale's: move it"
  lu.assert_error_msg_contains(words, sw.runs)
  lu.assert_error_msg_contains(words, function() store.open().index:rebuild() end)
  lu.assert_equals(self:value "PRAGMA application_id", 7)
end

--- Two processes that list the first runs at once: the other one makes the tables between two looks
--- at the new file.
function TestIndex:test_a_file_that_another_process_is_making()
  self:made("a", {})
  harness.write(self:path(), "")
  local it, made = store.open(), false
  local Index = getmetatable(it.index)
  local value = Index.value
  rawset(Index, "value", function(...)
    local found = value(...)
    if not made then
      made = true
      local db <close> = assert(core.sqlite_open(self:path(), "write"))
      assert(db:execute("BEGIN IMMEDIATE;" .. require("swale.store.schema").SQL .. "COMMIT"))
    end
    return found
  end)
  local ok, found = pcall(it.runs, it)
  rawset(Index, "value", value)
  lu.assert_true(ok, found)
  lu.assert_equals(#found, 1)
end

--- The file cannot be replaced, as in a folder of others: it is said once, and read without it.
function TestIndex:test_a_damaged_index_that_stays()
  self:damage(("x"):rep(5000))
  local remove = folders.remove
  folders.remove = function() end
  local it = store.open()
  local ok, found = pcall(it.runs, it)
  folders.remove = remove
  lu.assert_true(ok, found)
  lu.assert_equals(#found, 1)
  lu.assert_str_contains(notes_of(it), "cannot be used: ")
end

--- Another process can write the index after an error of the user's function.
function TestIndex:test_an_error_in_a_condition_leaves_no_statement_open()
  for i = 1, 3 do self:made("run" .. i, {}) end
  local it = store.open()
  lu.assert_error_msg_contains("mine", it.runs, it, { where = function() error "mine" end })
  local db <close> = assert(core.sqlite_open(self:path(), "write"))
  assert(db:execute "PRAGMA busy_timeout = 100")
  assert(db:execute "UPDATE runs SET tag = 'x'")
end

function TestIndex:test_an_older_index_is_made_anew()
  self:change "PRAGMA user_version = 0; DROP TABLE params"
  lu.assert_equals(self:count(), 1)
  lu.assert_equals(self:value "PRAGMA user_version", 1)
end

--- As in a folder that cannot be written: the lock's place is taken by a folder.
function TestIndex:test_without_an_index_file_the_runs_are_read_all_the_same()
  self:made("a", { params = { lr = 0.5 } }, { { kind = "epoch", loss = 1 } })
  assert(folders.make_folder(self.root .. "/.index.lock"))
  local it = store.open()
  lu.assert_equals(#it:runs { where = "lr = 0.5 and loss.max = 1" }, 1)
  lu.assert_str_contains(notes_of(it), "cannot be used: ")
  lu.assert_false(folders.exists(self:path()))
end

function TestIndex:test_an_index_that_another_process_writes_for_long()
  self:made("a", {})
  self:count()
  self:made("b", {})
  local lock <const> = assert(core.hold(self.root .. "/.index.lock"))
  local it = store.open()
  it.index.patience = 0.1
  lu.assert_equals(#it:runs(), 2)
  lu.assert_str_contains(notes_of(it), "another process has been writing it for 0.1 s")
  lock:release()
  lu.assert_equals(self:count(), 2)
end

--- Whatever a record holds where a text or a number is expected, it is shown and hurts no other.
function TestIndex:test_records_with_values_of_other_types()
  local detail, compare = require "swale.store.detail", require "swale.store.compare"
  local listing, export = require "swale.store.listing", require "swale.store.export"
  local names = { table.unpack(require("swale.store.schema").FIELDS) }
  table.move({ "params", "summary", "objective", "parent", "versions", "given", "notes", "resumed",
    "id", "machine", "dirty" }, 1, 11, #names + 1, names)
  local n = 0
  for i, value in ipairs { 7, 0.5, true, "x\27[31m\n", {}, { 1, { 2 } }, { a = { b = 1 } } } do
    for _, name in ipairs(names) do
      n = n + 1
      self:made(("r%d_%s"):format(i, name), { [name] = value, params = name ~= "params" and
        { lr = i } or value })
    end
  end
  local it = store.open()
  local found = it:runs { sort = "started" }
  lu.assert_equals({ #found + #it.problems, #it.problems }, { n, 0 })
  lu.assert_str_contains(listing.table(found), "r1_seed")
  for _, format in ipairs { "csv", "jsonl" } do
    export.write(format, "runs", found, function() end)
  end
  for i, run in ipairs(found) do
    lu.assert_not_str_contains(detail.text(run), "\27")
    if i > 1 then compare.text({ found[i - 1], run }, { "x" }) end
  end
end

--- The index is up to date, but what a condition needs cannot be added to it.
function TestIndex:test_metrics_without_an_index_file()
  self:made("a", {}, { { kind = "epoch", loss = 1 } })
  self:count()
  folders.remove(self.root .. "/.index.lock")
  assert(folders.make_folder(self.root .. "/.index.lock"))
  lu.assert_equals(#store.open():runs { where = "loss = 1" }, 1)
  lu.assert_equals(self:value "SELECT count(*) FROM metrics", 0)
end

-- ------------------------------------------------------------------ several processes

local SCRIPT = [[
  local root, n = arg[1], tonumber(arg[2])
  local getenv = os.getenv
  rawset(os, "getenv", function(name) return name == "SWALE_RUNS" and root or getenv(name) end)
  local harness = require "store_harness"
  for i = 1, 12 do
    harness.run(root, ("p%d_%d"):format(n, i), { params = { p = n, i = i } },
      { { kind = "epoch", step = i, loss = n } })
    local found = require("swale").runs { where = "p = " .. n .. " and loss = " .. n }
    if #found ~= i then error(("%d of %d"):format(#found, i)) end
  end]]

--- Starts a process that makes runs and lists them; returns its handle and its result.
local function start(root, n)
  local uv, result = require "luv", {}
  local err = uv.new_pipe()
  result.handle = assert(uv.spawn(process.interpreter(), {
    args = { "-e", ("package.path, package.cpath = %q, %q\n%s"):format(package.path, package.cpath,
      SCRIPT), "/dev/null", root, tostring(n) },
    stdio = { nil, nil, err } }, function(code, signal)
      result.code, result.signal = code, signal
      result.handle:close()
    end))
  result.text = ""
  err:read_start(function(_, data)
    if data then result.text = result.text .. data else err:close() end
  end)
  return result
end

function TestIndex:test_eight_processes_lose_nothing()
  local uv, list = require "luv", {}
  self:made("first", { params = { p = 0, i = 0 } }, { { kind = "epoch", loss = 0 } })
  for n = 1, 8 do list[n] = start(self.root, n) end
  uv.run()
  for _, result in ipairs(list) do lu.assert_equals({ result.code, result.text }, { 0, "" }) end
  lu.assert_equals(self:count(), 97)
  lu.assert_equals(self:value "SELECT count(*) FROM runs", 97)
  lu.assert_equals(self:value "PRAGMA integrity_check", "ok")
end

--- Wherever a process is killed, the next one finds an index that is sound, or makes one.
function TestIndex:test_killed_processes_leave_it_sound()
  local uv = require "luv"
  for round = 1, 6 do
    local list = {}
    for n = 1, 3 do list[n] = start(self.root, 10 * round + n) end
    local goal = self.root .. ("/p%d_%d/run.json"):format(10 * round + 1, 2 * round)
    local timer = uv.new_timer()
    timer:start(2, 2, function()
      local over = list[1].code ~= nil
      if not over and not folders.exists(goal) then return end
      for _, result in ipairs(list) do
        if not result.code then result.handle:kill "sigkill" end
      end
      timer:close()
    end)
    uv.run()
    local it = store.open()
    local there = 0
    for _, entry in ipairs(require("swale.store.folder").list(self.root)) do
      there = there + (entry.kind == "run" and 1 or 0)
    end
    lu.assert_equals(#it:runs() + #it.problems, there)
    lu.assert_equals(self:value "PRAGMA integrity_check", "ok")
  end
end
