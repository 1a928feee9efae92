-- SQLite: a table, values, rows. Its own memory is not of the core.
local db = assert(core.sqlite_open(":memory:", "create"))
assert(db:execute "CREATE TABLE t (a, b)")
local insert = assert(db:prepare "INSERT INTO t VALUES (?, ?)")
for i = 1, 3 do assert(assert(insert:bind(i, "text " .. i)):step() == false) end
local rows = assert(db:prepare "SELECT a, b FROM t ORDER BY a DESC")
assert(rows:columns()[2] == "b")
assert(rows:step())
local a, b = rows:row()
assert(a == 3 and b == "text 3")
local ok, message, code = db:execute "no SQL"
assert(not ok and message and code == "ESQL")
rows:close()
insert:close()
db:close()
