--- Runners carry out fits: the usual one trains (swale.trainer.training), that of `swale check`
--- plans. A trainer keeps the runner that is current when it is made.
local M = {}

---@class swale.Runner
---@field new_loop fun(engine: swale.Engine): table     makes the loop
---@field new_evaluator fun(o: table): table            makes the evaluator
---@field begin fun(engine: swale.Engine)               called with each new engine
---@field fit fun(engine: swale.Engine, length: swale.Duration, run: table|nil)

local current

---@return swale.Runner
function M.current() return current or require "swale.trainer.training" end

---Calls f(...); trainers that f makes have this runner.
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
