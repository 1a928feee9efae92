--- The index: one SQLite file, runs/index.sqlite, that has what the directories of runs hold. It is
--- a cache: readers bring it up to date, training processes never touch it, and where it cannot be
--- written an index in memory takes its place.
---
--- Writers take turns by a lock on .index.lock. A change is one transaction, so that a kill leaves
--- the index as it was before.
local class = require "swale.class"
local core = require "swale.core"
local errors = require "swale.errors"
local folder = require "swale.store.folder"
local folders = require "swale.folders"
local format = require "swale.run.format"
local schema = require "swale.store.schema"
local standing = require "swale.run.status"

local M = {}

local WAIT = 30 -- seconds for the lock

---@class swale.Index
---@field root string
---@field db swale.Sqlite|nil      nil: there is no file yet
---@field memory boolean           no file is used
---@field patience number          seconds to wait for other writers
---@field notes string[]           what was repaired or could not be done, for the user
local Index = class.new("index", { fields = { "root", "db", "memory", "patience", "notes" } })

local function path_of(self) return self.root .. "/index.sqlite" end

-- ------------------------------------------------------------------ statements

--- Statements are kept, as many of them run for each record.
local function prepared(self, sql)
  local statement = self.statements[sql]
  if not statement then
    statement = errors.check(self.db:prepare(sql))
    self.statements[sql] = statement
  end
  return statement
end

