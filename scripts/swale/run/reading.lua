--- Reads run.json and metrics.jsonl of a run, whoever wrote it.
local core = require "swale.core"
local errors = require "swale.errors"
local folders = require "swale.folders"
local format = require "swale.run.format"
local standing = require "swale.run.status"

local M = {}

--- Parses a JSON object; nil and what is wrong with it.
local function object(text)
  local value, why = core.json_decode(text)
  if type(value) == "table" and text:find "^%s*{" then return value end
  return nil, why or ("expected an object, found %s"):format(errors.shown(text:sub(1, 20)))
end

---Returns the records of a run. An incomplete last line, of a run that was killed, is left out.
---@param dir string
---@return table[] records
function M.read_metrics(dir)
  local path = dir .. "/metrics.jsonl"
  local records, bad = {}, nil
  local file, message = io.open(path)
  if not file then errors.environment(message, "EIO") end
  for line in file:lines() do
    if bad then
      file:close()
      errors.environment(("%s:%d: not a record: %s"):format(path, #records + 1, bad), "ECORRUPT")
    end
    local record, why = object(line)
    if record then records[#records + 1] = record else bad = why end
  end
  file:close()
  return records
end

---Returns the contents of run.json as they are. Raises for a newer format.
---@param dir string
---@return table
function M.read_record(dir)
  local path = dir .. "/run.json"
  local text, message, code = folders.read(path)
  if not text then errors.environment(message, code) end
  local info, why = object(text)
  if not info then errors.environment(path .. ": " .. why, "ECORRUPT") end
  errors.check(format.check(path, info.format))
  return info
end

---The same, but "killed" for the status of a run whose writer was killed.
---@param dir string
---@return table
function M.read_info(dir)
  local info = M.read_record(dir)
  info.status = standing.of(dir, info)
  return info
end

---The same, of a run that is executed again. Raises where a field that this needs is damaged.
---@param dir string
---@return table
function M.read_whole(dir)
  local info = M.read_info(dir)
  errors.check(format.check_fields(dir .. "/run.json", info))
  return info
end

return M
