--- Results of a run that claims and figures ask for: a name in its summary, or a function.
local errors = require "swale.errors"
local metrics = require "swale.store.metrics"

local M = {}

--- A result of a run by its name: "large.sharpness" is summary.large.sharpness.
local function named(view, name)
  local value = view.summary[name]
  if value == nil then
    value = view.summary
    for part in name:gmatch "[^.]+" do
      value = type(value) == "table" and (value[part] or value[math.tointeger(part)]) or nil
    end
  end
  if value == nil then return view:value(name) end
  return metrics.number(value)
end

local function names_in(summary, prefix, list)
  for _, name in ipairs(errors.sorted_keys(summary)) do
    local value = summary[name]
    if type(value) == "table" and #value == 0 then
      names_in(value, prefix .. name .. ".", list)
    else
      list[#list + 1] = prefix .. name
    end
  end
  return list
end

---A name that no run has is a mistake, not a value that is missing.
---@param view swale.RunView
---@param name string
function M.refuse(view, name)
  local names = names_in(view.summary, "", {})
  errors.misuse("runs: no run has the result %s%s The summary of %s has: %s", errors.shown(name),
    errors.suggestion(name, names), view.id, table.concat(names, ", "))
end

---The function of a run that gives a result.
---@param result string|fun(run: swale.RunView): number|nil
---@return fun(run: swale.RunView): number|nil
function M.reader(result)
  if type(result) == "function" then return result end
  if type(result) == "string" then return function(view) return named(view, result) end end
  errors.misuse('runs: the result must be a name such as "test.loss" or a function of a run, not'
    .. " %s", errors.shown(result))
end

return M
