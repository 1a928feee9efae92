--- The objective of an experiment: the quantity that sweeps, reports and comparisons judge runs by.
local errors = require "swale.errors"

local M = {}

---@class swale.Objective
---@field name string
---@field goal "min"|"max"
---@field value? number      at the end of a run

---Checks what a script declares: { "valid_loss", "min" }.
---@param given any
---@return swale.Objective|nil
function M.declare(given)
  if given == nil then return nil end
  local name = type(given) == "table" and (given[1] or given.name)
  local goal = type(given) == "table" and (given[2] or given.goal)
  if type(name) ~= "string" or goal ~= "min" and goal ~= "max" then
    errors.misuse('experiment: objective must be a name and "min" or "max", as in'
      .. ' { "valid_loss", "min" }, not %s', errors.shown(given))
  end
  return { name = name, goal = goal }
end

local TEXTS <const> = { nan = 0 / 0, inf = math.huge, ["-inf"] = -math.huge }

---A number as it is in a record, or the text of one that JSON cannot hold.
---@param values any
---@param name string
---@return number|nil
function M.number(values, name)
  local value = type(values) == "table" and values[name]
  return type(value) == "number" and value or TEXTS[value]
end

local function names_of(values, into)
  for name in pairs(type(values) == "table" and values or {}) do
    if M.number(values, name) then into[name] = true end
  end
  return into
end

---The final value: that of the summary if it has the name, else of the last record of an epoch.
---@param name string
---@param summary table|nil       run.json's
---@param epoch table|nil         the last record of kind "epoch"
---@return number|nil value, string? message   why there is none
function M.value(name, summary, epoch)
  local value = M.number(summary, name) or M.number(epoch, name)
  if value then return value end
  local names = names_of(summary, names_of(epoch, {}))
  for _, other in ipairs { "step", "examples", "epoch", "seconds" } do names[other] = nil end
  if not next(names) then return nil, ("nothing has recorded %s"):format(name) end
  return nil, ('nothing is recorded as "%s"%s There are: %s.'):format(name,
    errors.suggestion(name, names), table.concat(errors.sorted_keys(names), ", "))
end

---Whether a is better than b. What is not a number is worse than any number.
---@param goal "min"|"max"
---@param a number|nil
---@param b number|nil
---@return boolean
function M.better(goal, a, b)
  if not a or a ~= a then return false end
  if not b or b ~= b then return true end
  if goal == "min" then return a < b end
  return a > b
end

return M
