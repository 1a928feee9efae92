--- Who carries out what trainers are asked for: the real one trains; `swale check` has one that
--- plans. A trainer takes the runner that is current when it is made, and keeps it.
local M = {}

---@class swale.Runner
---@field new_loop fun(engine: swale.Engine): table     what steps
---@field new_evaluator fun(o: table): table            what evaluates
---@field begin fun(engine: swale.Engine)               an engine was made
---@field fit fun(engine: swale.Engine, length: swale.Duration, run: table|nil)

local current

---@return swale.Runner
function M.current() return current or require "swale.trainer.training" end

---Calls f(...) with a runner for the trainers that are made in it.
---@param runner swale.Runner
---@param f function
---@param ... any
---@return any ...   what f gives
function M.with(runner, f, ...)
  local before = current
  local _ <close> = setmetatable({}, { __close = function() current = before end })
  current = runner
  return f(...)
end

return M
