--- Hooks: functions of the user, f(s, trainer, line), that are called after events.
local errors = require "swale.errors"
local options = require "swale.options"

local M = {}

M.EVENTS = { "step", "epoch", "capture", "batch_size", "end" }

---@return table<string, function[]>
function M.new()
  local hooks = {}
  for _, event in ipairs(M.EVENTS) do hooks[event] = {} end
  return hooks
end

---@param hooks table<string, function[]>
---@param event string
---@param f function
function M.add(hooks, event, f)
  if not hooks[event] then
    errors.misuse("Trainer:on: nothing is called %s%s There are: %s.", errors.shown(event),
      errors.suggestion(event, M.EVENTS), table.concat(M.EVENTS, ", "))
  end
  table.insert(hooks[event], options.value("Trainer:on", "f", f, "function"))
end

local function place_of(f)
  local info = debug.getinfo(f, "S")
  return ("%s:%d"):format(info.short_src, info.linedefined)
end

---Raises for a hook that returned a value, which nothing uses.
---@param f function
---@param value any
function M.refuse(f, value)
  errors.misuse("Trainer:on: the hook at %s returned %s, but what hooks return is not used:"
    .. " trainer:stop() ends a fit early", place_of(f), errors.shown(value))
end

---Returns the reason that an until_ gave: its text, or where it is defined.
---@param f function
---@param value any     what f returned, not nil or false
---@return string
function M.reason(f, value)
  if value == true then return "until_ at " .. place_of(f) end
  if type(value) == "string" then return value end
  errors.misuse("Trainer:fit: the until_ at %s returned %s; it returns true or a reason to end the"
    .. " fit, false or nothing to go on", place_of(f), errors.shown(value))
end

---Calls the hooks of an event in the order in which they were added.
---@param list function[]
---@param s swale.State
---@param trainer swale.Trainer
---@param line? table   what is recorded of it
function M.call(list, s, trainer, line)
  for i = 1, #list do
    local value = list[i](s, trainer, line)
    if value ~= nil then M.refuse(list[i], value) end
  end
end

return M
