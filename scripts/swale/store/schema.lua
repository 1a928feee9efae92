--- The tables of the index (docs/files.md), and what goes into them of a run.json.
local core = require "swale.core"

local M = {}

M.VERSION = 1            -- user_version
M.APPLICATION = 0x53574c -- application_id: "SWL"

--- Columns of runs that are fields of run.json; names of conditions, too.
M.FIELDS = { "experiment", "script", "seed", "status", "started", "ended", "wall_seconds",
  "measurement_seconds", "last_step", "collection", "tag", "attempt", "key", "commit", "host",
  "threads", "instruction_set", "error" }

--- Those that are not fields of their names.
M.FIELDS_MADE = { id = function(_, id) return id end,
  parent = function(info) return type(info.parent) == "table" and info.parent.run or nil end,
  release = function(info) return type(info.versions) == "table" and info.versions.swale or nil end,
}

M.COLUMNS = { "id", "parent", "release", table.unpack(M.FIELDS) }

local function quoted(names)
  local list = {}
  for i, name in ipairs(names) do list[i] = '"' .. name .. '"' end
  return table.concat(list, ", ")
end

-- Values have no declared type: they stay whole numbers, others, or texts, as they were.
local TABLES = [[
CREATE TABLE runs (%s, stamp TEXT NOT NULL, recorded TEXT, problem TEXT, metrics_stamp TEXT,
  json TEXT, PRIMARY KEY (id)) WITHOUT ROWID;
CREATE TABLE params (run, name, value, type, PRIMARY KEY (run, name)) WITHOUT ROWID;
CREATE TABLE summaries (run, name, value, type, PRIMARY KEY (run, name)) WITHOUT ROWID;
CREATE TABLE metrics (run, kind, name, count, last, min, max, last_step, min_step, max_step,
  PRIMARY KEY (run, kind, name)) WITHOUT ROWID;
CREATE TABLE collections (id PRIMARY KEY, stamp TEXT NOT NULL, recorded TEXT, problem TEXT, kind,
  status, started, ended, total, tag, json TEXT) WITHOUT ROWID;
CREATE TABLE members (collection, run, PRIMARY KEY (collection, run)) WITHOUT ROWID;
PRAGMA application_id = %d;
PRAGMA user_version = %d;]]

M.SQL = TABLES:format(quoted(M.COLUMNS), M.APPLICATION, M.VERSION)

M.INSERT_RUN = ("INSERT INTO runs (%s, stamp, recorded, problem, json) VALUES (%s?, ?, ?, ?)")
  :format(quoted(M.COLUMNS), ("?, "):rep(#M.COLUMNS))

M.INSERT_COLLECTION = [[INSERT INTO collections (id, stamp, recorded, problem, kind, status,
  started, ended, total, tag, json) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)]]

--- What SQLite holds of a value: scalars as they are, others as JSON.
local function plain(value)
  if type(value) == "table" then return core.json_encode(value) end
  return value
end

local SPECIAL = { inf = math.huge, ["-inf"] = -math.huge }

---A value and its type. JSON has no NaN and no infinity: the record holds them as texts. A NaN is
---NULL with the type "nan", which no comparison takes.
---@param value any
---@return any value, "number"|"nan"|"text"|"boolean"|"json" type
function M.typed(value)
  if type(value) == "number" then return value, "number" end
  if type(value) == "boolean" then return value, "boolean" end
  if type(value) == "table" then return core.json_encode(value), "json" end
  if value == "nan" then return nil, "nan" end
  if SPECIAL[value] then return SPECIAL[value], "number" end
  return value, "text"
end

---The values of INSERT_RUN.
---@param id string
---@param o { stamp: string, status: string?, problem: string?, info: table, json: string? }
---@return any[] values, integer n
function M.run_values(id, o)
  local values, info = {}, o.info
  for i, name in ipairs(M.COLUMNS) do
    local made = M.FIELDS_MADE[name]
    if made then values[i] = plain(made(info, id)) else values[i] = plain(info[name]) end
    if name == "status" then values[i] = plain(o.status) end
  end
  local n = #M.COLUMNS
  values[n + 1], values[n + 2], values[n + 3] = o.stamp, plain(info.status), o.problem
  values[n + 4] = o.json
  return values, n + 4
end

---The values of INSERT_COLLECTION.
---@param id string
---@param o { stamp: string, status: string?, problem: string?, info: table, json: string? }
---@return any[] values, integer n
function M.collection_values(id, o)
  local info = o.info
  return { id, o.stamp, plain(info.status), o.problem, plain(info.kind), plain(o.status),
    plain(info.started), plain(info.ended), plain(info.total), plain(info.tag), o.json }, 11
end

return M
