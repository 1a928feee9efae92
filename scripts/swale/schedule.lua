--- Schedules of learning rate, batch size, momentum and weight decay alike: pure functions of
--- progress, which is counted in examples first, so that they stay right when the batch grows.
---
--- The kinds named here run natively. A Lua function f(s) is a schedule too; if it reads more of
--- the live state than how far things are, it is a rule, and can be neither tabulated nor plotted.
local anneal = require "swale.schedule.anneal"
local combine = require "swale.schedule.combine"
local kinds = require "swale.schedule.kinds"
local look = require "swale.schedule.look"
local object = require "swale.schedule.object"
local options = require "swale.options"
local rules = require "swale.schedule.rules"

---@class swale.schedule
---@field constant fun(value: number): swale.Schedule
---@field linear fun(o: swale.LinearScheduleOptions): swale.Schedule
---@field step fun(o: swale.StepOptions): swale.Schedule
---@field multi_step fun(o: swale.MultiStepOptions): swale.Schedule
---@field piecewise fun(o: swale.PiecewiseOptions): swale.Schedule
---@field exponential fun(o: swale.ExponentialOptions): swale.Schedule
---@field polynomial fun(o: swale.PolynomialOptions): swale.Schedule
---@field cosine fun(o: swale.CosineOptions): swale.Schedule
---@field cosine_restarts fun(o: swale.CosineRestartsOptions): swale.Schedule
---@field cyclic fun(o: swale.CyclicOptions): swale.Schedule
---@field triangular fun(o: swale.TriangularOptions): swale.Schedule
---@field triangular2 fun(o: swale.TriangularOptions): swale.Schedule
---@field exp_range fun(o: swale.ExpRangeOptions): swale.Schedule
---@field one_cycle fun(o: swale.OneCycleOptions): swale.Schedule
---@field warmup_stable_decay fun(o: swale.WarmupStableDecayOptions): swale.Schedule
---@field inverse_sqrt fun(o: swale.InverseSqrtOptions): swale.Schedule
---@field chain fun(list: table): swale.Schedule
---@field scale fun(x: swale.Hyperparameter, value: number): swale.Schedule
---@field clamp fun(x: swale.Hyperparameter, o: { min?: number, max?: number }): swale.Schedule
---@field product fun(list: swale.Hyperparameter[]): swale.Schedule
---@field anneal fun(o: swale.AnnealOptions): swale.Anneal
---@field values fun(x: swale.Hyperparameter, o: swale.ValuesOptions): fun(): number?, number?
---@field tabulate fun(schedules: table, o: swale.ValuesOptions): table[]
---@field plot fun(schedules: table, o: swale.PlotOptions): string
---@field rule fun(initial: number, f: fun(s: swale.State, mem: table): number): swale.Rule
---@field is_rule fun(x: any): boolean
local M = {}

---@alias swale.Hyperparameter number|swale.Schedule|swale.Rule|fun(s: swale.State): number

for _, part in ipairs { kinds, combine, anneal, look, rules } do
  for name, f in pairs(part) do M[name] = f end
end
M.part = nil -- of combine: not for users

---A schedule from a function of s.step, s.examples and s.epoch, called before each update.
---@param f fun(s: swale.State): number
---@return swale.Schedule
function M.of(f)
  options.value("schedule.of", "f", f, "function")
  return object.of_function("of", f)
end

return M
