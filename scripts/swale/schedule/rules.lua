--- Rules: numbers that follow the live state.
local class = require "swale.class"
local options = require "swale.options"

---@class swale.Rules
local M = {}

---@class swale.Rule
---@field initial number
---@field f fun(s: swale.State, mem: table): number
local Rule = class.new("rule")

function Rule:__tostring() return ("rule from %g"):format(self.initial) end

---@param x any
---@return boolean
function M.is_rule(x) return getmetatable(x) == Rule end

---A rule: the first update uses initial, and before each later one f(s, mem) gives the value. s is
---the live state after the last update; mem is the rule's memory, plain data: a table that each
---trainer makes for itself.
---@param initial number
---@param f fun(s: swale.State, mem: table): number
---@return swale.Rule
function M.rule(initial, f)
  options.value("rule", "initial", initial, "number")
  options.value("rule", "f", f, "function")
  return setmetatable({ initial = initial, f = f }, Rule)
end

return M