--- Runs a statement and calls each for the rows; values may hold nil.
local function run(self, sql, values, n, each)
  local statement = prepared(self, sql)
  errors.check(statement:bind(table.unpack(values or {}, 1, n or #(values or {}))))
  while errors.check(statement:step()) do
    if each then each(statement:row()) end
  end
end

---Calls each(values…) for the rows of a query.
---@param sql string
---@param values any[]    of its parameters, without gaps
---@param each fun(...)
function Index:query(sql, values, each) run(self, sql, values, #values, each) end

---The first value of the first row.
---@param sql string
---@param values? any[]
---@return any
function Index:value(sql, values)
  local found
  run(self, sql, values, nil, function(value) if found == nil then found = value end end)
  return found
end

-- ------------------------------------------------------------------ opening

--- Whether the file has tables. Raises ECORRUPT if it is damaged, EFORMAT if it is of another
--- program. Another process may make the tables between two of these queries: it sets the
--- application_id in the same transaction.
local function check_owner(self)
  if self:value "SELECT count(*) FROM sqlite_master" == 0 then return false end
  if self:value "PRAGMA application_id" == schema.APPLICATION then return true end
  errors.environment(("%s is not an index of Swale's: move it to another place"):format(
    path_of(self)), "EFORMAT")
end

--- Whether the file is an index of this release. Raises EFORMAT if it is of a newer one, too.
local function check_version(self)
  if not check_owner(self) then return false end
  local version = self:value "PRAGMA user_version"
  if version > schema.VERSION then
    errors.environment(("%s: version %d is newer than this release of Swale reads, which is %d;"
      .. " update Swale, or rebuild it by `swale index`"):format(path_of(self), version,
        schema.VERSION), "EFORMAT")
  end
  return version == schema.VERSION
end

local function close(self)
  for _, statement in pairs(self.statements) do statement:close() end
  self.statements = {}
  if self.db then self.db:close() end
  self.db = nil
end

--- Opens the file if there is one with the tables in it.
local function open_file(self)
  close(self)
  if not folders.exists(path_of(self)) then return end
  self.db = errors.check(core.sqlite_open(path_of(self), "write"))
  if not check_version(self) then close(self) end
end

--- Raises EFORMAT if the file is another program's. One that is damaged is not.
local function refuse_foreign(self)
  self.db = core.sqlite_open(path_of(self), "read")
  local _, fault, code = errors.try(function() return self.db and check_owner(self) end)
  close(self)
  if code == "EFORMAT" then errors.environment(fault, code) end
end

local function open_memory(self)
  close(self)
  self.memory = true
  self.db = errors.check(core.sqlite_open(":memory:", "create"))
  errors.check(self.db:execute(schema.SQL))
end

local function transaction(self, f)
  errors.check(self.db:execute "BEGIN IMMEDIATE")
  local ok, fault = pcall(f)
  if ok then ok, fault = pcall(function() errors.check(self.db:execute "COMMIT") end) end
  if ok then return end
  self.db:execute "ROLLBACK"
  error(fault, 0)
end

--- Makes the tables; an older version goes.
local function create_file(self)
  self.db = errors.check(core.sqlite_open(path_of(self), "create"))
  if self:value "SELECT count(*) FROM sqlite_master" > 0 then
    close(self)
    folders.remove(path_of(self))
    self.db = errors.check(core.sqlite_open(path_of(self), "create"))
  end
  transaction(self, function() errors.check(self.db:execute(schema.SQL)) end)
end

-- ------------------------------------------------------------------ the lock

local function hold(self)
  local uv, path = require "luv", self.root .. "/.index.lock"
  local deadline = uv.hrtime() + self.patience * 1e9
  while true do
    local lock, message, code = core.hold(path)
    if lock then return lock end
    if code ~= "EHELD" then errors.environment(message, code) end
    if uv.hrtime() > deadline then
      errors.environment(("another process has been writing it for %g s"):format(
        self.patience), "EBUSY")
    end
    uv.sleep(20)
  end
end

--- Calls f with the file open and the lock held.
local function while_locked(self, f)
  local lock = hold(self)
  local ok, fault = pcall(function()
    open_file(self)
    if not self.db then create_file(self) end
    transaction(self, f)
  end)
  lock:release()
  if not ok then error(fault, 0) end
end

-- ------------------------------------------------------------------ what changed

local TABLES = { run = "runs", collection = "collections" }
local FILES = { run = "/run.json", collection = "/collection.json" }

--- What the index knows: by kind and id, the stamp, and whether the status may change by itself.
local function known(self)
  local found = { run = {}, collection = {} }
  for kind, name in pairs(self.db and TABLES or {}) do
    self:query(("SELECT id, stamp, recorded, status FROM %s"):format(name), {},
      function(id, stamp, recorded, status)
        found[kind][id] = { stamp = stamp, live = recorded == "running", status = status }
      end)
  end
  return found
end

--- Whether what was running is not any more, or the other way round.
local function moved_on(self, kind, id, entry)
  if not entry.live then return false end
  local json = self:value(("SELECT json FROM %s WHERE id = ?"):format(TABLES[kind]), { id })
  return standing.of(self.root .. "/" .. id, core.json_decode(json) or {}) ~= entry.status
end

--- Lists what to read again and what to forget: { kind, id, stamp? }.
local function differences(self, entries)
  local before, list, there = known(self), {}, { run = {}, collection = {} }
  for _, entry in ipairs(entries) do
    local old = before[entry.kind][entry.id]
    there[entry.kind][entry.id] = true
    if not old or old.stamp ~= entry.stamp or moved_on(self, entry.kind, entry.id, old) then
      list[#list + 1] = entry
    end
  end
  for kind, ids in pairs(before) do
    for id in pairs(ids) do
      if not there[kind][id] then list[#list + 1] = { kind = kind, id = id } end
    end
  end
  return list
end

-- ------------------------------------------------------------------ writing

local function insert_all(self, sql, id, values)
  for _, name in ipairs(errors.sorted_keys(type(values) == "table" and values or {})) do
    local value, kind = schema.typed(values[name])
    run(self, sql, { id, name, value, kind }, 4)
  end
end

--- A record's text and what it says; a faulty one has a problem.
local function read(self, entry)
  local dir = self.root .. "/" .. entry.id
  local path = dir .. FILES[entry.kind]
  local text, message = folders.read(path)
  local info, why
  if text then info, why = core.json_decode(text) end
  if type(info) ~= "table" then
    return { stamp = entry.stamp, problem = message or path .. ": " .. (why or "no object"),
      info = {} }
  end
  local ok, problem = format.check(path, info.format)
  if not ok then return { stamp = entry.stamp, problem = problem, info = {} } end
  return { stamp = entry.stamp, info = info, json = text, status = standing.of(dir, info) }
end

local INSERTS = {
  run = function(self, id, record)
    run(self, schema.INSERT_RUN, schema.run_values(id, record))
    insert_all(self, "INSERT INTO params VALUES (?, ?, ?, ?)", id, record.info.params)
    insert_all(self, "INSERT INTO summaries VALUES (?, ?, ?, ?)", id, record.info.summary)
  end,
  collection = function(self, id, record)
    run(self, schema.INSERT_COLLECTION, schema.collection_values(id, record))
    for event in require("swale.batch.collection").events(self.root .. "/" .. id) do
      if type(event.run) == "string" then
        run(self, "INSERT OR IGNORE INTO members VALUES (?, ?)", { id, event.run })
      end
    end
  end,
}

local function forget(self, kind, id)
  run(self, ("DELETE FROM %s WHERE id = ?"):format(TABLES[kind]), { id })
  if kind == "collection" then
    return run(self, "DELETE FROM members WHERE collection = ?", { id })
  end
  for _, name in ipairs { "params", "summaries", "metrics" } do
    run(self, ("DELETE FROM %s WHERE run = ?"):format(name), { id })
  end
end

local function apply(self, list)
  for _, entry in ipairs(list) do
    forget(self, entry.kind, entry.id)
    if entry.stamp then INSERTS[entry.kind](self, entry.id, read(self, entry)) end
  end
end

-- ------------------------------------------------------------------ the outside

--- Calls f; where the file cannot be used, once more with an index in memory.
local function or_in_memory(self, f)
  local ok, fault, code = errors.try(function()
    f()
    return true
  end)
  if ok then return end
  if code == "EFORMAT" or code == "EINTERRUPTED" then errors.environment(fault, code) end
  if self.memory then errors.environment(fault, code) end
  if code == "ECORRUPT" and not self.rebuilt then
    self.rebuilt = true
    table.insert(self.notes, ("the index was damaged (%s) and has been rebuilt"):format(fault))
    return or_in_memory(self, function()
      self:rebuild()
      f()
    end)
  end
  table.insert(self.notes, ("the index %s cannot be used: %s; reading the runs without it"):format(
    path_of(self), fault))
  open_memory(self)
  apply(self, differences(self, folder.list(self.root)))
  f()
end

---Brings the index up to date with the folders.
---@return swale.Index self
function Index:refresh()
  or_in_memory(self, function()
    if not self.memory and not self.db then open_file(self) end
    local entries = folder.list(self.root)
    local changed = differences(self, entries)
    if #changed == 0 and (self.db or #entries == 0) then return end
    if self.memory then return apply(self, changed) end
    while_locked(self, function() apply(self, differences(self, folder.list(self.root))) end)
  end)
  if not self.db then open_memory(self) end -- there are no runs, and no file is made for none
  return self
end

---Makes the index anew from the folders.
---@return swale.Index self
function Index:rebuild()
  if self.memory then return self:refresh() end
  close(self)
  refuse_foreign(self)
  local lock = hold(self)
  for _, ending in ipairs { "", "-journal", "-wal", "-shm" } do
    folders.remove(path_of(self) .. ending)
  end
  lock:release()
  return self:refresh()
end

---Changes the index under its lock.
---@param f fun()
function Index:change(f)
  or_in_memory(self, function()
    if self.memory then return f() end
    while_locked(self, f)
  end)
end

---Runs a statement that changes the index, within change.
---@param sql string
---@param values any[]
---@param n integer
function Index:run(sql, values, n) run(self, sql, values, n) end

function Index:close() close(self) end

---Opens the index of a root; refresh reads the file, or makes it.
---@param root string
---@return swale.Index
function M.open(root)
  return setmetatable({ root = root, notes = {}, memory = false, patience = WAIT,
    statements = {} }, Index)
end

return M
