--- The context of a call of a layer: the mode, and where new values of buffers go.
local class = require "swale.class"
local errors = require "swale.errors"

local M = {}

---@class swale.Context
---@field mode "train"|"eval"
---@field fold? boolean   evaluation without derivatives: norms may be folded into weights before
---@field on_set? fun(buffer: swale.Value, value: swale.Value)   where new values of buffers go
---@field of_buffers? fun(layer: swale.Layer, x: swale.Value, p: table): swale.Context
---called for each layer with buffers, in the order of the network; returns the context for it
---@field one? swale.Node   of batch norms: a node of 1, which they make the batch size of
local Context = class.new("context", { fields = { "mode", "fold", "on_set", "of_buffers", "one" } })

---@param mode "train"|"eval"
---@param fields? table        fold, on_set, of_buffers
---@return swale.Context
function M.new(mode, fields)
  local self = fields or {}
  if mode ~= "train" and mode ~= "eval" then
    errors.misuse('mode is "train" or "eval", not %s', errors.shown(mode))
  end
  self.mode = mode
  return setmetatable(self, Context)
end

---The default, also of eager calls: running statistics, no dropout.
M.eval = M.new "eval"

---Sets the buffer's value after this step. A training keeps it if the step's loss is finite;
---elsewhere it is ignored.
---@param buffer swale.Value     as forward got it in p
---@param value swale.Value      of its shape
function Context:set(buffer, value)
  if self.on_set then self.on_set(buffer, value) end
end

return M
