--- Schedules of learning rate, batch size, momentum and weight decay alike: pure functions of
--- progress, which is counted in examples first, so that they stay right when the batch grows.
---
--- The kinds named here run natively. A Lua function f(s) is a schedule too; if it reads more of
--- the live state than its progress, it is a rule, and can be neither tabulated nor plotted.
local anneal = require "swale.schedule.anneal"
local combine = require "swale.schedule.combine"
local count = require "swale.schedule.count"
local kinds = require "swale.schedule.kinds"
local look = require "swale.schedule.look"
local object = require "swale.schedule.object"
local options = require "swale.options"
local rules = require "swale.schedule.rules"
local seesaw = require "swale.schedule.seesaw"

---@class swale.schedule: swale.Kinds, swale.Combinations, swale.Anneals, swale.Looks, swale.Counts,
---swale.Rules, swale.Seesaws
local M = {}

---@alias swale.Hyperparameter number|swale.Schedule|swale.Rule|fun(s: swale.State): number

for _, part in ipairs { kinds, combine, anneal, look, count, rules, seesaw } do
  for name, f in pairs(part) do M[name] = f end
end
M.part, M.count = nil, nil -- of combine and count: not for users

---A schedule from a function of s.step, s.examples and s.epoch, called before each update.
---@param f fun(s: swale.State): number
---@return swale.Schedule
function M.of(f)
  options.value("schedule.of", "f", f, "function")
  return object.of_function("of", f)
end

return M
