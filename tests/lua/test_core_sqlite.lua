--- swale.core: the binding of SQLite.
package.path = debug.getinfo(1, "S").source:match "^@(.-)[^/]*$" .. "?.lua;" .. package.path
if os.getenv "SWALE_BUILD" then
  package.cpath = os.getenv "SWALE_BUILD" .. "/lua/?.so;" .. package.cpath
end

local lu = require "luaunit"
local core = require "swale.core"
local harness = require "core_harness"
local raises = harness.raises

TestSqlite = {}

local function open() return assert(core.sqlite_open(":memory:", "create")) end

local function fails(code, words, ok, message, found)
  lu.assert_nil(ok)
  lu.assert_equals(found, code, message)
  lu.assert_str_contains(message, words)
end

--- What comes back of a value that is put into a table.
local function through(value)
  local db <close> = open()
  assert(db:execute "CREATE TABLE t (x)")
  local insert <close> = assert(db:prepare "INSERT INTO t VALUES (?)")
  lu.assert_false(insert:bind(value):step())
  lu.assert_equals(db:changes(), 1)
  local select_ <close> = assert(db:prepare "SELECT x FROM t")
  lu.assert_true(select_:step())
  return select_:row()
end

function TestSqlite:test_values_come_back_exactly()
  for _, value in ipairs { math.maxinteger, math.mininteger, 9007199254740993, 0.1 + 0.2, 1e308,
    5e-324, math.huge, -math.huge, 1.0, "", "a\0b", "é\n'; DROP TABLE t; --" } do
    local found = through(value)
    lu.assert_equals(found, value)
    lu.assert_equals(math.type(found), math.type(value))
  end
  lu.assert_equals(1 / through(-0.0), -math.huge)
  lu.assert_nil(through(nil))
  lu.assert_equals(through(true), 1)
end

function TestSqlite:test_what_it_cannot_hold()
  local db <close> = open()
  local s <close> = assert(db:prepare "SELECT ?, ?")
  raises("statement:bind: value 2 is nan, which SQLite cannot hold", s.bind, s, 1, 0 / 0)
  raises("statement:bind: value 1 must be a number, a string, a boolean or nil, got a table",
    s.bind, s, {}, 1)
  raises("statement:bind: it has 2 parameters, got 1 values", s.bind, s, 1)
  raises('sqlite_open: mode must be "create"', core.sqlite_open, "x", "append")
end

function TestSqlite:test_rows_and_columns()
  local db <close> = open()
  local s, rest = db:prepare "SELECT 1 AS a, NULL AS b, 'x' AS c; SELECT 2"
  lu.assert_equals(rest, " SELECT 2")
  lu.assert_equals(s:columns(), { "a", "b", "c" })
  for _ = 1, 2 do -- a statement that has ended starts anew
    lu.assert_true(s:step())
    lu.assert_equals(table.pack(s:row()), { 1, nil, "x", n = 3 })
    lu.assert_false(s:step())
  end
  fails("ESQL", "no statement", db:prepare " -- nothing")
  fails("ESQL", 'near "SELEC": syntax error', db:prepare "SELEC 1")
  fails("ESQL", "no such table: t", db:execute "INSERT INTO t VALUES (1)")
end

function TestSqlite:test_ends_in_any_order()
  local db = open()
  local s = assert(db:prepare "SELECT 7")
  db:close()
  db:close()
  lu.assert_true(s:step())
  lu.assert_equals(s:row(), 7)
  s:close()
  raises("this statement was freed", s.step, s)
  raises("this sqlite was freed", db.prepare, db, "SELECT 1")
end

function TestSqlite:test_files_that_are_none()
  harness.with_folder(function(folder)
    local path = folder .. "/x.sqlite"
    fails("EIO", "unable to open", core.sqlite_open(path, "read"))
    local file <close> = assert(io.open(path, "wb"))
    file:write(("no database "):rep(1000))
    file:flush()
    local db <close> = assert(core.sqlite_open(path, "write"))
    fails("ECORRUPT", "not a database", db:execute "CREATE TABLE t (x)")
  end)
end

--- A restricted connection writes nothing, whatever it is told.
function TestSqlite:test_restricted()
  harness.with_folder(function(folder)
    local path, other = folder .. "/x.sqlite", folder .. "/y.sqlite"
    do
      local db <close> = assert(core.sqlite_open(path, "create"))
      assert(db:execute "CREATE TABLE t (x); INSERT INTO t VALUES (3)")
    end
    local db <close> = assert(core.sqlite_open(path, "write"))
    assert(db:restrict())
    local s <close> = assert(db:prepare "SELECT max(x) FROM (SELECT x FROM t)")
    lu.assert_true(s:step())
    lu.assert_equals(s:row(), 3)
    for _, sql in ipairs { "DELETE FROM t", "DROP TABLE t", "CREATE TABLE u (x)", "BEGIN",
      "PRAGMA user_version = 3", "PRAGMA journal_mode = WAL", "CREATE TEMP TABLE u (x)",
      ("ATTACH '%s' AS y"):format(other), ("VACUUM INTO '%s'"):format(other), "VACUUM" } do
      local ok, _, code = db:prepare(sql)
      if ok then ok, _, code = ok:step() end
      lu.assert_nil(ok, sql)
      lu.assert_equals(code, "ESQL", sql)
    end
    lu.assert_nil(io.open(other))
  end)
end

--- Ctrl-C ends a statement that would run for hours.
function TestSqlite:test_interrupt()
  local result = harness.run_child [[
    local core = require "swale.core"
    core.catch_signals()
    local db = core.sqlite_open(":memory:", "create")
    local s = db:prepare [=[WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
      SELECT count(*) FROM n]=]
    io.popen(("sleep 0.2; kill -INT %d"):format(tonumber(io.open("/proc/self/stat"):read "n")))
    local ok, value = pcall(s.step, s)
    if ok then ok, value = pcall(function() for _ = 1, 1e7 do end end) end
    io.stdout:write(tostring(value == core.INTERRUPTED))
  ]]
  lu.assert_equals(result, "true")
end
