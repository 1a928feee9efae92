--- swale query SQL
local cli = require "swale.cli"

local M = { summary = "ask the index of the runs in SQL: swale query \"SELECT …\"", order = 12 }

local function build_parser()
  local parser = cli.parser("query", "Prints the rows of a SELECT on the index of the runs, which"
    .. " it cannot change. Without SQL it prints the tables. params, summaries and metrics have"
    .. " a row for each run and name.")
  parser:argument("sql", "In the SQL of SQLite."):argname "SQL":args "?"
  parser:flag("--json", "A JSON list, with exact numbers.")
  return parser
end

local function print_tables(store)
  local last
  store.index:query([[SELECT t.name, c.name FROM sqlite_master t, pragma_table_info(t.name) c
    WHERE t.type = 'table' ORDER BY t.name = 'runs' DESC, t.name, c.cid]], {},
    function(name, column)
      if last ~= name then
        if last then print() end
        io.write(name, ":")
        last = name
      end
      io.write(" ", column)
    end)
  print()
end

--- The rows, their values as many as there are columns.
local function read(db, sql)
  local errors = require "swale.errors"
  local statement <close>, rest, code = db:prepare(sql)
  if not statement then
    local why = rest == "not authorized" and "it reads only: a SELECT" or rest
    errors.environment("query: " .. why, code)
  end
  if rest:find "%S" and not rest:find "^[%s;]*$" then
    errors.environment("query: one statement at a time, not also " .. errors.shown(rest), "ESQL")
  end
  local rows = {}
  while errors.check(statement:step()) do rows[#rows + 1] = table.pack(statement:row()) end
  return rows, statement:columns()
end

local function print_json(rows, columns)
  local core = require "swale.core"
  for i, row in ipairs(rows) do
    local record = {}
    for c, name in ipairs(columns) do record[name] = row[c] end
    rows[i] = core.json_encode(record)
  end
  print(("[%s]"):format(table.concat(rows, ",\n")))
end

local function print_rows(rows, columns)
  local shown = require "swale.store.shown"
  for _, row in ipairs(rows) do
    for c = 1, #columns do row[c] = shown.short(row[c]) end
  end
  print(require("swale.table").render(columns, rows))
end

---@param args string[]
---@return integer code
function M.main(args)
  local o = cli.parse(build_parser(), args)
  if not o then return 2 end
  local store = require("swale.store").open():refresh()
  store:tell(cli.note)
  if not o.sql then
    print_tables(store)
    return 0
  end
  if o.sql:lower():find "metrics" then require("swale.store.summaries").read(store.index) end
  require("swale.errors").check(store.index.db:restrict())
  local rows, columns = read(store.index.db, o.sql)
  if o.json then print_json(rows, columns) else print_rows(rows, columns) end
  return 0
end

return M
