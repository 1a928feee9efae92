--- The version of the formats of a run's files (docs/files.md), and the types of what run.json has.
--- A file without a version was written before files had it, and is read as version 1.
local M = {}

M.VERSION = 1

---Whether this release reads a file of that version.
---@param path string
---@param version any       what the file says: 1, "1" (a checkpoint's metadata), nil
---@return true|nil ok, string? message, string? code   code: "EFORMAT"
function M.check(path, version)
  local n = version == nil and 1 or math.tointeger(tonumber(version))
  if n == M.VERSION then return true end
  if n and n > M.VERSION then
    return nil, ("%s: format %d is newer than this release of Swale reads, which is %d; update"
      .. " Swale"):format(path, n, M.VERSION), "EFORMAT"
  end
  return nil, ("%s: its format is %s; this release of Swale reads %d"):format(path,
    require("swale.errors").shown(version), M.VERSION), "EFORMAT"
end

--- Fields that a run which is executed again needs.
local NEEDED <const> = { status = "string", seed = "integer", params = "table" }

--- Those that it may have.
local OPTIONAL <const> = { script = "string", cwd = "string", files = "table", given = "table",
  parent = "table", resumed = "table", repeated_steps = "integer", objective = "table",
  notes = "table", summary = "table", script_sha256 = "string" }

local WORDS <const> = { string = "a text", integer = "a whole number", table = "an object or list" }

local function is_of(kind, value)
  if kind == "integer" then return math.type(value) == "integer" end
  return type(value) == kind
end

local function check_field(path, name, value, kind)
  if is_of(kind, value) then return true end
  return nil, ("%s is damaged: %s is %s, expected %s"):format(path, name,
    require("swale.errors").shown(value), WORDS[kind]), "ECORRUPT"
end

local function check_files(path, files)
  for _, entry in ipairs(files or {}) do
    if type(entry) ~= "table" or type(entry.path) ~= "string" then
      return nil, path .. " is damaged: an entry of files has no path", "ECORRUPT"
    end
  end
  return true
end

---Whether run.json has what an execution of the run needs, in the types that it has.
---@param path string     of run.json
---@param info table
---@return true|nil ok, string? message, string? code   code: "ECORRUPT"
function M.check_fields(path, info)
  for _, name in ipairs(require("swale.errors").sorted_keys(NEEDED)) do
    local ok, message, code = check_field(path, name, info[name], NEEDED[name])
    if not ok then return nil, message, code end
  end
  for _, name in ipairs(require("swale.errors").sorted_keys(OPTIONAL)) do
    if info[name] ~= nil then
      local ok, message, code = check_field(path, name, info[name], OPTIONAL[name])
      if not ok then return nil, message, code end
    end
  end
  return check_files(path, info.files)
end

return M
