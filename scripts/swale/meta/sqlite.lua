---@meta _
-- swale.core: SQLite.

---@class swale.core
local core = {}

---@class swale.Sqlite         a connection; faults have SQLite's message and a code: EBUSY, ECORRUPT, ESQL, …
local Sqlite = {}
---@param sql string           statements without parameters
---@return true|nil ok, string? message, string? code
function Sqlite:execute(sql) end
---@param sql string
---@return swale.Statement|nil statement, string rest, string? code   rest: the text behind the statement
function Sqlite:prepare(sql) end
---From now on it prepares nothing but SELECT, and what was prepared before is not affected.
---@return true|nil ok, string? message, string? code
function Sqlite:restrict() end
---@return integer             rows that the last statement changed
function Sqlite:changes() end
function Sqlite:close() end

---@class swale.Statement
local Statement = {}
---@param ... number|string|boolean|nil    a value for each parameter; it starts anew; nan is refused
---@return swale.Statement|nil self, string? message, string? code
function Statement:bind(...) end
---@return boolean|nil row, string? message, string? code   false: no more rows
function Statement:step() end
---@return any ...             the row's values
function Statement:row() end
---@return string[]
function Statement:columns() end
function Statement:close() end

---@param path string
---@param mode "create"|"write"|"read"
---@return swale.Sqlite|nil, string? message, string? code
function core.sqlite_open(path, mode) end
