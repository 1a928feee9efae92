--- metrics.jsonl as columns of numbers.
local errors = require "swale.errors"

local M = {}

--- Numbers that JSON cannot hold are texts.
local TEXTS = { nan = 0 / 0, inf = math.huge, ["-inf"] = -math.huge }

---Returns a number of a record; nil if it is none.
---@param value any
---@return number|nil
function M.number(value)
  if type(value) == "number" then return value end
  return type(value) == "string" and TEXTS[value] or nil
end

local function has_any(record, columns)
  for _, name in ipairs(columns) do if record[name] ~= nil then return true end end
  return false
end

--- The names of all columns of numbers.
local function names_of(records)
  local names = {}
  for _, record in ipairs(records) do
    for name, value in pairs(record) do if M.number(value) then names[name] = true end end
  end
  return errors.sorted_keys(names)
end

local function of_kind(records, kind)
  local list = {}
  for _, record in ipairs(records) do
    if record.kind == kind then list[#list + 1] = record end
  end
  return list
end

---@param view swale.RunView
---@param o swale.RunMetricsOptions
---@return table<string, number[]>
function M.read(view, o)
  local lines = of_kind(view:records(), o.kind)
  local columns, result = o.columns or names_of(lines), {}
  for _, name in ipairs(columns) do result[name] = {} end
  for _, record in ipairs(lines) do
    if has_any(record, columns) then
      for _, name in ipairs(columns) do
        table.insert(result[name], M.number(record[name]) or 0 / 0)
      end
    end
  end
  return result
end

---The values of one column in the lines of epochs; nil if there are none.
---@param view swale.RunView
---@param name string
---@return number[]|nil
function M.column(view, name)
  local values = M.read(view, { kind = "epoch", columns = { name } })[name]
  return #values > 0 and values or nil
end

return M
